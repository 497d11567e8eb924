"""The registry's own history: the progress of fetching it, and inserts of older versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select, update

from ctsync.dates import CLOCK_TOLERANCE, is_ahead
from ctsync.errors import StoreConflict
from ctsync.model import KeyFields, NctId, Record, Source, State
from ctsync.store.bodies.writer import BodyWrites
from ctsync.store.data.failures import LONGEST_RETRY
from ctsync.store.data.trials import TrialWrites
from ctsync.store.data.versions import POSITION_STEP, VersionWrites, key_columns
from ctsync.store.database.access import Reads, Writes, batches
from ctsync.store.database.tables import SNAPSHOTS, TRIALS

COMPLETE = "complete"
PARTIAL = "partial"
NONE = "none"
UNAVAILABLE = "unavailable"
LISTED = "listed"

_FAR = 2**60
"""Larger than any position in use."""


@dataclass(frozen=True, slots=True)
class HistoryState:
    """The progress of fetching the registry's own history of a trial.

    `state` is "complete", "partial", "listed" if only some versions were wanted, "none" if the
    registry has no history of it, or "unavailable (why)". `listed` is the number of versions in its
    index, as last read. `asked` is the time of the last request. `retry` is the time of the next
    request, or None.
    """

    nct_id: NctId
    state: str
    listed: int | None
    asked: datetime
    attempts: int
    retry: datetime | None

    def next_try(self, now: datetime) -> datetime | None:
        """Return when to ask again: `now` if a wrong clock wrote the times. None for never."""
        if self.retry is None:
            return None
        is_wrong = is_ahead(self.asked, now) or is_ahead(self.retry, now + LONGEST_RETRY)
        return now if is_wrong else self.retry


@dataclass(frozen=True, slots=True)
class UnfinishedHistory:
    """What is left to fetch of a trial's history.

    `index` is the index whose versions are being fetched, or None. `labels` are the modules whose
    versions are wanted, None for every version. `retry` is the time of the next request, or None.
    """

    index: list[Any] | None = None
    labels: tuple[str, ...] | None = None
    retry: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryVersion:
    """One version of the registry's history, ready to be stored.

    `key` and its `posted` are read from the record. `submitted` is the date in the index.
    """

    number: int
    record: Record
    key: KeyFields
    submitted: str
    fetched: datetime


class HistoryReads(Reads):
    """Reads the progress of fetching histories."""

    def states(self, ids: Iterable[NctId] | None = None) -> dict[NctId, HistoryState]:
        """Return the state of each trial whose history was requested, only of `ids` if given.

        In order of ids, at least within each batch of `ids`.
        """
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

    def due(self, now: datetime, *, limit: int) -> tuple[NctId, ...]:
        """Return the trials whose history must be requested now, in order of due time.

        A history is also due if its last request is in the future, or its next one is further ahead
        than the longest wait.
        """
        ahead = now + CLOCK_TOLERANCE
        is_due = or_(
            TRIALS.c.history_retry <= now,
            TRIALS.c.history_retry > ahead + LONGEST_RETRY,
            TRIALS.c.history_asked > ahead,
        )
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.history_retry.is_not(None), is_due)
            .order_by(TRIALS.c.history_retry, TRIALS.c.nct_id)
            .limit(limit)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def unfinished(self, nct_id: NctId) -> UnfinishedHistory:
        """Return what is left to fetch of a trial's history; empty if it was never requested."""
        columns = (TRIALS.c.history_index, TRIALS.c.history_labels, TRIALS.c.history_retry)
        statement = select(*columns).where(TRIALS.c.nct_id == nct_id)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return UnfinishedHistory()
        labels = row.history_labels
        return UnfinishedHistory(
            row.history_index, None if labels is None else tuple(labels), row.history_retry
        )


def _state(row: Row[Any]) -> HistoryState:
    return HistoryState(
        nct_id=NctId(row.nct_id),
        state=row.history_state,
        listed=row.history_listed,
        asked=row.history_asked,
        attempts=row.history_attempts,
        retry=row.history_retry,
    )


