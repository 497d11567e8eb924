"""Backfill: fetches the earlier versions of trials from the registry's history and stores them.

1. Request the index of a trial's versions, and keep it until they are all fetched.
2. Request each version that is not stored, oldest first, and commit it at once, with the events
   that lead to it and away from it. If interrupted, the next run resumes there.
3. Request the index again; if it has changed, continue with the new one.

These events are derived by the same code as all others. They trigger no notifications, because they
happened when they were posted. Versions seen live keep their events and deliveries. Their figures
"since the first version" then count from the first version of the entire history.

A run may fetch less: only the index of each trial, or only the versions that changed some modules
(see `fetch_scope`). The index then stays stored, so that answers can name the versions that are not
fetched. A later run fetches these, with the same result as one run for all.

No trial blocks the others:

- A version that the registry lists but refuses to return leaves a gap, if the registry still
  returns the index.
- A trial that takes longer than TRIAL_SECONDS resumes in the next run.
- Trials whose last fetch failed come last.
- If the edge refuses several trials in a row, or the registry becomes unreachable, the rest are
  not requested. Their state is not changed; later syncs fetch them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ctsync.dates import Clock
from ctsync.model import NctId, Verdict
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.record_history import HistoryTransport
from ctsync.store.store import Store
from ctsync.sync.history.fetch_scope import EVERY_VERSION, FetchScope
from ctsync.sync.history.history_writer import HistoryWriter
from ctsync.sync.history.trial_fetch import NOT_ASKED, FetchedHistory, History, TrialFetch
from ctsync.sync.result import RunCallbacks
from ctsync.sync.run_log import RunLogEntry, recorded_run

BACKFILL = "backfill"
EXPECTED_REQUESTS = 7  # a median trial: five versions, and the index twice
MOST_REFUSALS = 3
"""After this many refused trials in a row, the edge is assumed to refuse everything."""
TRANSPORT = "history_transport"
"""The mark that holds the HTTP client that last got an answer from the registry's history."""


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """The result of a backfill, one entry per trial in the order requested."""

    run_id: int
    verdict: Verdict
    requests: int
    trials: tuple[FetchedHistory, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The settings and services of a backfill.

    `lock` is held for one trial at a time, so that a sync can run during a backfill of several
    hours. `scope` says which versions to fetch; None resumes each trial with its own scope.
    """

    store: Store
    history: History
    clock: Clock
    thresholds: Thresholds = field(default_factory=Thresholds)
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    lock: Callable[[], AbstractContextManager[object]] = nullcontext
    scope: FetchScope | None = EVERY_VERSION

    def run(self, ids: Sequence[NctId]) -> BackfillResult:
        """Fetch and store the missing versions in the histories of `ids`.

        If a history cannot be fetched, its reason is stored and a later run retries it; the others
        are fetched. After MOST_REFUSALS refused trials in a row, no other is requested. Raises
        Stopped if the run is cancelled, and LockHeld.
        """
        self.history.reset(self._remembered())
        began = self.history.counts
        with self.lock():
            pass  # raise LockHeld before the run is opened
        with recorded_run(self.store, BACKFILL, self.clock) as entry:
            try:
                found = {trial.nct_id: trial for trial in self._each(self._in_turn(ids), entry)}
            finally:
                entry.tally.requests = self.history.counts.requests - began.requests
                entry.tally.retries = self.history.counts.retries - began.retries
            trials = tuple(found[nct_id] for nct_id in ids)
            self._queue(one.nct_id for one in trials if one.state == NOT_ASKED)
            entry.verdict = Verdict.OK if all(t.is_settled for t in trials) else Verdict.PARTIAL
        return BackfillResult(entry.run_id, entry.verdict, entry.tally.requests, trials)

    def _in_turn(self, ids: Sequence[NctId]) -> list[NctId]:
        """Return the trials in fetch order: failed trials last, the most recent failure at the end.

        Otherwise a trial that always fails could be the first of every run.
        """
        known = self.store.histories.states(ids)

        def turn(nct_id: NctId) -> datetime:
            state = known.get(nct_id)
            return state.asked if state and state.attempts else datetime.min.replace(tzinfo=UTC)

        return sorted(ids, key=turn)

    def _each(self, ids: Sequence[NctId], entry: RunLogEntry) -> Iterator[FetchedHistory]:
        tally, refusals, refusal = entry.tally, 0, ""
        tally.asked = len(ids)
        for done, nct_id in enumerate(ids):
            self.watcher.check()
            if refusals >= MOST_REFUSALS:
                found = FetchedHistory(nct_id, NOT_ASKED, error=refusal)
            else:
                trial = self._fetch_of(nct_id, entry, left=len(ids) - done - 1)
                with self.lock():
                    found = trial.fetch()
                    self._remember()
                refusals = refusals + 1 if found.refused else 0
                refusal = found.error
            tally.answered += not found.error
            tally.failed += bool(found.error)
            tally.new += found.stored
            tally.changed += found.joined
            yield found

    def _fetch_of(self, nct_id: NctId, entry: RunLogEntry, *, left: int) -> TrialFetch:
        """Return the fetch of one trial; `left` is the number of trials after it."""
        is_index_only = self.scope is not None and self.scope.is_index_only
        writer = HistoryWriter(
            store=self.store,
            clock=self.clock,
            thresholds=self.thresholds,
            nct_id=nct_id,
            run_id=entry.run_id,
        )
        return TrialFetch(
            writer,
            self.history,
            watcher=self.watcher,
            scope=self.scope,
            later=left * (1 if is_index_only else EXPECTED_REQUESTS),
        )

    def _queue(self, ids: Iterable[NctId]) -> None:
        """Let later syncs fetch the histories that were not requested."""
        waiting = list(ids)
        # a run that resumes asks only for trials that are scheduled already
        if waiting and self.scope is not None:
            with self.lock(), self.store.unit() as unit:
                unit.histories.queue(waiting, at=self.clock.now(), labels=self.scope.labels)

    def _remembered(self) -> HistoryTransport | None:
        """Return the client that got the last answer in an earlier run."""
        known = self.store.marks.get(TRANSPORT)
        return HistoryTransport(known) if known in set(HistoryTransport) else None

    def _remember(self) -> None:
        answered = self.history.answered
        if answered is not None and answered != self._remembered():
            with self.store.unit() as unit:
                unit.marks.set(TRANSPORT, answered)
