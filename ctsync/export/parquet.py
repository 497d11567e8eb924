"""Events and versions as a Parquet dataset by month, for DuckDB, Spark and similar programs.

    DIR/events/month=2026-03/part.parquet      what changed
    DIR/versions/month=2026-03/part.parquet    every version with its key fields
    DIR/flags/month=2026-03/part.parquet       the flags of a day, in the month of that day

The month of a row, in UTC, is that of the load it was observed in, else of the day it was posted
or submitted, else of the time it was fetched. `month` is a column only in the path, text as in
"2026-03" (Hive partitioning). The columns are EVENT_COLUMNS, VERSION_COLUMNS and FLAG_COLUMNS of
export.columns, in that order: text is string, integers are int64, flags bool, dates date32, times
timestamp[us, UTC]. `version` numbers the versions of a trial from 1; (nct_id, version) is unique.
`version_id` and `event_id` grow in the order in which rows were stored.
Events lead from `from_version` to `to_version`. The version valid on a day is the last with a
`stood_from` not after that day.

A second export into the same folder rewrites only the months with a new or different row. Each
file is replaced atomically, so a reader sees the old or the new file and no row twice. After an
interruption, the next export completes the files. The metadata of each file identifies the rows it
was written from; there is no separate list of files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ctsync.errors import UsageError
from ctsync.export.arrow_schema import arrow_schema, arrow_table, require_pyarrow
from ctsync.export.columns import (
    EVENT_COLUMNS,
    FLAG_COLUMNS,
    VERSION_COLUMNS,
    ColumnType,
    Row,
    event_row,
    flag_table_row,
    version_row,
)
from ctsync.files import replacing
from ctsync.questions.portfolio.flags import TrialFlagRow
from ctsync.questions.trial.version_dates import stands_from
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.events import happened_at
from ctsync.store.store import Store

LAYOUT = "2"
"""Must change with the columns: files with another layout are rewritten."""

MOST_ROWS = 50_000
"""Most rows kept in memory before some are written."""

_FINGERPRINT, _SELECTION = b"ctsync.fingerprint", b"ctsync.selection"
_FILE = "part.parquet"


@dataclass(slots=True)
class ParquetTable:
    """The result of an export for one table: its months by what was done, and its rows."""

    table: str
    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    rows: int = 0


def export_dataset(
    store: Store,
    folder: Path,
    selection: Selection,
    *,
    flags: Sequence[TrialFlagRow] | None = None,
) -> list[ParquetTable]:
    """Bring the dataset in `folder` up to date with the stored versions of the selected trials.

    `flags` are those of one day; they replace the flags of an earlier export. With None, the
    dataset gets no table of flags.

    Raises OSError, and UsageError if pyarrow is missing or the folder holds other files or an
    export of other trials.
    """
    require_pyarrow("Parquet", module="pyarrow.parquet")
    about = json.dumps({"watch": selection.watch, "trials": sorted(set(selection.nct_ids))})
    tables = [
        _Table("events", EVENT_COLUMNS, lambda: _event_rows(store, selection)),
        _Table("versions", VERSION_COLUMNS, lambda: _version_rows(store, selection)),
    ]
    if flags is not None:
        tables.append(_Table("flags", FLAG_COLUMNS, lambda: map(flag_table_row, flags)))
    present = {table.name: _present(folder / table.name, about) for table in tables}
    return [_bring_up(table, folder / table.name, present[table.name], about) for table in tables]


def _event_rows(store: Store, selection: Selection) -> Iterator[Row]:
    wanted = EventFilter(nct_ids=selection.nct_ids, watch=selection.watch)
    return map(event_row, store.events.each(wanted))


def _version_rows(store: Store, selection: Selection) -> Iterator[Row]:
    for versions in store.bulk.versions_by_trial(selection):
        for version, day in zip(versions, stands_from(versions), strict=True):
            dated = version.posted or version.submitted
            happened = happened_at(version.observed, dated, version.fetched)
            yield version_row(version, stood_from=day, happened=happened)


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the dataset; `rows` returns all rows, always in the same order."""

    name: str
    columns: Mapping[str, ColumnType]
    rows: Callable[[], Iterator[Row]]


