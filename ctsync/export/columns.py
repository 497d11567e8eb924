"""Events, versions and flags as rows of typed columns, for analysis. Does no I/O.

A registry date is a day, a month or a year, and has three columns: NAME is its first day,
NAME_precision is day, month or year, NAME_text is the registry's text. Times are aware and in UTC.
Lists and objects are columns of JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from ctsync.dates import PartialDate
from ctsync.model import MISSING, KeyFields, StoredEvent, Version

if TYPE_CHECKING:  # for its type alone: data frames of other rows need no flags
    from ctsync.questions.portfolio.flags import TrialFlagRow

Row = dict[str, Any]


class ColumnType(StrEnum):
    """The type of a column; a DATE is a day, a TIME has microseconds and is in UTC."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    FLAG = "flag"
    DATE = "date"
    TIME = "time"


def storable(value: Any) -> Any:
    """Return a value whose text has no lone surrogate, which Arrow and polars reject."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def dated_columns(name: str) -> dict[str, ColumnType]:
    """Return the three columns of a registry date."""
    return {
        name: ColumnType.DATE,
        f"{name}_precision": ColumnType.TEXT,
        f"{name}_text": ColumnType.TEXT,
    }


_KEY_DATES = (
    "start_date", "primary_completion_date", "completion_date", "verified", "first_submitted",
    "first_posted", "results_first_posted",
)  # fmt: skip
_PLACED = ("posted", "submitted")  # key fields that are attributes of a version
REGISTRY_DATES = frozenset({*_KEY_DATES, *_PLACED})
"""The names of fields that hold a registry date as text, in each type of row."""
_KEY_SORTS = {"enrollment": ColumnType.INTEGER, "has_results": ColumnType.FLAG}


def _key_columns() -> Iterator[tuple[str, ColumnType]]:
    for field in fields(KeyFields):
        if field.name in _KEY_DATES:
            yield from dated_columns(field.name).items()
        elif field.name not in _PLACED:
            yield field.name, _KEY_SORTS.get(field.name, ColumnType.TEXT)


VERSION_COLUMNS: Mapping[str, ColumnType] = {
    "nct_id": ColumnType.TEXT,
    "version": ColumnType.INTEGER,
    "registry_version": ColumnType.INTEGER,
    "source": ColumnType.TEXT,
    "state": ColumnType.TEXT,
    "digest": ColumnType.TEXT,
    **dated_columns("posted"),
    **dated_columns("submitted"),
    "observed": ColumnType.TIME,
    "fetched": ColumnType.TIME,
    "happened": ColumnType.TIME,
    "stood_from": ColumnType.DATE,
    **dict(_key_columns()),
    "version_id": ColumnType.INTEGER,
}
"""Columns of a version: its place in the history, its times, and its key fields.

`version_id` grows in the order in which versions were stored, like `event_id`. `version` is the
place of a version in its trial, which changes if backfill stores earlier ones.
"""

EVENT_COLUMNS: Mapping[str, ColumnType] = {
    "event_id": ColumnType.INTEGER,
    "nct_id": ColumnType.TEXT,
    "brief_title": ColumnType.TEXT,
    "kind": ColumnType.TEXT,
    "category": ColumnType.TEXT,
    "level": ColumnType.TEXT,
    "rule": ColumnType.TEXT,
    "path": ColumnType.TEXT,
    "label": ColumnType.TEXT,
    "summary": ColumnType.TEXT,
    "before": ColumnType.TEXT,
    "after": ColumnType.TEXT,
    "before_type": ColumnType.TEXT,
    "after_type": ColumnType.TEXT,
    "days": ColumnType.INTEGER,
    "days_since_first": ColumnType.INTEGER,
    "percent": ColumnType.FLOAT,
    "percent_since_first": ColumnType.FLOAT,
    "inputs": ColumnType.TEXT,
    "from_version": ColumnType.INTEGER,
    "to_version": ColumnType.INTEGER,
    "from_registry_version": ColumnType.INTEGER,
    "to_registry_version": ColumnType.INTEGER,
    **dated_columns("posted"),
    "observed": ColumnType.TIME,
    "fetched": ColumnType.TIME,
    "happened": ColumnType.TIME,
    "run_id": ColumnType.INTEGER,
    "unfetched": ColumnType.INTEGER,
}
"""Columns of an event; `before`, `after` and `inputs` are JSON."""

FLAG_COLUMNS: Mapping[str, ColumnType] = {
    "nct_id": ColumnType.TEXT,
    "title": ColumnType.TEXT,
    "sponsor": ColumnType.TEXT,
    "flag": ColumnType.TEXT,
    "label": ColumnType.TEXT,
    "since": ColumnType.DATE,
    "as_of": ColumnType.DATE,
    "words": ColumnType.TEXT,
    "inputs": ColumnType.TEXT,
    "source": ColumnType.TEXT,
}
"""Columns of a flag to show; `inputs` is JSON."""

_OF_EVENT = (
    "rule", "path", "label", "summary", "before_type", "after_type", "days", "days_since_first",
    "percent", "percent_since_first",
)  # fmt: skip
_OF_STORED = (
    "event_id", "nct_id", "brief_title", "from_version", "to_version", "from_registry_version",
    "to_registry_version", "observed", "fetched", "run_id",
    "unfetched",
)  # fmt: skip


def version_row(version: Version, *, stood_from: date, happened: datetime) -> Row:
    """Return a version as a row of VERSION_COLUMNS, in their order."""
    row: Row = {
        "nct_id": version.nct_id,
        "version": version.version,
        "registry_version": version.registry_version,
        "source": version.source.value,
        "state": version.state.value,
        "digest": version.digest,
        **date_values("posted", version.posted),
        **date_values("submitted", version.submitted),
        "observed": version.observed,
        "fetched": version.fetched,
        "happened": happened,
        "stood_from": stood_from,
    }
    for field in fields(KeyFields):
        value = getattr(version.key, field.name)
        if field.name in _KEY_DATES:
            row |= date_values(field.name, value)
        elif field.name not in _PLACED:
            row[field.name] = value
    row["version_id"] = version.snapshot_id
    return row


def event_row(stored: StoredEvent) -> Row:
    """Return an event as a row of EVENT_COLUMNS."""
    event = stored.event
    return {
        **{name: getattr(stored, name) for name in _OF_STORED},
        **{name: getattr(event, name) for name in _OF_EVENT},
        "kind": event.kind.value,
        "category": event.category.value,
        "level": event.level.value,
        "before": _json(event.before),
        "after": _json(event.after),
        "inputs": _json(dict(event.inputs)),
        **date_values("posted", stored.posted),
        "happened": stored.happened,
    }


def flag_table_row(flag: TrialFlagRow) -> Row:
    """Return a flag as a row of FLAG_COLUMNS; `happened` is the start of its day."""
    return {
        **{name: getattr(flag, name) for name in FLAG_COLUMNS},
        "flag": flag.flag.value,
        "inputs": _json(dict(flag.inputs)),
        "happened": datetime.combine(flag.as_of, time(), UTC),
    }


def date_values(name: str, text: str | None) -> Row:
    """Return the values of the three columns of a registry date."""
    read = PartialDate.parse(text)
    return {
        name: read.first if read else None,
        f"{name}_precision": read.precision.value if read else None,
        f"{name}_text": text,
    }


def _json(value: Any) -> str | None:
    if value is None or value is MISSING:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # orjson rejects lone surrogates and integers beyond 64 bits
        return json.dumps(value)
