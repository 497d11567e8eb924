"""Exports trials with all their rows from one database, and imports them into another.

A row is exported as a mapping from column names to JSON values: times as ISO text, bytes in
hexadecimal. Ids are left out, because they are valid in one database only. A version is identified
by its order within its trial, an event by the version it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Row, Table, select

from ctsync.errors import StoreConflict
from ctsync.model import Kind, NctId, Record
from ctsync.store.bodies.writer import BodyWrites
from ctsync.store.data.bulk_reads import Selection, narrowed
from ctsync.store.data.events import EventWrites, path_key
from ctsync.store.data.trials import TrialWrites
from ctsync.store.data.versions import POSITION_STEP, VersionWrites
from ctsync.store.data.watches import WatchWrites
from ctsync.store.database.access import Reads, Writes
from ctsync.store.database.tables import EVENTS, SNAPSHOTS, TRIALS, WATCHED_TRIALS, WATCHES
from ctsync.store.database.types import Digest, JsonText, Timestamp, pack_digest

JsonRow = dict[str, Any]
"""The values of a row, as JSON, by the names of their columns."""

OWN_COLUMNS: dict[Table[Any], frozenset[str]] = {
    TRIALS: frozenset({"nct_id", "head_snapshot_id", "last_seen_run_id"}),
    SNAPSHOTS: frozenset({"id", "nct_id", "run_id"}),
    EVENTS: frozenset({"id", "nct_id", "from_snapshot_id", "to_snapshot_id", "path_key", "run_id"}),
    WATCHES: frozenset({"id"}),
    WATCHED_TRIALS: frozenset({"watch_id"}),
}
"""The columns whose values are valid in one database only. They are not exported."""


@dataclass(frozen=True, slots=True)
class ExportedVersion:
    """A version's row, the digest of its body and the rows of its events.

    An event's row has an extra key, `from_nothing`: whether it has no older version.
    """

    row: JsonRow
    digest: str | None
    events: tuple[JsonRow, ...]


class RowReads(Reads):
    """Reads rows as JSON values for another database."""

    def trial_ids(self, selection: Selection) -> list[NctId]:
        """Return the selected trials in order of NCT id, including trials without versions."""
        rows = select(TRIALS.c.nct_id).order_by(TRIALS.c.nct_id)
        with self._reading() as connection:
            return [
                NctId(one)
                for statement in narrowed(rows, TRIALS.c.nct_id, selection)
                for one in connection.scalars(statement)
            ]

    def trial(self, nct_id: NctId) -> JsonRow:
        """Return the row of a trial in `trials`."""
        statement = select(TRIALS).where(TRIALS.c.nct_id == nct_id)
        with self._reading() as connection:
            return _json_row(TRIALS, connection.execute(statement).one())

    def versions(self, nct_id: NctId) -> Iterator[ExportedVersion]:
        """Iterate over a trial's versions, oldest first, each with the events that lead to it."""
        snapshots = (
            select(SNAPSHOTS).where(SNAPSHOTS.c.nct_id == nct_id).order_by(SNAPSHOTS.c.position)
        )
        with self._reading() as connection:
            rows = connection.execute(snapshots).all()
            for row in rows:
                events = (
                    select(EVENTS).where(EVENTS.c.to_snapshot_id == row.id).order_by(EVENTS.c.id)
                )
                yield ExportedVersion(
                    row=_json_row(SNAPSHOTS, row),
                    digest=row.digest,
                    events=tuple(
                        _json_row(EVENTS, event) | {"from_nothing": event.from_snapshot_id is None}
                        for event in connection.execute(events)
                    ),
                )

    def watches(self, selection: Selection) -> list[tuple[JsonRow, list[JsonRow]]]:
        """Return each watch with its trials. Returns none if the selection names trials."""
        if selection.nct_ids:
            return []
        watches = select(WATCHES).order_by(WATCHES.c.name)
        if selection.watch is not None:
            watches = watches.where(WATCHES.c.name == selection.watch)
        with self._reading() as connection:
            return [
                (
                    _json_row(WATCHES, watch),
                    [
                        _json_row(WATCHED_TRIALS, row)
                        for row in connection.execute(
                            select(WATCHED_TRIALS)
                            .where(WATCHED_TRIALS.c.watch_id == watch.id)
                            .order_by(WATCHED_TRIALS.c.nct_id)
                        )
                    ],
                )
                for watch in connection.execute(watches).all()
            ]


