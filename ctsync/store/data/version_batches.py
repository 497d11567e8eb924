"""Stores the next versions of many trials, with their events, in a few statements per batch.

Does the same as `unit.versions.add` and `unit.events.add` for one trial, with the same identities
and errors. The statements to store the first versions of 600,000 trials one by one would take half
an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from ctsync.errors import StoreConflict
from ctsync.model import Event, KeyFields, Kind, NctId, Prepared, Record, Source, State
from ctsync.store.bodies.writer import BodyRow, BodyWrites, body_row
from ctsync.store.data.events import (
    EVENT_COLUMNS,
    EventWrites,
    event_columns,
    happened_at,
    path_key,
)
from ctsync.store.data.trials import NewHead, TrialWrites
from ctsync.store.data.versions import KEY_COLUMNS, POSITION_STEP, VersionWrites, key_values
from ctsync.store.database.access import Writes, batches
from ctsync.store.database.tables import SNAPSHOTS, TRIALS

_TRIAL_COLUMNS = (
    "nct_id", "head_snapshot_id", "state", "last_seen_run_id", "last_seen_load", "raw_mark",
    "history_attempts",
)  # fmt: skip
_SNAPSHOT_COLUMNS = (
    "id", "nct_id", "position", "state", "digest", "source", "posted", "submitted", "observed",
    "fetched", "run_id", *KEY_COLUMNS.values(),
)  # fmt: skip
_STEP_COLUMNS = (
    "run_id", "observed", "rules_version", "nct_id", "from_snapshot_id", "to_snapshot_id",
    "posted", "fetched", "happened", "path_key",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewBody:
    """A record to be stored: its canonical bytes, or those bytes packed as a keyframe.

    `mark` is the hash of the archive's bytes that the record was made from.
    """

    digest: str
    raw_size: int
    canonical: bytes | None = None
    keyframe: bytes | None = None
    mark: bytes | None = None

    @classmethod
    def of(cls, record: Record | Prepared) -> NewBody:
        """Return the body of a record."""
        if isinstance(record, Record):
            return cls(record.digest, len(record.canonical), canonical=record.canonical)
        digest, size = record.digest, record.raw_size
        return cls(digest, size, keyframe=record.keyframe, mark=record.mark)


@dataclass(frozen=True, slots=True)
class NewStep:
    """A version to be stored after the snapshot `after`, and the events that lead to it.

    `body` is None if the trial was gone or moved.
    """

    nct_id: NctId
    after: int | None
    state: State
    body: NewBody | None
    key: KeyFields
    events: Sequence[Event]
    fetched: datetime

    @property
    def digest(self) -> str | None:
        """The digest of its body."""
        return None if self.body is None else self.body.digest


@dataclass(frozen=True, slots=True)
class _Head:
    id: int | None = None
    position: int = 0
    digest: str | None = None
    state: str | None = None

    def is_already(self, step: NewStep) -> bool:
        return self.id is not None and (self.digest, self.state) == (step.digest, step.state)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The values that the rows of one batch share. `ids` holds a free snapshot id per trial."""

    ids: Mapping[NctId, int]
    run_id: int | None
    observed: datetime | None
    rules_version: int | None
    source: Source


