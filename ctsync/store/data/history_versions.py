"""The registry's own history beside what was seen live: older versions put in their place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, exists, insert, select, update

from ctsync.errors import StoreConflict
from ctsync.model import KeyFields, NctId, Record, Source, State
from ctsync.store.data.versions import KEY_COLUMNS, POSITION_STEP, VersionWrites
from ctsync.store.database.access import Reads, batches
from ctsync.store.database.tables import BODIES, SNAPSHOTS, TRIALS

COMPLETE = "complete"
PARTIAL = "partial"
NONE = "none"
UNAVAILABLE = "unavailable"

_FAR = 2**60  # no position in use is as large


@dataclass(frozen=True, slots=True)
class HistoryState:
    """How far the registry's own history of a trial was fetched.

    `state` is "complete", "partial", "none" where the registry keeps no history of it, or
    "unavailable (why)". `listed` is how many versions its index named when it was last read, in
    `asked`; `retry` is when it is to be asked for again, None where it need not be.
    """

    nct_id: NctId
    state: str
    listed: int | None
    asked: datetime
    attempts: int
    retry: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryVersion:
    """One version of the registry's history, ready to be stored.

    `key` and `posted` are read from the record; `submitted` is its date in the index.
    """

    number: int
    record: Record
    key: KeyFields
    submitted: str
    fetched: datetime


class HistoryReads(Reads):
    """What is stored of how far histories were fetched."""

    def histories(self, ids: Iterable[NctId] | None = None) -> dict[NctId, HistoryState]:
        """The state of each trial whose history was ever asked for; of all, or of `ids`."""
        statement = select(TRIALS).where(TRIALS.c.history_state.is_not(None))
        wanted = [None] if ids is None else list(batches(list(ids)))
        found: dict[NctId, HistoryState] = {}
        with self._reading() as connection:
            for batch in wanted:
                narrowed = (
                    statement if batch is None else statement.where(TRIALS.c.nct_id.in_(batch))
                )
                for row in connection.execute(narrowed.order_by(TRIALS.c.nct_id)):
                    found[NctId(row.nct_id)] = _state(row)
        return found

    def histories_due(self, now: datetime, *, limit: int) -> tuple[NctId, ...]:
        """The trials whose history is to be asked for again by `now`, longest due first."""
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.history_retry <= now)
            .order_by(TRIALS.c.history_retry, TRIALS.c.nct_id)
            .limit(limit)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def history_index(self, nct_id: NctId) -> list[Any] | None:
        """The index whose versions are being fetched; None where none was left unfinished."""
        statement = select(TRIALS.c.history_index).where(TRIALS.c.nct_id == nct_id)
        with self._reading() as connection:
            index: list[Any] | None = connection.scalar(statement)
        return index


def _state(row: Row[Any]) -> HistoryState:
    return HistoryState(
        nct_id=NctId(row.nct_id),
        state=row.history_state,
        listed=row.history_listed,
        asked=row.history_asked,
        attempts=row.history_attempts,
        retry=row.history_retry,
    )


class HistoryWrites(VersionWrites):
    """What a unit does to histories."""

    def note_history(
        self,
        nct_id: NctId,
        state: str,
        *,
        asked: datetime,
        listed: int | None = None,
        index: Sequence[Any] | None = None,
        retry: datetime | None = None,
        failed: bool = False,
    ) -> None:
        """Note how far a trial's history was fetched, and when to ask again.

        `listed` None leaves that as it was; `index` is kept until this is noted without it.
        Failures in a row are counted.
        """
        self._insert_new(TRIALS, [{"nct_id": nct_id}])
        values: dict[str, Any] = {
            "history_state": state,
            "history_asked": asked,
            "history_retry": retry,
            "history_index": None if index is None else list(index),
            "history_attempts": TRIALS.c.history_attempts + 1 if failed else 0,
        }
        if listed is not None:
            values["history_listed"] = listed
        self._connection.execute(update(TRIALS).where(TRIALS.c.nct_id == nct_id).values(values))

    def insert_version(
        self,
        nct_id: NctId,
        version: HistoryVersion,
        *,
        before: int | None,
        room: int,
        run_id: int | None,
    ) -> tuple[int, bool]:
        """Store a version ahead of the snapshot `before`, behind all where that is None.

        Gives its snapshot id and whether it is new: one whose number is stored already is left
        as it is. `room` says how many, this one included, may still come into the same place.
        Behind all, it is the new head. Raises StoreConflict where `before` is not there.
        """
        self._insert_new(TRIALS, [{"nct_id": nct_id}])
        self._lock(nct_id)
        stored = self._connection.scalar(
            select(SNAPSHOTS.c.id).where(
                SNAPSHOTS.c.nct_id == nct_id, SNAPSHOTS.c.registry_version == version.number
            )
        )
        if stored is not None:
            return stored, False
        below, above = self._neighbours(nct_id, before)
        position = _between(below, above, room)
        if position is None:
            self._make_room(nct_id)
            below, above = self._neighbours(nct_id, before)
            position = _between(below, above, 1) or 0
        beside = below or above
        self._add_body(version.record, None if beside is None else beside.digest)
        snapshot_id = self._connection.execute(
            insert(SNAPSHOTS).returning(SNAPSHOTS.c.id),
            {
                "nct_id": nct_id,
                "position": position,
                "state": State.PRESENT,
                "digest": version.record.digest,
                "source": Source.HISTORY,
                "registry_version": version.number,
                "posted": version.key.posted,
                "submitted": version.submitted,
                "observed": None,
                "fetched": version.fetched,
                "run_id": run_id,
                **{column: getattr(version.key, name) for name, column in KEY_COLUMNS.items()},
            },
        ).scalar_one()
        if above is None:
            self._connection.execute(
                update(TRIALS)
                .where(TRIALS.c.nct_id == nct_id)
                .values(head_snapshot_id=snapshot_id, state=State.PRESENT)
            )
        return snapshot_id, True

    def join_version(self, snapshot_id: int, *, number: int, submitted: str) -> bool:
        """Note that what was seen live is the registry's version `number`; its body stays.

        Whether that is new.
        """
        statement = (
            update(SNAPSHOTS)
            .where(SNAPSHOTS.c.id == snapshot_id, SNAPSHOTS.c.registry_version.is_(None))
            .values(source=Source.BOTH, registry_version=number, submitted=submitted)
        )
        return self._connection.execute(statement).rowcount > 0

    def confirm_version(
        self,
        nct_id: NctId,
        *,
        head: int,
        record: Record,
        key: KeyFields,
        observed: datetime,
        fetched: datetime,
        run_id: int | None,
    ) -> int | None:
        """Note that a load shows the head, which came from the history; its predecessor's id.

        From now on its body is the one seen live. Raises StoreConflict where the head is any
        other.
        """
        self._lock(nct_id)
        row = self._connection.execute(
            select(SNAPSHOTS)
            .join(TRIALS, TRIALS.c.head_snapshot_id == SNAPSHOTS.c.id)
            .where(TRIALS.c.nct_id == nct_id)
        ).one_or_none()
        if row is None or row.id != head:
            raise StoreConflict(f"{nct_id} was changed by another writer; run again")
        below, _ = self._neighbours(nct_id, head)
        before: int | None = None if below is None else below.id
        if row.source != Source.HISTORY:
            return before
        self._add_body(record, None if below is None else below.digest)
        values = {column: getattr(key, name) for name, column in KEY_COLUMNS.items()}
        self._connection.execute(
            update(SNAPSHOTS)
            .where(SNAPSHOTS.c.id == head)
            .values(
                source=Source.BOTH,
                digest=record.digest,
                observed=observed,
                fetched=fetched,
                **values,
            )
        )
        self._drop_unused(row.digest)
        self._move_head(nct_id, head, state=State.PRESENT, run_id=run_id, load=observed)
        return before

    def _lock(self, nct_id: NctId) -> None:
        self._connection.execute(
            select(TRIALS.c.nct_id).where(TRIALS.c.nct_id == nct_id).with_for_update()
        )

    def _neighbours(
        self, nct_id: NctId, before: int | None
    ) -> tuple[Row[Any] | None, Row[Any] | None]:
        """The last snapshot with a place below `before` (of all, where that is None), and it."""
        columns = (SNAPSHOTS.c.id, SNAPSHOTS.c.position, SNAPSHOTS.c.digest)
        place: Select[*tuple[Any, ...]] = select(*columns).where(SNAPSHOTS.c.nct_id == nct_id)
        above: Row[Any] | None = None
        if before is not None:
            above = self._connection.execute(place.where(SNAPSHOTS.c.id == before)).one_or_none()
            if above is None:
                raise StoreConflict(f"{nct_id} was changed by another writer; run again")
            place = place.where(SNAPSHOTS.c.position < above.position)
        below = place.order_by(SNAPSHOTS.c.position.desc()).limit(1)
        return self._connection.execute(below).one_or_none(), above

    def _make_room(self, nct_id: NctId) -> None:
        """Set the versions of a trial as far apart as new ones are; their order stays."""
        ids = self._connection.scalars(
            select(SNAPSHOTS.c.id)
            .where(SNAPSHOTS.c.nct_id == nct_id)
            .order_by(SNAPSHOTS.c.position)
        ).all()
        # by way of where none is: no two may share a position at any time
        for start, step in ((_FAR, 1), (POSITION_STEP, POSITION_STEP)):
            for rank, snapshot_id in enumerate(ids):
                self._connection.execute(
                    update(SNAPSHOTS)
                    .where(SNAPSHOTS.c.id == snapshot_id)
                    .values(position=start + rank * step)
                )

    def _drop_unused(self, digest: str) -> None:
        """Delete a body that no version points to and none leans on."""
        upon = BODIES.alias()
        self._connection.execute(
            delete(BODIES).where(
                BODIES.c.digest == digest,
                ~exists().where(SNAPSHOTS.c.digest == digest),
                ~exists().where(upon.c.base_digest == digest),
            )
        )


def _between(below: Row[Any] | None, above: Row[Any] | None, room: int) -> int | None:
    """A position between two, with place left for the others to come; None where there is none."""
    if above is None:
        return POSITION_STEP if below is None else int(below.position) + POSITION_STEP
    if below is None:
        return int(above.position) - POSITION_STEP * room
    position = below.position + (above.position - below.position) // (room + 1)
    return int(position) if below.position < position < above.position else None