class RowWrites(Writes):
    """Writes JSON rows that were exported from another database."""

    def __init__(
        self,
        connection: Connection,
        *,
        trials: TrialWrites,
        bodies: BodyWrites,
        versions: VersionWrites,
        events: EventWrites,
        watches: WatchWrites,
    ) -> None:
        super().__init__(connection)
        self._trials = trials
        self._bodies = bodies
        self._versions = versions
        self._events = events
        self._watches = watches

    def stored_versions(self, nct_id: NctId) -> list[tuple[int, str | None, str]]:
        """Return the id, digest and state of each stored version of a trial, oldest first."""
        statement = (
            select(SNAPSHOTS.c.id, SNAPSHOTS.c.digest, SNAPSHOTS.c.state)
            .where(SNAPSHOTS.c.nct_id == nct_id)
            .order_by(SNAPSHOTS.c.position)
        )
        rows = self._connection.execute(statement)
        return [(row.id, row.digest, row.state) for row in rows]

    def add_version(
        self,
        nct_id: NctId,
        exported: ExportedVersion,
        *,
        after: int | None,
        canonical: bytes | None,
    ) -> int:
        """Store a version after the snapshot `after`, with its events. Return its snapshot id.

        The version keeps its position if that is later than the position of `after`. `canonical`
        must match the version's digest. Raises StoreConflict if `after` is not stored, CorruptBody,
        and ValueError, TypeError or KeyError for rows that do not fit this schema.
        """
        self._trials.add(nct_id)
        values = _columns(SNAPSHOTS, exported.row)
        if canonical is not None and exported.digest is not None:
            record = Record(nct_id, {}, canonical, exported.digest)
            self._bodies.add(record, beside=self._versions.newest_digest(nct_id))
        last = None
        if after is not None:
            last = self._connection.scalar(
                select(SNAPSHOTS.c.position).where(SNAPSHOTS.c.id == after)
            )
            if last is None:
                raise StoreConflict(f"{nct_id} was changed by another writer; run again")
        if last is not None and values["position"] <= last:
            values["position"] = last + POSITION_STEP
        snapshot = self._versions.insert_one(values | {"nct_id": nct_id})
        for event in exported.events:
            row = dict(event)
            older = None if row.pop("from_nothing") else after
            place = {
                "nct_id": nct_id,
                # a flag belongs to the version itself
                "from_snapshot_id": snapshot if row["kind"] == Kind.FLAG else older,
                "to_snapshot_id": snapshot,
                "path_key": path_key(row["path"]),
            }
            columns = _columns(EVENTS, row) | place
            self._events.insert(tuple(columns), [tuple(columns.values())])
        return snapshot

    def add_unseen(self, nct_id: NctId, exported: JsonRow) -> None:
        """Store a trial without versions, unless it is stored already."""
        values = _columns(TRIALS, exported) | {"nct_id": nct_id}
        self._trials.insert(tuple(values), [tuple(values.values())])

    def set_trial(self, nct_id: NctId, exported: JsonRow, *, head: int) -> None:
        """Replace a trial's row by the exported one, with `head` as its newest snapshot."""
        values = _columns(TRIALS, exported) | {"head_snapshot_id": head}
        self._trials.set_columns(nct_id, values)

    def add_watch(self, exported: JsonRow, trials: Sequence[JsonRow]) -> int:
        """Store a watch and its trials if they are missing. Return the number of trials added."""
        self._watches.insert(_columns(WATCHES, exported))
        watch_id = self._connection.scalar(
            select(WATCHES.c.id).where(WATCHES.c.name == exported["name"])
        )
        rows = [_columns(WATCHED_TRIALS, one) | {"watch_id": watch_id} for one in trials]
        return self._watches.insert_trials(rows)


def _json_row(table: Table[Any], row: Row[Any]) -> JsonRow:
    own = OWN_COLUMNS[table]
    return {name: _json_value(value) for name, value in row._mapping.items() if name not in own}


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _columns(table: Table[Any], exported: Mapping[str, Any]) -> JsonRow:
    """Return the values to insert. Raises ValueError for a column or value that does not fit."""
    columns = table.columns
    own = OWN_COLUMNS[table]
    unknown = sorted(set(exported) - {column.name for column in columns} | set(exported) & own)
    if unknown:
        raise ValueError(f"{table.name} has no column {unknown[0]!r} to import")
    return {name: _value(columns[name], value) for name, value in exported.items()}


def _value(column: ColumnElement[Any], value: Any) -> Any:
    if value is None or isinstance(column.type, JsonText):
        return value
    if isinstance(column.type, Timestamp):
        return datetime.fromisoformat(value)
    if isinstance(column.type, LargeBinary) and isinstance(value, str):
        return bytes.fromhex(value)
    if isinstance(column.type, Digest) and isinstance(value, str):
        pack_digest(value)
        return value
    wanted = getattr(column.type, "impl_instance", column.type).python_type
    fits = type(value) is wanted or (wanted is float and type(value) is int)
    if not fits:  # SQLite would store a value of any type
        raise ValueError(f"{value!r} is not a valid {column.key}")
    return value
