"""Many trials' next versions at once, with their events: a few statements for a whole batch.

What `add_version` and `add_events` do for one trial, with the same identities and the same
refusals. First versions of 600,000 trials one by one would take half an hour of statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, func, select, text, update

from ctsync.errors import StoreConflict
from ctsync.model import Event, KeyFields, NctId, Source, State
from ctsync.store.bodies import codec
from ctsync.store.bodies.page_order import fill_pages
from ctsync.store.data.events import EVENT_COLUMNS, event_columns, happened_at, path_key
from ctsync.store.data.versions import KEY_COLUMNS, POSITION_STEP, VersionWrites, newest_body
from ctsync.store.database.access import Writes, batches
from ctsync.store.database.tables import BODIES, EVENTS, SNAPSHOTS, TRIALS

_TRIAL_COLUMNS = (
    "nct_id", "head_snapshot_id", "state", "last_seen_run_id", "last_seen_load", "raw_mark",
    "history_attempts",
)  # fmt: skip
_BODY_COLUMNS = ("digest", "raw_size", "encoding", "base_digest", "depth", "data")
_SNAPSHOT_COLUMNS = (
    "id", "nct_id", "position", "state", "digest", "source", "posted", "submitted", "observed",
    "fetched", "run_id", *KEY_COLUMNS.values(),
)  # fmt: skip
_PLACE_COLUMNS = (
    "nct_id", "from_snapshot_id", "to_snapshot_id", "posted", "fetched", "happened", "path_key",
)  # fmt: skip
_DIGEST_BYTES = 33
_BODY_BYTES = _DIGEST_BYTES + 22
"""What a body's row takes in SQLite beside the packed record, its header included."""

_key_values = attrgetter(*KEY_COLUMNS)

_NEXT_IDS = text(
    "SELECT nextval(pg_get_serial_sequence('snapshots', 'id')) FROM generate_series(1, :count)"
)


@dataclass(frozen=True, slots=True)
class NewBody:
    """A record to be stored: its canonical bytes, or what those are when packed alone.

    `mark` names the bytes of an archive that it was made from.
    """

    digest: str
    raw_size: int
    canonical: bytes | None = None
    keyframe: bytes | None = None
    mark: bytes | None = None


