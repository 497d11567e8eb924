"""Batched writes of versions, events and deliveries, one transaction per batch.

Used for a sync of three trials and for a first load of 600,000. A batch is stored completely or not
at all. If one trial makes a batch fail, its trials are stored one by one and that trial is
quarantined. An interrupted run loses at most one batch, which the next run processes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from ctsync.dates import Clock
from ctsync.deliver.plan import plan
from ctsync.errors import BadRecord, Unstorable
from ctsync.model import Failed, NctId, Prepared, Record, State
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.route import Route
from ctsync.store.data.events import path_key
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.assessment.assessed_trial import AssessedTrial, PendingVersion
from ctsync.sync.decide import (
    Confirmed,
    Decision,
    First,
    Gone,
    Missing,
    NotChecked,
    Returned,
    Same,
    StillAway,
    StillUnknown,
)
from ctsync.sync.observations import PassObservations
from ctsync.sync.run_log import RunLogEntry
from ctsync.text import for_log

if TYPE_CHECKING:
    from ctsync.store.data.version_batches import NewBody, NewStep

log = logging.getLogger(__name__)

SEEN_BATCH = 500
LARGEST_BATCH_BYTES = 8 * 2**20
# raised for a record that no database can store or whose events clash; these include Unstorable
_REFUSALS = (ValueError, TypeError, OverflowError)
_Counter = Literal["new", "same", "changed", "gone"]


@dataclass(frozen=True, slots=True)
class _Found:
    """A finding that waits for its batch. `came_back_from` had taken its trial over until now.

    Holds no parsed record, unless the version continues the registry's history: the objects of a
    record take five times the memory of its bytes.
    """

    finding: PendingVersion
    body: NewBody | None
    counted_as: _Counter
    came_back_from: NctId | None
    fetched: datetime

    @classmethod
    def of(cls, decision: Decision, finding: PendingVersion, fetched: datetime) -> _Found:
        came_back_from = decision.head.moved_to if isinstance(decision, Returned) else None
        body = _body_of(finding.record)
        if finding.joining is None and isinstance(finding.record, Record):
            finding = replace(finding, record=None, before=None)
        return cls(finding, body, _counter_of(decision), came_back_from, fetched)

    @property
    def leaves_a_step(self) -> bool:
        is_empty = self.finding.head is None and self.body is None
        return self.finding.joining is None and not is_empty

    def step(self) -> NewStep:
        # a sync without changes stores no version
        from ctsync.store.data.version_batches import NewStep  # noqa: PLC0415 - see above

        finding = self.finding
        return NewStep(
            nct_id=finding.nct_id,
            after=finding.head.snapshot_id if finding.head else None,
            state=finding.state,
            body=self.body,
            key=finding.key,
            events=finding.events,
            fetched=self.fetched,
        )


@dataclass(slots=True, kw_only=True)
class BatchWriter:
    """Counts decisions and commits their results in batches.

    - `observed`: the load that the answers come from.
    - `marked`: None in a sync, which marks every trial as seen. A mirror passes a set: an unchanged
      trial is marked as seen only if it is in the set or its absence ends, because the scan's
      position records the trials seen. Trials quarantined during the run are added to the set.
    - `failed`, `unknown`, `missing`: as in SyncResult.
    """

    store: Store
    clock: Clock
    routes: Sequence[Route]
    entry: RunLogEntry
    observed: datetime
    sights: PassObservations
    marked: set[NctId] | None = None
    failed: list[Failed] = field(default_factory=list)
    unknown: list[NctId] = field(default_factory=list)
    missing: list[NctId] = field(default_factory=list)
    _own: Mapping[str, Thresholds] = field(default_factory=dict)
    _seen: list[NctId] = field(default_factory=list)
    _waiting: list[_Found] = field(default_factory=list)
    _bytes: int = 0

    def __post_init__(self) -> None:
        """Read the watches' own thresholds once for the run."""
        self._own = self.store.watches.own_thresholds()

    def take(self, examined: AssessedTrial) -> None:
        """Process one decision; its finding is committed with its batch.

        1. Quarantine a failed answer or record an absence, each in its own transaction, and return.
           An id that is still unknown needs no action.
        2. If the trial is still taken over, let its watches follow its successor. Count any other
           decision.
        3. Return if the trial is unchanged and need not be marked as seen.
        4. Add the finding, if any, to the batch, and mark the trial as seen with it.
        5. Flush the batch at SEEN_BATCH trials or LARGEST_BATCH_BYTES.
        """
        asked, decision = examined.asked, examined.decision
        match decision:
            case NotChecked(failed):
                self._quarantine(failed)
                return
            case Missing(head):
                self._note_absence(asked, self.missing if head else self.unknown)
                return
            case StillUnknown():
                return
            case StillAway(_, to):
                self._follow(asked, to)
            case _:
                self._count(_counter_of(decision), 1)
        if isinstance(decision, Same) and not self._notes_same(asked, decision):
            return
        if examined.finding is not None:
            fetched = examined.fetched_at or self.clock.now()
            self.sights.take(examined.finding.before, examined.finding.record)
            found = _Found.of(decision, examined.finding, fetched)
            self._waiting.append(found)
            self._bytes += _size_of(found.body)
        self._seen.append(asked)
        if len(self._seen) >= SEEN_BATCH or self._bytes >= LARGEST_BATCH_BYTES:
            self.flush()

    def _notes_same(self, asked: NctId, decision: Same) -> bool:
        """Whether to mark an unchanged trial as seen. A sync also records it as unchanged."""
        if self.marked is None:
            self.sights.unchanged.append(asked)
            return True
        return decision.recovered or asked in self.marked

    def flush(self, also: Callable[[Unit], None] | None = None) -> None:
        """Commit the waiting batch; `also` runs in its last transaction."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        seen, self._seen = self._seen, []
        try:
            self._commit(waiting, seen, also)
        except _REFUSALS:
            refused = {one.finding.nct_id for one in waiting if not self._stored_alone(one)}
            self._commit((), [nct_id for nct_id in seen if nct_id not in refused], also)

    def _stored_alone(self, found: _Found) -> bool:
        try:
            self._commit([found], ())
        except _REFUSALS as error:
            nct_id, body = found.finding.nct_id, found.body
            log.warning("quarantined nct_id=%s reason=%s", nct_id, for_log(str(error)))
            raw = b"" if body is None else body.canonical or b""
            named = f"{type(error).__name__}: {error}"
            reason = error if isinstance(error, Unstorable) else BadRecord(named)
            self._quarantine(Failed(nct_id, reason, raw))
            self._count(found.counted_as, -1)
            return False
        return True

    def _count(self, counter: _Counter, by: int) -> None:
        tally = self.entry.tally
        setattr(tally, counter, getattr(tally, counter) + by)

    def _commit(
        self,
        waiting: Sequence[_Found],
        seen: Sequence[NctId],
        also: Callable[[Unit], None] | None = None,
    ) -> None:
        """Store versions, events, deliveries and marks in one transaction.

        1. Restore the watches of trials that returned after a merger.
        2. Let the watches of trials that were taken over follow their successors.
        3. Add the versions and their events. An alias without stored versions has none: its
           watches only follow its successor.
        4. Enqueue the deliveries.
        5. Link the versions that continue the registry's history, with their deliveries.
        6. Mark trials as seen, and clear their failures.
        7. Run `also`.

        Raises one of _REFUSALS for a record that cannot be stored; nothing is stored then.
        """
        if not waiting and not seen and also is None:
            return
        returning = {found.finding.nct_id: self._watches_back(found) for found in waiting}
        watching = self._watch_names(returning)
        steps = [found.step() for found in waiting if found.leaves_a_step]
        with self.store.unit() as unit:
            back = [found.finding.nct_id for found in waiting if found.came_back_from is not None]
            self._restore_watches(unit, back, returning)
            # run after the restores: a trial that moves may be one that another just split from
            for found in waiting:
                if found.finding.moved_to is not None:
                    self._move_watches(unit, found.finding.nct_id, found.finding.moved_to)
            ids = self._add_steps(unit, steps)
            # a sync reports every requested trial, a mirror only watched trials
            reports_all = self.marked is None
            reported = [step for step in steps if reports_all or step.nct_id in watching]
            self._enqueue(unit, reported, ids, watching)
            for found in waiting:
                if found.finding.joining is not None:
                    self._join(unit, found, watching.get(found.finding.nct_id, ()))
            self._mark_seen(unit, seen, steps)
            if also is not None:
                also(unit)

    def _add_steps(self, unit: Unit, steps: Sequence[NewStep]) -> Mapping[NctId, int]:
        """Add versions and their events; return the ids of the versions."""
        if not steps:
            return {}
        return unit.batches.add(
            steps,
            run_id=self.entry.run_id,
            observed=self.observed,
            rules_version=RULES_VERSION,
        )

    def _watch_names(
        self, returning: Mapping[NctId, Mapping[str, NctId]]
    ) -> dict[NctId, tuple[str, ...]]:
        """Return the watches of each trial, including watches about to be restored."""
        watching = dict(self.store.watches.names_by_trial(returning))
        for nct_id, restored in returning.items():
            if restored:
                watching[nct_id] = tuple(dict.fromkeys((*watching.get(nct_id, ()), *restored)))
        return watching

    def _restore_watches(
        self, unit: Unit, back: Sequence[NctId], returning: Mapping[NctId, Mapping[str, NctId]]
    ) -> None:
        """Let watches follow the trials again that returned after a merger."""
        for nct_id in back:
            for name, under in returning[nct_id].items():
                unit.watched.restore(name, under, nct_id)
            unit.watched.mark_returned(nct_id, at=self.observed)

    def _mark_seen(self, unit: Unit, seen: Sequence[NctId], steps: Sequence[NewStep]) -> None:
        """Mark trials as seen and clear their failures.

        Adding a version already marks its trial. A mirror clears only the failures of `marked`
        trials.
        """
        added = {step.nct_id for step in steps if step.state is State.PRESENT}
        unit.trials.mark_seen(
            [nct_id for nct_id in seen if nct_id not in added],
            run_id=self.entry.run_id,
            load=self.observed,
        )
        marked = self.marked
        unit.failures.clear(seen if marked is None else [one for one in seen if one in marked])

    def _enqueue(
        self,
        unit: Unit,
        steps: Sequence[NewStep],
        ids: Mapping[NctId, int],
        watching: Mapping[NctId, tuple[str, ...]],
    ) -> None:
        if not steps or not self.routes:
            return
        numbers = unit.events.ids_by_path_key(ids[step.nct_id] for step in steps)
        now = self.clock.now()
        for step in steps:
            by_path = numbers.get(ids[step.nct_id], {})
            events = [(by_path[path_key(event.path)], event) for event in step.events]
            names = watching.get(step.nct_id, ())
            unit.outbox.enqueue(
                plan(step.nct_id, events, names, self.routes, now=now, own=self._own)
            )

    def _join(self, unit: Unit, found: _Found, names: Sequence[str]) -> None:
        """Store a version that continues the registry's history, with its deliveries."""
        # few trials have a history that a sync continues
        from ctsync.sync.history.link import link_history  # noqa: PLC0415 - see above

        events = link_history(
            unit,
            found.finding,
            observed=self.observed,
            fetched=found.fetched,
            run_id=self.entry.run_id,
        )
        now, nct_id = self.clock.now(), found.finding.nct_id
        unit.outbox.enqueue(plan(nct_id, events, names, self.routes, now=now, own=self._own))

    def _follow(self, old: NctId, new: NctId | None) -> None:
        """Let the watches of an id that was taken over earlier follow its successor."""
        if new is not None and self.store.watched.lack_successor(old, new):
            with self.store.unit() as unit:
                self._move_watches(unit, old, new)

    def _move_watches(self, unit: Unit, old: NctId, new: NctId) -> None:
        """Let every watch of a moved trial follow its successor.

        The moved trial stays in the watch, in case it returns.
        """
        unit.trials.mark_moved(old, new)
        unit.watched.follow_successor(old, new)

    def _watches_back(self, found: _Found) -> dict[str, NctId]:
        """Return the watches that follow a trial again after it returned from a merger.

        Maps each watch to the successor that it followed meanwhile and continues to follow.
        """
        nct_id, under = found.finding.nct_id, found.came_back_from
        if under is None:
            return {}
        its_own = {_folded(nct_id), _folded(found.finding.key.org_study_id or nct_id)}
        heirs = self._heirs(under)
        return {
            watch.name: trial.nct_id
            for watch in self.store.watches.all()
            for trial in watch.trials
            if trial.nct_id in heirs and _folded(trial.asked_as or "") in its_own
        }

    def _heirs(self, nct_id: NctId) -> set[NctId]:
        """Return a trial and its chain of successors."""
        heirs: set[NctId] = set()
        to: NctId | None = nct_id
        while to is not None and to not in heirs:
            heirs.add(to)
            head = self.store.trials.heads([to]).get(to)
            to = None if head is None else head.moved_to
        return heirs

    def _quarantine(self, failed: Failed) -> None:
        self.failed.append(replace(failed, raw=b""))  # the quarantine table keeps the raw bytes
        if self.marked is not None:
            self.marked.add(failed.nct_id)
        now = self.clock.now()
        with self.store.unit() as unit:
            unit.failures.record(
                failed.nct_id, failed.error, failed.raw, run_id=self.entry.run_id, now=now
            )

    def _note_absence(self, nct_id: NctId, among: list[NctId]) -> None:
        among.append(nct_id)
        with self.store.unit() as unit:
            unit.trials.mark_absent(nct_id, self.observed)


def _counter_of(decision: Decision) -> _Counter:
    match decision:
        case First():
            return "new"
        case Gone():
            return "gone"
        case Same() | Confirmed():
            return "same"
        case _:
            return "changed"


def _folded(term: str) -> str:
    return " ".join(term.split()).casefold()


def _body_of(record: Record | Prepared | None) -> NewBody | None:
    if record is None:
        return None
    # a sync without changes stores no version
    from ctsync.store.data.version_batches import NewBody  # noqa: PLC0415 - see above

    return NewBody.of(record)


def _size_of(body: NewBody | None) -> int:
    """Return the approximate size of a waiting body in memory, in bytes."""
    return 0 if body is None else len(body.canonical or body.keyframe or b"")
