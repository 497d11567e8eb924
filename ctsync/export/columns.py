"""Events and versions as rows of typed columns, for analysis; no I/O.

Every registry date, which may be a day, a month or a year, is three columns: NAME is the first
day it may mean, NAME_precision is day, month or year, NAME_text is what the registry wrote. Times
are aware and in UTC. What is a list or an object in JSON is a column of JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import orjson

from ctsync.dates import PartialDate
from ctsync.model import MISSING, KeyFields, StoredEvent, Version

Row = dict[str, Any]


class Sort(StrEnum):
    """What a column holds; a DATE is a day, a TIME has microseconds and is in UTC."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    FLAG = "flag"
    DATE = "date"
    TIME = "time"


def _dated(name: str) -> dict[str, Sort]:
    return {name: Sort.DATE, f"{name}_precision": Sort.TEXT, f"{name}_text": Sort.TEXT}


_KEY_DATES = (
    "start_date", "primary_completion_date", "completion_date", "verified", "first_submitted",
    "first_posted", "results_first_posted",
)  # fmt: skip
_PLACED = ("posted", "submitted")  # key fields that a version has as its own
_KEY_SORTS = {"enrollment": Sort.INTEGER, "has_results": Sort.FLAG}


def _key_columns() -> Iterator[tuple[str, Sort]]:
    for field in fields(KeyFields):
        if field.name in _KEY_DATES:
            yield from _dated(field.name).items()
        elif field.name not in _PLACED:
            yield field.name, _KEY_SORTS.get(field.name, Sort.TEXT)


VERSION_COLUMNS: Mapping[str, Sort] = {
    "nct_id": Sort.TEXT,
    "version": Sort.INTEGER,
    "registry_version": Sort.INTEGER,
    "source": Sort.TEXT,
    "state": Sort.TEXT,
    "digest": Sort.TEXT,
    **_dated("posted"),
    **_dated("submitted"),
    "observed": Sort.TIME,
    "fetched": Sort.TIME,
    "happened": Sort.TIME,
    "stood_from": Sort.DATE,
    **dict(_key_columns()),
}
"""What is told of a version: its place in the history, its times, and the key fields."""

EVENT_COLUMNS: Mapping[str, Sort] = {
    "event_id": Sort.INTEGER,
    "nct_id": Sort.TEXT,
    "brief_title": Sort.TEXT,
    "kind": Sort.TEXT,
    "lane": Sort.TEXT,
    "level": Sort.TEXT,
    "rule": Sort.TEXT,
    "path": Sort.TEXT,
    "label": Sort.TEXT,
    "summary": Sort.TEXT,
    "before": Sort.TEXT,
    "after": Sort.TEXT,
    "before_type": Sort.TEXT,
    "after_type": Sort.TEXT,
    "days": Sort.INTEGER,
    "days_since_first": Sort.INTEGER,
    "percent": Sort.FLOAT,
    "percent_since_first": Sort.FLOAT,
    "inputs": Sort.TEXT,
    "from_version": Sort.INTEGER,
    "to_version": Sort.INTEGER,
    "from_registry_version": Sort.INTEGER,
    "to_registry_version": Sort.INTEGER,
    **_dated("posted"),
    "observed": Sort.TIME,
    "fetched": Sort.TIME,
    "happened": Sort.TIME,
    "run_id": Sort.INTEGER,
}
"""What is told of an event; `before`, `after` and `inputs` are JSON."""

_OF_EVENT = (
    "rule", "path", "label", "summary", "before_type", "after_type", "days", "days_since_first",
    "percent", "percent_since_first",
)  # fmt: skip
_OF_STORED = (
    "event_id", "nct_id", "brief_title", "from_version", "to_version", "from_registry_version",
    "to_registry_version", "observed", "fetched", "run_id",
)  # fmt: skip


def version_row(version: Version, *, stood_from: date, happened: datetime) -> Row:
    """A version with the columns of VERSION_COLUMNS, in their order."""
    row: Row = {
        "nct_id": version.nct_id,
        "version": version.version,
        "registry_version": version.registry_version,
        "source": version.source.value,
        "state": version.state.value,
        "digest": version.digest,
        **_date("posted", version.posted),
        **_date("submitted", version.submitted),
        "observed": version.observed,
        "fetched": version.fetched,
        "happened": happened,
        "stood_from": stood_from,
    }
    for field in fields(KeyFields):
        value = getattr(version.key, field.name)
        if field.name in _KEY_DATES:
            row |= _date(field.name, value)
        elif field.name not in _PLACED:
            row[field.name] = value
    return row


def event_row(stored: StoredEvent) -> Row:
    """An event with the columns of EVENT_COLUMNS."""
    event = stored.event
    return {
        **{name: getattr(stored, name) for name in _OF_STORED},
        **{name: getattr(event, name) for name in _OF_EVENT},
        "kind": event.kind.value,
        "lane": event.lane.value,
        "level": event.level.value,
        "before": _json(event.before),
        "after": _json(event.after),
        "inputs": _json(dict(event.inputs)),
        **_date("posted", stored.posted),
        "happened": stored.happened,
    }


def _date(name: str, text: str | None) -> Row:
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
        # half a surrogate pair, or an integer beyond 64 bits
        return json.dumps(value)