class BatchWrites(Writes):
    """Writes the next versions of many trials."""

    def __init__(
        self,
        connection: Connection,
        *,
        trials: TrialWrites,
        bodies: BodyWrites,
        versions: VersionWrites,
        events: EventWrites,
    ) -> None:
        super().__init__(connection)
        self._trials = trials
        self._bodies = bodies
        self._versions = versions
        self._events = events

    def add(
        self,
        steps: Sequence[NewStep],
        *,
        run_id: int | None,
        observed: datetime | None,
        rules_version: int | None,
        source: Source = Source.LIVE,
    ) -> dict[NctId, int]:
        """Store each version as the new head of its trial, with its events. Return snapshot ids.

        Skips a step that is already stored, because a unit is repeated if the answer to its commit
        was lost. Raises StoreConflict if a head is not the snapshot that the caller read, and
        ValueError for two steps of one trial or two events of a step with the same path.
        """
        if len({step.nct_id for step in steps}) < len(steps):
            raise ValueError("two steps of one trial in one batch")
        found: dict[NctId, int] = {}
        for some in batches(steps):
            trials = [step.nct_id for step in some]
            ids = dict(zip(trials, self._versions.next_ids(len(trials)), strict=True))
            shared = _Batch(ids, run_id, observed, rules_version, source)
            found |= self._add_batch(some, shared)
        return found

    def _add_batch(self, steps: Sequence[NewStep], shared: _Batch) -> dict[NctId, int]:
        """Store at most BATCH steps.

        1. Lock the trials that have a row, and read their heads.
        2. Insert the other trials with the heads that they will have.
        3. Leave out the steps that are already stored.
        4. Insert the bodies, versions and events of the others, in this order, because rows
           reference earlier ones. Move the heads of the trials that had a row.
        """
        heads = self._heads_for_update(list(shared.ids))
        unknown = [step for step in steps if step.nct_id not in heads]
        if self._add_trials(unknown, shared) < len(unknown):
            # another writer has inserted some of them since step 1
            heads |= self._heads_for_update([step.nct_id for step in unknown])
        found, new = _sorted_out(steps, heads, shared.ids)
        if new:
            new_steps = [step for step, _ in new]
            self._add_bodies(new_steps)
            self._add_snapshots(new, shared)
            self._move_heads([step for step in new_steps if step.nct_id in heads], shared)
            self._add_events(new_steps, shared)
        return found

    def _heads_for_update(self, ids: Sequence[NctId]) -> dict[NctId, _Head]:
        """Lock the trials that have a row, and return their heads, empty without a version."""
        # two statements, as for one head; in the order of ids, so that two writers cannot
        # deadlock
        trials = (
            select(TRIALS.c.nct_id, TRIALS.c.head_snapshot_id)
            .where(TRIALS.c.nct_id.in_(ids))
            .order_by(TRIALS.c.nct_id)
            .with_for_update()
        )
        head_ids = {
            NctId(row.nct_id): row.head_snapshot_id for row in self._connection.execute(trials)
        }
        heads = dict.fromkeys(head_ids, _Head())
        wanted = [head_id for head_id in head_ids.values() if head_id is not None]
        if not wanted:
            return heads
        stored = select(
            SNAPSHOTS.c.id,
            SNAPSHOTS.c.nct_id,
            SNAPSHOTS.c.position,
            SNAPSHOTS.c.digest,
            SNAPSHOTS.c.state,
        ).where(SNAPSHOTS.c.id.in_(wanted))
        for row in self._connection.execute(stored):
            heads[NctId(row.nct_id)] = _Head(row.id, row.position, row.digest, row.state)
        return heads

    def _add_trials(self, steps: Sequence[NewStep], shared: _Batch) -> int:
        """Insert trials with the heads that they will have. Return the number inserted."""
        rows = []
        for step in steps:
            is_present = step.state is State.PRESENT
            seen = (shared.run_id, shared.observed) if is_present else (None, None)
            mark = None if step.body is None else step.body.mark
            rows.append((step.nct_id, shared.ids[step.nct_id], step.state.value, *seen, mark, 0))
        return self._trials.insert(_TRIAL_COLUMNS, rows)

    def _add_bodies(self, steps: Sequence[NewStep]) -> None:
        wanted = {step.digest: step for step in steps if step.body is not None}
        # packing a body that is already stored takes longer than this query
        unpacked = [s.body.digest for s in wanted.values() if s.body and s.body.keyframe is None]
        for digest in self._bodies.stored(unpacked) if unpacked else ():
            del wanted[digest]
        self._bodies.insert([self._body_row(step) for step in wanted.values()])

    def _body_row(self, step: NewStep) -> BodyRow:
        body = step.body
        assert body is not None  # noqa: S101 - for mypy: _add_bodies looked
        if body.canonical is None:
            assert body.keyframe is not None  # noqa: S101 - for mypy: a NewBody has one of them
            return body_row(body.digest, body.raw_size, body.keyframe)
        older = None if step.after is None else self._versions.newest_digest(step.nct_id)
        return self._bodies.pack(body.digest, body.canonical, beside=older)

    def _add_snapshots(self, new: Sequence[tuple[NewStep, int]], shared: _Batch) -> None:
        # plain str values: for each value of a str subclass SQLite's driver looks for an adapter
        rows = [
            (
                shared.ids[step.nct_id], step.nct_id, position, step.state.value, step.digest,
                shared.source.value, step.key.posted, step.key.submitted, shared.observed,
                step.fetched, shared.run_id, *key_values(step.key),
            )
            for step, position in new
        ]  # fmt: skip
        self._versions.insert(_SNAPSHOT_COLUMNS, rows)

    def _move_heads(self, steps: Sequence[NewStep], shared: _Batch) -> None:
        heads = [
            NewHead(
                step.nct_id,
                shared.ids[step.nct_id],
                step.state,
                None if step.body is None else step.body.mark,
            )
            for step in steps
        ]
        self._trials.move_heads(heads, run_id=shared.run_id, load=shared.observed)

    def _add_events(self, steps: Sequence[NewStep], shared: _Batch) -> None:
        rows: list[tuple[Any, ...]] = []
        for step in steps:
            keys = {path_key(event.path): event for event in step.events}
            if len(keys) < len(step.events):
                raise ValueError(f"{step.nct_id}: two events of one step have the same path")
            posted, own = step.key.posted, shared.ids[step.nct_id]
            shared_place = (shared.run_id, shared.observed, shared.rules_version, step.nct_id)
            times = (posted, step.fetched, happened_at(shared.observed, posted, step.fetched))
            for key, event in keys.items():
                # a flag belongs to the version itself
                older = own if event.kind is Kind.FLAG else step.after
                values = event_columns(event).values()
                rows.append((*values, *shared_place, older, own, *times, key))
        self._events.insert((*EVENT_COLUMNS, *_STEP_COLUMNS), rows)


def _sorted_out(
    steps: Sequence[NewStep], heads: Mapping[NctId, _Head], ids: Mapping[NctId, int]
) -> tuple[dict[NctId, int], list[tuple[NewStep, int]]]:
    """Return the snapshot id of every step, and the steps not stored yet with their positions.

    Raises StoreConflict if a head is not the snapshot in its step's `after`.
    """
    found: dict[NctId, int] = {}
    new: list[tuple[NewStep, int]] = []
    for step in steps:
        head = heads.get(step.nct_id, _Head())
        if head.is_already(step):
            found[step.nct_id] = head.id or 0
        elif head.id != step.after:
            raise StoreConflict(f"{step.nct_id} was changed by another writer; run again")
        else:
            new.append((step, head.position + POSITION_STEP))
            found[step.nct_id] = ids[step.nct_id]
    return found, new
