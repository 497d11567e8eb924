"""Trials: their heads, the last load that contained them, and which trial took over their id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, bindparam, func, select, true, update

from ctsync.model import Head, NctId, Source, State
from ctsync.store.database.access import BATCH, Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import SNAPSHOTS, TRIALS


@dataclass(frozen=True, slots=True)
class Sighting:
    """The last load that contained a trial, and the first later load without it."""

    last_load: datetime | None
    absent_since: datetime | None
    is_stored: bool


@dataclass(frozen=True, slots=True)
class HeadState:
    """A trial's newest version and what its row adds. `head` is None if no version is stored.

    `raw_mark` is the hash of the archive's bytes that the head was made from. `never_found` is the
    first load without the trial, if no version is stored. `moved_to` is the trial that took over
    this id.
    """

    head: Head | None
    raw_mark: bytes | None
    never_found: datetime | None
    moved_to: NctId | None = None


class TrialReads(Reads):
    """Reads trials."""

    def heads(self, ids: Iterable[NctId]) -> dict[NctId, Head]:
        """Return the newest version of each trial that has a stored version."""
        states = self.head_states(ids)
        return {nct_id: one.head for nct_id, one in states.items() if one.head is not None}

    def head_states(self, ids: Iterable[NctId]) -> dict[NctId, HeadState]:
        """Return the head state of each trial that has a row, with or without versions."""
        found: dict[NctId, HeadState] = {}
        statement = select(
            TRIALS.c.nct_id,
            TRIALS.c.absent_since,
            TRIALS.c.moved_to,
            TRIALS.c.raw_mark,
            SNAPSHOTS.c.id,
            SNAPSHOTS.c.digest,
            SNAPSHOTS.c.state,
            SNAPSHOTS.c.source,
            _version_number().label("version"),
        ).outerjoin(SNAPSHOTS, SNAPSHOTS.c.id == TRIALS.c.head_snapshot_id)
        with self._reading() as connection:
            for batch in batches(list(ids)):
                for row in connection.execute(statement.where(TRIALS.c.nct_id.in_(batch))):
                    head = None if row.id is None else _head(row)
                    never_found = row.absent_since if head is None else None
                    to = None if row.moved_to is None else NctId(row.moved_to)
                    found[NctId(row.nct_id)] = HeadState(head, row.raw_mark, never_found, to)
        return found

    def sightings(self, ids: Iterable[NctId]) -> dict[NctId, Sighting]:
        """Return when each trial was last seen. Trials without a row are left out."""
        statement = select(
            TRIALS.c.nct_id,
            TRIALS.c.last_seen_load,
            TRIALS.c.absent_since,
            TRIALS.c.head_snapshot_id,
        )
        with self._reading() as connection:
            return {
                NctId(row.nct_id): Sighting(
                    row.last_seen_load, row.absent_since, row.head_snapshot_id is not None
                )
                for batch in batches(list(ids))
                for row in connection.execute(statement.where(TRIALS.c.nct_id.in_(batch)))
            }

    def never_found(self, ids: Iterable[NctId]) -> dict[NctId, datetime]:
        """Return the absent trials without a stored version, with the first load without them."""
        return self._absent(ids, TRIALS.c.head_snapshot_id.is_(None))

    def absent_ids(self, ids: Iterable[NctId]) -> frozenset[NctId]:
        """Return the trials whose absence from a load no other load has confirmed or refuted."""
        return frozenset(self._absent(ids, true()))

    def _absent(self, ids: Iterable[NctId], condition: Any) -> dict[NctId, datetime]:
        columns = (TRIALS.c.nct_id, TRIALS.c.absent_since)
        statement = select(*columns).where(TRIALS.c.absent_since.is_not(None), condition)
        with self._reading() as connection:
            return {
                NctId(row.nct_id): row.absent_since
                for batch in batches(list(ids))
                for row in connection.execute(statement.where(TRIALS.c.nct_id.in_(batch)))
            }

    def present_ids(self) -> Iterator[NctId]:
        """Iterate over the trials whose state is present, in order of ids, BATCH per query."""
        last = ""
        while True:
            page = (
                select(TRIALS.c.nct_id)
                .where(TRIALS.c.nct_id > last, TRIALS.c.state == State.PRESENT)
                .order_by(TRIALS.c.nct_id)
                .limit(BATCH)
            )
            with self._reading() as connection:
                found = connection.scalars(page).all()
            yield from map(NctId, found)
            if len(found) < BATCH:
                return
            last = found[-1]

    def count_present(self) -> int:
        """Count the trials whose state is present."""
        statement = select(func.count()).where(TRIALS.c.state == State.PRESENT)
        with self._reading() as connection:
            return int(connection.scalar(statement) or 0)

    def stored_ids(self) -> tuple[NctId, ...]:
        """Return every trial that has a stored version, in order."""
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.head_snapshot_id.is_not(None))
            .order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def ids_moved_to(self, nct_id: NctId) -> tuple[NctId, ...]:
        """Return the ids that a trial has taken over, in order."""
        statement = (
            select(TRIALS.c.nct_id).where(TRIALS.c.moved_to == nct_id).order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(old) for old in connection.scalars(statement))


@cache
def _version_number() -> Any:
    """Return the rank of a snapshot within its trial, from 1, as a column."""
    older = SNAPSHOTS.alias("older")
    return (
        select(func.count())
        .select_from(older)
        .where(older.c.nct_id == SNAPSHOTS.c.nct_id, older.c.position <= SNAPSHOTS.c.position)
        .scalar_subquery()
    )


def _head(row: Row[Any]) -> Head:
    return Head(
        nct_id=NctId(row.nct_id),
        snapshot_id=row.id,
        version=row.version,
        digest=row.digest,
        state=State(row.state),
        absent_since=row.absent_since,
        moved_to=None if row.moved_to is None else NctId(row.moved_to),
        source=Source(row.source),
    )


@dataclass(frozen=True, slots=True)
class NewHead:
    """The snapshot that becomes the head of a trial. `raw_mark` is as in HeadState."""

    nct_id: NctId
    snapshot_id: int
    state: State
    raw_mark: bytes | None


class TrialWrites(Writes):
    """Writes trials."""

    def add(self, nct_id: NctId) -> None:
        """Make sure that a trial has a row."""
        self.insert(("nct_id",), [(nct_id,)])

    def insert(self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> int:
        """Insert trials that have no row yet, and return their number."""
        return insert_rows(self._connection, TRIALS, columns, rows, unless_there=True)

    def lock(self, nct_id: NctId) -> int | None:
        """Lock a trial against other writers until the commit. Return its head's id."""
        head_id: int | None = self._connection.scalar(
            select(TRIALS.c.head_snapshot_id).where(TRIALS.c.nct_id == nct_id).with_for_update()
        )
        return head_id

    def move_head(
        self,
        nct_id: NctId,
        snapshot_id: int,
        *,
        state: State,
        run_id: int | None,
        load: datetime | None,
    ) -> None:
        """Make a snapshot from `load` the head of its trial."""
        values = _head_values(state, run_id=run_id, load=load) | {"head_snapshot_id": snapshot_id}
        self._connection.execute(update(TRIALS).where(TRIALS.c.nct_id == nct_id).values(values))

    def move_heads(
        self, heads: Sequence[NewHead], *, run_id: int | None, load: datetime | None
    ) -> None:
        """Make snapshots the heads of their trials, one statement per state, and set raw marks."""
        for state in State:
            rows = [
                {"trial": one.nct_id, "head": one.snapshot_id, "mark": one.raw_mark}
                for one in heads
                if one.state is state
            ]
            if rows:
                values = _head_values(state, run_id=run_id, load=load) | {
                    "head_snapshot_id": bindparam("head"),
                    "raw_mark": bindparam("mark"),
                }
                move = update(TRIALS).where(TRIALS.c.nct_id == bindparam("trial"))
                self._connection.execute(move.values(values), rows)

    def set_columns(self, nct_id: NctId, values: Mapping[str, Any]) -> None:
        """Set columns of a trial's row."""
        self._connection.execute(
            update(TRIALS).where(TRIALS.c.nct_id == nct_id).values(dict(values))
        )

    def mark_seen(self, ids: Sequence[NctId], *, run_id: int | None, load: datetime | None) -> None:
        """Record that a load contained these trials as they are stored, and end their absence."""
        seen = {"last_seen_run_id": run_id, "last_seen_load": load, "absent_since": None}
        for batch in batches(ids):
            self._connection.execute(update(TRIALS).where(TRIALS.c.nct_id.in_(batch)).values(seen))

    def mark_absent(self, nct_id: NctId, load: datetime) -> None:
        """Record the first load without a trial. Later loads do not change it."""
        self.add(nct_id)
        self._connection.execute(
            update(TRIALS)
            .where(TRIALS.c.nct_id == nct_id, TRIALS.c.absent_since.is_(None))
            .values(absent_since=load)
        )

    def mark_moved(self, nct_id: NctId, to: NctId) -> None:
        """Record which trial took over this id."""
        self.add(nct_id)
        self.set_columns(nct_id, {"moved_to": to})


def _head_values(state: State, *, run_id: int | None, load: datetime | None) -> dict[str, Any]:
    """Return the columns of a trial's row that a new head changes, except the head itself."""
    values: dict[str, Any] = {"state": state, "absent_since": None}
    if state is State.PRESENT:
        values |= {"last_seen_run_id": run_id, "last_seen_load": load}
    if state is not State.MOVED:
        values["moved_to"] = None
    return values