@dataclass(frozen=True, slots=True)
class NewStep:
    """A version to be stored after the snapshot `after`, and the events that lead to it.

    `body` is None for one that says the trial was gone or moved.
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
        """The name of its body."""
        return None if self.body is None else self.body.digest


@dataclass(frozen=True, slots=True)
class _Head:
    id: int | None = None
    position: int = 0
    digest: str | None = None
    state: str | None = None

    def is_already(self, step: NewStep) -> bool:
        return self.id is not None and (self.digest, self.state) == (step.digest, step.state)


class StepWrites(VersionWrites, Writes):
    """What a unit does to many trials at once."""

    def add_steps(
        self,
        steps: Sequence[NewStep],
        *,
        run_id: int | None,
        observed: datetime | None,
        rules_version: int | None,
        source: Source = Source.LIVE,
    ) -> dict[NctId, int]:
        """Store each version as the new head of its trial, with its events; their snapshot ids.

        A step that is stored already, as in a unit repeated after a commit whose answer was
        lost, is left as it is. Raises StoreConflict where a head is any other than the caller
        took it for, ValueError for two steps of one trial or two events of one path.
        """
        if len({step.nct_id for step in steps}) < len(steps):
            raise ValueError("two steps of one trial in one batch")
        found: dict[NctId, int] = {}
        for batch in batches(steps):
            ids = self._ids_to_come([step.nct_id for step in batch])
            heads = self._heads_for_update(list(ids))
            unheard = [step for step in batch if step.nct_id not in heads]
            if self._add_trials(unheard, ids, run_id=run_id, load=observed) < len(unheard):
                # a rival was first to store some of them
                heads |= self._heads_for_update([step.nct_id for step in unheard])
            new = []
            for step in batch:
                head = heads.get(step.nct_id, _Head())
                if head.is_already(step):
                    found[step.nct_id] = head.id or 0
                elif head.id != step.after:
                    raise StoreConflict(f"{step.nct_id} was changed by another writer; run again")
                else:
                    new.append((step, head.position + POSITION_STEP))
                    found[step.nct_id] = ids[step.nct_id]
            self._add_bodies([step for step, _ in new])
            self._add_snapshots(new, ids, run_id=run_id, observed=observed, source=source)
            moved = [step for step, _ in new if step.nct_id in heads]
            self._move_heads(moved, ids, run_id=run_id, load=observed)
            self._add_step_events(
                [step for step, _ in new],
                ids,
                {"run_id": run_id, "observed": observed, "rules_version": rules_version},
            )
        return found

    def events_of_steps(self, snapshot_ids: Iterable[int]) -> dict[int, dict[bytes, int]]:
        """The events that lead to each snapshot: their ids by `path_key`."""
        found: dict[int, dict[bytes, int]] = {}
        for batch in batches(list(snapshot_ids)):
            statement = select(EVENTS.c.to_snapshot_id, EVENTS.c.path_key, EVENTS.c.id).where(
                EVENTS.c.to_snapshot_id.in_(batch)
            )
            for row in self._connection.execute(statement):
                found.setdefault(row.to_snapshot_id, {})[bytes(row.path_key)] = row.id
        return found

    def _ids_to_come(self, trials: Sequence[NctId]) -> dict[NctId, int]:
        """An id for a snapshot of each trial, in their order; one that is not used stays free."""
        if self._connection.dialect.name == "postgresql":
            numbers = self._connection.scalars(_NEXT_IDS, {"count": len(trials)}).all()
            return dict(zip(trials, numbers, strict=True))
        # as SQLite itself numbers rows, and there is no other writer until the commit
        last = self._connection.scalar(select(func.max(SNAPSHOTS.c.id))) or 0
        return {nct_id: last + at for at, nct_id in enumerate(trials, start=1)}

    def _heads_for_update(self, ids: Sequence[NctId]) -> dict[NctId, _Head]:
        """The heads of the trials that are known, of which there may be nothing stored yet."""
        # two statements, as for one head; in the order of ids, so that two writers cannot
        # wait for each other
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

    def _add_trials(
        self,
        steps: Sequence[NewStep],
        ids: Mapping[NctId, int],
        *,
        run_id: int | None,
        load: datetime | None,
    ) -> int:
        """Add trials that are not known, with the heads they are to have; how many were not."""
        rows = []
        for step in steps:
            seen = (run_id, load) if step.state is State.PRESENT else (None, None)
            mark = None if step.body is None else step.body.mark
            rows.append((step.nct_id, ids[step.nct_id], step.state.value, *seen, mark, 0))
        return self._insert_rows(TRIALS, _TRIAL_COLUMNS, rows, unless_there=True)

    def _add_bodies(self, steps: Sequence[NewStep]) -> None:
        wanted = {step.digest: step for step in steps if step.body is not None}
        # packing one that is there already would take longer than asking for it
        unpacked = [s.digest for s in wanted.values() if s.body and s.body.keyframe is None]
        if unpacked:
            stored = select(BODIES.c.digest).where(BODIES.c.digest.in_(unpacked))
            for digest in self._connection.scalars(stored).all():
                del wanted[digest]
        # always in one order, so that two writers cannot wait for each other
        rows = sorted(self._body_row(s.nct_id, s.after, s.body) for s in wanted.values())
        if self._connection.dialect.name == "sqlite":
            rows = [rows[index] for index in fill_pages([_payload_of(row) for row in rows])]
        self._insert_rows(BODIES, _BODY_COLUMNS, rows, unless_there=True)

    def _body_row(
        self, nct_id: NctId, after: int | None, body: NewBody | None
    ) -> tuple[str | int | bytes | None, ...]:
        assert body is not None  # noqa: S101 - for mypy: _add_bodies looked
        base_digest, depth, base = None, 0, None
        data = body.keyframe
        if body.canonical is not None:
            codec.verify(body.canonical, body.digest)
            if after is not None:
                newest = self._connection.scalar(newest_body(nct_id))
                base_digest, depth, base = self._base_of(newest)
            data = codec.pack(body.canonical, base, dictionary=self._dictionary(base))
        encoding = "keyframe" if base is None else "delta"
        return body.digest, body.raw_size, encoding, base_digest, depth, data

    def _add_snapshots(
        self,
        new: Sequence[tuple[NewStep, int]],
        ids: Mapping[NctId, int],
        *,
        run_id: int | None,
        observed: datetime | None,
        source: Source,
    ) -> None:
        # plain texts: SQLite's driver looks for an adapter for each that is of a class of ours
        rows = [
            (
                ids[step.nct_id], step.nct_id, position, step.state.value, step.digest,
                source.value, step.key.posted, step.key.submitted, observed, step.fetched, run_id,
                *_key_values(step.key),
            )
            for step, position in new
        ]  # fmt: skip
        self._insert_rows(SNAPSHOTS, _SNAPSHOT_COLUMNS, rows)

    def _move_heads(
        self,
        steps: Sequence[NewStep],
        ids: Mapping[NctId, int],
        *,
        run_id: int | None,
        load: datetime | None,
    ) -> None:
        for state in State:
            rows = [
                {
                    "trial": step.nct_id,
                    "head": ids[step.nct_id],
                    "mark": None if step.body is None else step.body.mark,
                }
                for step in steps
                if step.state is state
            ]
            if rows:
                values = {
                    **self._values_of_head(state, run_id=run_id, load=load),
                    "head_snapshot_id": bindparam("head"),
                    "raw_mark": bindparam("mark"),
                }
                move = update(TRIALS).where(TRIALS.c.nct_id == bindparam("trial"))
                self._connection.execute(move.values(values), rows)

    def _add_step_events(
        self, steps: Sequence[NewStep], ids: Mapping[NctId, int], shared: Mapping[str, Any]
    ) -> None:
        rows: list[tuple[Any, ...]] = []
        for step in steps:
            keys = {path_key(event.path): event for event in step.events}
            if len(keys) < len(step.events):
                raise ValueError(f"{step.nct_id}: two events of one step have the same path")
            posted = step.key.posted
            place = (
                *shared.values(), step.nct_id, step.after, ids[step.nct_id], posted, step.fetched,
                happened_at(shared["observed"], posted, step.fetched),
            )  # fmt: skip
            rows += [(*event_columns(one).values(), *place, key) for key, one in keys.items()]
        columns = (*EVENT_COLUMNS, *shared, *_PLACE_COLUMNS)
        self._insert_rows(EVENTS, columns, rows)


def _payload_of(row: Sequence[Any]) -> int:
    """About how many bytes a body's row takes in SQLite."""
    _digest, _raw_size, _encoding, base_digest, _depth, data = row
    return len(data) + _BODY_BYTES + (_DIGEST_BYTES if base_digest else 0)