def _present(folder: Path, about: str) -> dict[str, str]:
    """Return the existing months, each with the fingerprint of the rows it was written from."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    from pyarrow import ArrowInvalid  # noqa: PLC0415 - an extra

    for draft in folder.glob(f"month=*/.{_FILE}.*"):
        draft.unlink(missing_ok=True)  # left by a killed export
    found: dict[str, str] = {}
    for path in sorted(folder.glob(f"month=*/{_FILE}")):
        try:
            said = pq.read_metadata(path).metadata or {}
        except ArrowInvalid:
            said = {}
        if _FINGERPRINT not in said:
            raise UsageError(f"{path} was not written by ctsync export; use another folder")
        if said[_SELECTION].decode() != about:
            raise UsageError(
                f"{folder.parent} contains an export of other trials; use another folder, or the "
                "same trials and watch as before"
            )
        found[path.parent.name.removeprefix("month=")] = said[_FINGERPRINT].decode()
    return found


def _bring_up(table: _Table, folder: Path, present: Mapping[str, str], about: str) -> ParquetTable:
    done = ParquetTable(table.name)
    same: set[str] = set()
    if present:
        prints: dict[str, _Print] = {}
        for row in table.rows():
            prints.setdefault(_month(row), _Print(table.columns)).add(row)
        same = {month for month, one in prints.items() if one.text() == present.get(month)}
        done.removed = sorted(present.keys() - prints.keys())
    done.unchanged = sorted(same)
    with ExitStack() as open_files:
        writers = _Writers(table, folder, about, open_files)
        for row in table.rows():
            month = _month(row)
            if month not in same:
                writers.add(month, row)
                done.rows += 1
        done.written = writers.finish()
    for month in done.removed:
        (folder / f"month={month}" / _FILE).unlink(missing_ok=True)
        with suppress(OSError):  # files of other programs stay
            (folder / f"month={month}").rmdir()
    return done


def _month(row: Row) -> str:
    return f"{row['happened']:%Y-%m}"


class _Print:
    """The fingerprint of ordered rows, from their values and columns."""

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self._columns = tuple(columns)
        self._hash = hashlib.sha256(f"{LAYOUT} {columns}".encode())

    def add(self, row: Row) -> None:
        values = [row[name] for name in self._columns]
        self._hash.update(repr(values).encode("utf-8", "backslashreplace"))

    def text(self) -> str:
        return self._hash.hexdigest()


@dataclass(slots=True)
class _Part:
    """The file of one month while it is written."""

    writer: Any
    fingerprint: _Print
    rows: list[Row] = field(default_factory=list)


class _Writers:
    """The files being written and the rows in memory; writes the fullest month first."""

    def __init__(self, table: _Table, folder: Path, about: str, open_files: ExitStack) -> None:
        self._table = table
        self._folder = folder
        self._about = about
        self._files = open_files
        self._schema = arrow_schema(table.columns)
        self._parts: dict[str, _Part] = {}
        self._waiting = 0

    def add(self, month: str, row: Row) -> None:
        part = self._parts.get(month) or self._open(month)
        part.fingerprint.add(row)
        part.rows.append(row)
        self._waiting += 1
        if self._waiting >= MOST_ROWS:
            self._flush(max(self._parts.values(), key=lambda one: len(one.rows)))

    def _open(self, month: str) -> _Part:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        path = self._folder / f"month={month}" / _FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        file: BinaryIO = self._files.enter_context(replacing(path))
        writer = self._files.enter_context(pq.ParquetWriter(file, self._schema, compression="zstd"))
        part = self._parts[month] = _Part(writer, _Print(self._table.columns))
        return part

    def _flush(self, part: _Part) -> None:
        part.writer.write_table(arrow_table(part.rows, self._schema))
        self._waiting -= len(part.rows)
        part.rows.clear()

    def finish(self) -> list[str]:
        for part in self._parts.values():
            if part.rows:
                self._flush(part)
            part.writer.add_key_value_metadata(
                {_FINGERPRINT: part.fingerprint.text(), _SELECTION: self._about}
            )
        return sorted(self._parts)