class HistoryWrites(Writes):
    """Writes versions of the registry's history, and the progress of fetching it."""

    def __init__(
        self,
        connection: Connection,
        *,
        trials: TrialWrites,
        bodies: BodyWrites,
        versions: VersionWrites,
    ) -> None:
        super().__init__(connection)
        self._trials = trials
        self._bodies = bodies
        self._versions = versions

    def set_state(
        self,
        nct_id: NctId,
        state: str,
        *,
        asked: datetime,
        listed: int | None = None,
        index: Sequence[Any] | None = None,
        labels: Sequence[str] | None = None,
        retry: datetime | None = None,
        failed: bool = False,
    ) -> None:
        """Record how far a trial's history was fetched, and when to request it again.

        `listed=None` keeps the previous number. `index` is stored until the next call without it.
        `labels` are the modules whose versions are wanted, None for every version.
        `failed` adds one consecutive failure; otherwise their number is reset to 0.
        """
        self._trials.add(nct_id)
        values: dict[str, Any] = {
            "history_state": state,
            "history_asked": asked,
            "history_retry": retry,
            "history_index": None if index is None else list(index),
            "history_labels": None if labels is None else list(labels),
            "history_attempts": TRIALS.c.history_attempts + 1 if failed else 0,
        }
        if listed is not None:
            values["history_listed"] = listed
        self._trials.set_columns(nct_id, values)

    def queue(
        self, ids: Iterable[NctId], *, at: datetime, labels: Sequence[str] | None = None
    ) -> None:
        """Schedule the first request for the histories of trials, due at `at`.

        `labels` are as in `set_state`. A trial whose history was requested before is not changed.
        """
        for nct_id in ids:
            self._trials.add(nct_id)
            self._connection.execute(
                update(TRIALS)
                .where(TRIALS.c.nct_id == nct_id, TRIALS.c.history_state.is_(None))
                .values(history_retry=at, history_labels=None if labels is None else list(labels))
            )

    def insert(
        self,
        nct_id: NctId,
        version: HistoryVersion,
        *,
        before: int | None,
        room: int,
        run_id: int | None,
    ) -> tuple[int, bool]:
        """Store a version before the snapshot `before`, or as the new head if that is None.

        Returns its snapshot id and whether it is new. A version whose number is already stored is
        not changed. `room` is the number of versions, including this one, that may still be
        inserted in this place. Raises StoreConflict if `before` does not exist.
        """
        self._trials.add(nct_id)
        self._trials.lock(nct_id)
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
        self._bodies.add(version.record, beside=None if beside is None else beside.digest)
        snapshot_id = self._versions.insert_one(
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
            }
            | key_columns(version.key)
        )
        if above is None:
            head = {"head_snapshot_id": snapshot_id, "state": State.PRESENT}
            self._trials.set_columns(nct_id, head)
        return snapshot_id, True

    def link(self, snapshot_id: int, *, number: int, submitted: str) -> bool:
        """Record that a version seen live is the registry's version `number`. Keeps its body.

        Returns whether that was not recorded before.
        """
        statement = (
            update(SNAPSHOTS)
            .where(SNAPSHOTS.c.id == snapshot_id, SNAPSHOTS.c.registry_version.is_(None))
            .values(source=Source.BOTH, registry_version=number, submitted=submitted)
        )
        return self._connection.execute(statement).rowcount > 0

    def confirm(
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
        """Record that a load contains the head, which came from the history.

        Returns the snapshot before it. The body from the load replaces the body from the history.
        Raises StoreConflict if the head is another snapshot.
        """
        self._trials.lock(nct_id)
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
        self._bodies.add(record, beside=None if below is None else below.digest)
        seen = {
            "source": Source.BOTH,
            "digest": record.digest,
            "observed": observed,
            "fetched": fetched,
        }
        self._connection.execute(
            update(SNAPSHOTS).where(SNAPSHOTS.c.id == head).values(seen | key_columns(key))
        )
        self._bodies.drop_unused(row.digest)
        self._trials.move_head(nct_id, head, state=State.PRESENT, run_id=run_id, load=observed)
        return before

    def _neighbours(
        self, nct_id: NctId, before: int | None
    ) -> tuple[Row[Any] | None, Row[Any] | None]:
        """Return the snapshot preceding `before`, or the newest if it is None, and `before`."""
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
        """Space all versions of a trial POSITION_STEP apart, in their order."""
        ids = self._connection.scalars(
            select(SNAPSHOTS.c.id)
            .where(SNAPSHOTS.c.nct_id == nct_id)
            .order_by(SNAPSHOTS.c.position)
        ).all()
        # to unused positions first: two versions must never share a position
        for start, step in ((_FAR, 1), (POSITION_STEP, POSITION_STEP)):
            for rank, snapshot_id in enumerate(ids):
                self._connection.execute(
                    update(SNAPSHOTS)
                    .where(SNAPSHOTS.c.id == snapshot_id)
                    .values(position=start + rank * step)
                )


def _between(below: Row[Any] | None, above: Row[Any] | None, room: int) -> int | None:
    """Return a position between two rows with space for `room` - 1 more, or None."""
    if above is None:
        return POSITION_STEP if below is None else int(below.position) + POSITION_STEP
    if below is None:
        return int(above.position) - POSITION_STEP * room
    position = below.position + (above.position - below.position) // (room + 1)
    return int(position) if below.position < position < above.position else None
