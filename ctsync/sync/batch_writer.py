"""Keeps what was found of trials: versions, events, deliveries, a batch in one transaction.

One way in for a sync of three trials and for a first load of 600,000. A batch is stored whole or
not at all; where it is refused for one trial's sake, its trials are stored one by one, and that
one is set aside. A run cut off loses a batch at most, which the next run sees again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from ctsync.dates import Clock
from ctsync.deliver.plan import plan
from ctsync.errors import BadRecord, Unstorable, UsageError
from ctsync.model import Failed, NctId, Prepared, Record, State
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.route import Route
from ctsync.store.data.events import path_key
from ctsync.store.data.version_batches import NewBody, NewStep
from ctsync.store.store import Store, Unit
from ctsync.sync.assess import AssessedTrial, PendingVersion
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
)
from ctsync.sync.history.link import link_history
from ctsync.sync.observations import PassObservations
from ctsync.sync.run_log import RunLogEntry
from ctsync.text import for_log

log = logging.getLogger(__name__)

SEEN_BATCH = 500
LARGEST_BATCH_BYTES = 8 * 2**20
# what a record is refused with that no database can hold, or whose events clash: Unstorable is
# one of these
_REFUSALS = (ValueError, TypeError, OverflowError)


@dataclass(frozen=True, slots=True)
class _Found:
    decision: Decision
    finding: PendingVersion
    fetched: datetime

    @property
    def leaves_a_step(self) -> bool:
        finding = self.finding
        is_empty = finding.head is None and finding.record is None
        return finding.joining is None and not is_empty

    @property
    def came_back_from(self) -> NctId | None:
        """The trial that had taken this one over until now."""
        decision = self.decision
        return decision.head.moved_to if isinstance(decision, Returned) else None

    def step(self) -> NewStep:
        finding = self.finding
        return NewStep(
            nct_id=finding.nct_id,
            after=finding.head.snapshot_id if finding.head else None,
            state=finding.state,
            body=_body_of(finding.record),
            key=finding.key,
            events=finding.events,
            fetched=self.fetched,
        )


@dataclass(slots=True, kw_only=True)
class BatchWriter:
    """Counts decisions and commits what they leave behind, batch by batch.

    `observed` is the load that is looked at. Where `marked` is given, only those trials are
    noted as seen, and others where an absence of theirs ends: that a walk through the whole
    registry saw a trial is known from the walk. What is set aside is marked from then on.
    `failed`, `unknown` and `missing` are what an Outcome calls so.
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
        """Read once what holds for the whole run."""
        self._own = self.store.watches.own_thresholds()

    def take(self, examined: AssessedTrial) -> None:
        """Count one decision; what is to be kept of it is committed with its batch."""
        asked = examined.asked
        match examined.decision:
            case NotChecked(failed):
                self._keep_aside(failed)
                return
            case Missing(head):
                self._note_absence(asked, self.missing if head else self.unknown)
                return
            case Same(_, recovered):
                self.entry.tally.same += 1
                if self.marked is None:
                    self.sights.unchanged.append(asked)
                elif not recovered and asked not in self.marked:
                    return
            case Confirmed():
                self.entry.tally.same += 1
            case StillAway(head):
                self._follow(asked, head.moved_to)
            case changed:
                self._count(changed, 1)
        if examined.finding is not None:
            fetched = examined.fetched_at or self.clock.now()
            self._waiting.append(_Found(examined.decision, examined.finding, fetched))
            self._bytes += _size_of(examined.finding)
        self._seen.append(asked)
        if len(self._seen) >= SEEN_BATCH or self._bytes >= LARGEST_BATCH_BYTES:
            self.flush()

    def flush(self, also: Callable[[Unit], None] | None = None) -> None:
        """Commit what waits; `also` is done in the last transaction of it."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        seen, self._seen = self._seen, []
        for found in waiting:
            self.sights.take(found.finding.before, found.finding.record)
        try:
            self._commit(waiting, seen, also)
        except _REFUSALS:
            refused = {one.finding.nct_id for one in waiting if not self._stored_alone(one)}
            self._commit((), [nct_id for nct_id in seen if nct_id not in refused], also)

    def _stored_alone(self, found: _Found) -> bool:
        try:
            self._commit([found], ())
        except _REFUSALS as error:
            nct_id, record = found.finding.nct_id, found.finding.record
            log.warning("set aside nct_id=%s reason=%s", nct_id, for_log(str(error)))
            raw = record.canonical if isinstance(record, Record) else b""
            named = f"{type(error).__name__}: {error}"
            reason = error if isinstance(error, Unstorable) else BadRecord(named)
            self._keep_aside(Failed(nct_id, reason, raw))
            self._count(found.decision, -1)
            return False
        return True

    def _count(self, decision: Decision, by: int) -> None:
        tally = self.entry.tally
        match decision:
            case First():
                tally.new += by
            case Gone():
                tally.gone += by
            case _:
                tally.changed += by

    def _commit(
        self,
        waiting: Sequence[_Found],
        seen: Sequence[NctId],
        also: Callable[[Unit], None] | None = None,
    ) -> None:
        """Store versions, events and deliveries, and what was seen, in one transaction."""
        if not waiting and not seen and also is None:
            return
        back = {found.finding.nct_id: self._watches_back(found) for found in waiting}
        watching = self.store.watches.names_by_trial(back)
        watching |= {
            nct_id: tuple(dict.fromkeys((*watching.get(nct_id, ()), *again)))
            for nct_id, again in back.items()
            if again
        }
        # an alias of which nothing was stored leaves nothing: only the watch moves on
        steps = [found.step() for found in waiting if found.leaves_a_step]
        fresh = {step.nct_id for step in steps if step.state is State.PRESENT}
        run_id = self.entry.run_id
        with self.store.unit() as unit:
            for nct_id, again in back.items():
                for name, under in again.items():
                    with suppress(UsageError):  # the watch was removed meanwhile
                        unit.watches.restore_trial(name, under, nct_id, at=self.observed)
            # only now: one may move on that another is back from
            for found in waiting:
                if found.finding.moved_to is not None:
                    self._move_watches(unit, found.finding.nct_id, found.finding.moved_to)
            ids = unit.batches.add(
                steps, run_id=run_id, observed=self.observed, rules_version=RULES_VERSION
            )
            # who asks for a trial by name is told of it; of a mirrored one, who watches it
            asked_for = self.marked is None
            told = [step for step in steps if asked_for or step.nct_id in watching]
            self._enqueue(unit, told, ids, watching)
            for found in waiting:
                if found.finding.joining is not None:
                    self._join(unit, found, watching.get(found.finding.nct_id, ()))
            unit.trials.mark_seen(
                [nct_id for nct_id in seen if nct_id not in fresh],
                run_id=run_id,
                load=self.observed,
            )
            marked = self.marked
            unit.failures.clear(seen if marked is None else [one for one in seen if one in marked])
            if also is not None:
                also(unit)

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
        """Store what goes on from the registry's history."""
        news = link_history(
            unit,
            found.finding,
            observed=self.observed,
            fetched=found.fetched,
            run_id=self.entry.run_id,
        )
        now, nct_id = self.clock.now(), found.finding.nct_id
        unit.outbox.enqueue(plan(nct_id, news, names, self.routes, now=now, own=self._own))

    def _follow(self, old: NctId, new: NctId | None) -> None:
        """Let a watch that names an id taken over long ago follow the trial that has it now."""
        if new is not None and self.store.watches.names_of(old):
            with self.store.unit() as unit:
                self._move_watches(unit, old, new)

    def _move_watches(self, unit: Unit, old: NctId, new: NctId) -> None:
        """Let every watch of a moved trial follow the one that took it over.

        What the trial was first asked for by stays known: an organisation's id, or the old id.
        """
        unit.trials.mark_moved(old, new)
        for watch in self.store.watches.all():
            terms = [trial.asked_as or old for trial in watch.trials if trial.nct_id == old]
            if terms:
                with suppress(UsageError):  # the watch was removed meanwhile
                    unit.watches.move_trial(watch.name, old, new, asked_as=terms[0])

    def _watches_back(self, found: _Found) -> dict[str, NctId]:
        """The watches that follow a trial again that was merged into another, and is back.

        Each with that other, or the one it went on to itself, which they go on following.
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
        """A trial, and those that have taken it over in turn."""
        heirs: set[NctId] = set()
        to: NctId | None = nct_id
        while to is not None and to not in heirs:
            heirs.add(to)
            head = self.store.trials.heads([to]).get(to)
            to = None if head is None else head.moved_to
        return heirs

    def _keep_aside(self, failed: Failed) -> None:
        self.failed.append(replace(failed, raw=b""))  # what came is in the quarantine
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


def _folded(term: str) -> str:
    return " ".join(term.split()).casefold()


def _body_of(record: Record | Prepared | None) -> NewBody | None:
    match record:
        case None:
            return None
        case Record():
            return NewBody(record.digest, len(record.canonical), canonical=record.canonical)
        case Prepared():
            digest, size = record.digest, record.raw_size
            return NewBody(digest, size, keyframe=record.keyframe, mark=record.mark)


def _size_of(finding: PendingVersion) -> int:
    """About how much of memory a finding holds, in bytes of JSON."""
    match finding.record:
        case Record() as record:
            return len(record.canonical) * (1 if finding.before is None else 2)
        case Prepared() as prepared:
            return len(prepared.keyframe or b"")
        case None:
            return 0
