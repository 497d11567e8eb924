"""Trials with all that is stored of them, out of one database and into another.

What is told of a row is its columns by name, times as ISO text, whatever columns the schema has;
ids are not, as they are the database's own: a version is told by its place among those of its
trial, an event with the version it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, insert, select, update

from ctsync.errors import StoreConflict
from ctsync.model import NctId, Record
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.data.events import path_key
from ctsync.store.data.versions import POSITION_STEP, VersionWrites, newest_body
from ctsync.store.database.access import Reads
from ctsync.store.database.tables import EVENTS, SNAPSHOTS, TRIALS, WATCHED_TRIALS, WATCHES
from ctsync.store.database.types import Digest, JsonText, Timestamp, pack_digest

Told = dict[str, Any]
"""A row by the names of its columns, in JSON's values."""

_OWN: dict[Table[Any], frozenset[str]] = {
    TRIALS: frozenset({"nct_id", "head_snapshot_id", "last_seen_run_id"}),
    SNAPSHOTS: frozenset({"id", "nct_id", "run_id"}),
    EVENTS: frozenset({"id", "nct_id", "from_snapshot_id", "to_snapshot_id", "path_key", "run_id"}),
    WATCHES: frozenset({"id"}),
    WATCHED_TRIALS: frozenset({"watch_id"}),
}
"""The columns that mean something within one database only."""


@dataclass(frozen=True, slots=True)
class ExportedVersion:
    """A version as it is told: its row, its events' rows and the digest of its body.

    `is_first` says that the step of its events leads from no version.
    """

    row: Told
    digest: str | None
    events: tuple[Told, ...]


class InterchangeReads(Reads):
    """What is stored, as it is told to another database."""

    def told_trial(self, nct_id: NctId) -> Told:
        """What the trial's own row says."""
        statement = select(TRIALS).where(TRIALS.c.nct_id == nct_id)
        with self._reading() as connection:
            return _tell(TRIALS, connection.execute(statement).one())

    def told_versions(self, nct_id: NctId) -> Iterator[ExportedVersion]:
        """Its versions, oldest first, each with the events that lead to it in their order."""
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
                    row=_tell(SNAPSHOTS, row),
                    digest=row.digest,
                    events=tuple(
                        _tell(EVENTS, event) | {"from_nothing": event.from_snapshot_id is None}
                        for event in connection.execute(events)
                    ),
                )

    def told_watches(self, selection: Selection) -> list[tuple[Told, list[Told]]]:
        """Each watch with the trials it follows; of a selection of trials there is none."""
        if selection.nct_ids:
            return []
        watches = select(WATCHES).order_by(WATCHES.c.name)
        if selection.watch is not None:
            watches = watches.where(WATCHES.c.name == selection.watch)
        with self._reading() as connection:
            return [
                (
                    _tell(WATCHES, watch),
                    [
                        _tell(WATCHED_TRIALS, row)
                        for row in connection.execute(
                            select(WATCHED_TRIALS)
                            .where(WATCHED_TRIALS.c.watch_id == watch.id)
                            .order_by(WATCHED_TRIALS.c.nct_id)
                        )
                    ],
                )
                for watch in connection.execute(watches).all()
            ]


class InterchangeWrites(VersionWrites):
    """What a unit does with what another database told."""

    def stored_places(self, nct_id: NctId) -> list[tuple[int, str | None, str]]:
        """The id, digest and state of each stored version of a trial, oldest first."""
        statement = (
            select(SNAPSHOTS.c.id, SNAPSHOTS.c.digest, SNAPSHOTS.c.state)
            .where(SNAPSHOTS.c.nct_id == nct_id)
            .order_by(SNAPSHOTS.c.position)
        )
        rows = self._connection.execute(statement)
        return [(row.id, row.digest, row.state) for row in rows]

    def put_version(
        self, nct_id: NctId, told: ExportedVersion, *, after: int | None, canonical: bytes | None
    ) -> int:
        """Store a version behind the snapshot `after`, with its events; its snapshot id.

        It keeps its position where there is room for it, else it comes next. `canonical` are the
        bytes its digest names, which is checked. Raises CorruptBody, and ValueError, TypeError
        and KeyError for rows that are none of this schema.
        """
        self._insert_new(TRIALS, [{"nct_id": nct_id}])
        values = _columns(SNAPSHOTS, told.row)
        if canonical is not None and told.digest is not None:
            newest = self._connection.scalar(newest_body(nct_id))
            self._add_body(Record(nct_id, {}, canonical, told.digest), newest)
        last = None
        if after is not None:
            last = self._connection.scalar(
                select(SNAPSHOTS.c.position).where(SNAPSHOTS.c.id == after)
            )
            if last is None:
                raise StoreConflict(f"{nct_id} was changed by another writer; run again")
        if last is not None and values["position"] <= last:
            values["position"] = last + POSITION_STEP
        snapshot: int = self._connection.execute(
            insert(SNAPSHOTS).returning(SNAPSHOTS.c.id), values | {"nct_id": nct_id}
        ).scalar_one()
        for event in told.events:
            row = dict(event)
            is_first = row.pop("from_nothing")
            place = {
                "nct_id": nct_id,
                "from_snapshot_id": None if is_first else after,
                "to_snapshot_id": snapshot,
                "path_key": path_key(row["path"]),
            }
            self._connection.execute(insert(EVENTS), _columns(EVENTS, row) | place)
        return snapshot

    def put_trial(self, nct_id: NctId, told: Told, *, head: int) -> None:
        """Make a trial's own row what was told, with `head` its newest snapshot."""
        values = _columns(TRIALS, told) | {"head_snapshot_id": head}
        self._connection.execute(update(TRIALS).where(TRIALS.c.nct_id == nct_id).values(values))

    def put_watch(self, told: Told, trials: Sequence[Told]) -> int:
        """Store a watch that is not there yet, and the trials it lacks; how many were new to it."""
        self._insert_new(WATCHES, [_columns(WATCHES, told)])
        watch_id = self._connection.scalar(
            select(WATCHES.c.id).where(WATCHES.c.name == told["name"])
        )
        rows = [_columns(WATCHED_TRIALS, one) | {"watch_id": watch_id} for one in trials]
        return self._insert_new(WATCHED_TRIALS, rows) if rows else 0


def _tell(table: Table[Any], row: Row[Any]) -> Told:
    own = _OWN[table]
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row._mapping.items()
        if name not in own
    }


def _columns(table: Table[Any], told: Mapping[str, Any]) -> Told:
    """The values of a row to insert; raises ValueError for what this schema does not hold."""
    columns = table.columns
    own = _OWN[table]
    unknown = sorted(set(told) - {column.name for column in columns} | set(told) & own)
    if unknown:
        raise ValueError(f"{table.name} has no column {unknown[0]!r} to import")
    return {name: _value(columns[name], value) for name, value in told.items()}


def _value(column: ColumnElement[Any], value: Any) -> Any:
    if value is None or isinstance(column.type, JsonText):
        return value
    if isinstance(column.type, Timestamp):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Digest) and isinstance(value, str):
        pack_digest(value)
        return value
    wanted = getattr(column.type, "impl_instance", column.type).python_type
    fits = type(value) is wanted or (wanted is float and type(value) is int)
    if not fits:  # SQLite would take it as it is
        raise ValueError(f"{value!r} cannot stand in {column.key}")
    return value
