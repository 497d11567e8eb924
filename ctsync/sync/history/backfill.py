"""Backfill: fetches the earlier versions of trials from the registry's history and stores them.

1. Request the index of a trial's versions, and keep it until they are all fetched.
2. Request each version that is not stored, oldest first, and commit it at once, with the events
   that lead to it and away from it. If interrupted, the next run resumes there.
3. Request the index again; if it has changed, continue with the new one.

These events are derived by the same code as all others. They trigger no notifications, because they
happened when they were posted. Versions seen live keep their events and deliveries. Their figures
"since the first version" then count from the first version of the entire history.

No trial blocks the others:

- A version that the registry lists but refuses to return leaves a gap, if the registry still
  returns the index.
- A trial that takes longer than TRIAL_SECONDS resumes in the next run.
- Trials whose last fetch failed come last.
- If the edge refuses several trials in a row, or the registry becomes unreachable, the rest are
  not requested. Their state is not changed; later syncs fetch them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ctsync.dates import Clock
from ctsync.errors import (
    BadAnswer,
    CorruptBody,
    DeadlineExceeded,
    EdgeRefused,
    RegistryBusy,
    RegistryError,
    RegistryUnreachable,
    StalePage,
)
from ctsync.model import JsonObject, NctId, Verdict, Version
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.record_history import HistoryTransport, Index, IndexEntry
from ctsync.store.data.failures import FIRST_RETRY, LONGEST_RETRY
from ctsync.store.data.history_versions import COMPLETE, NONE, PARTIAL, UNAVAILABLE
from ctsync.store.store import Store
from ctsync.sync.history.history_writer import HistoryWriter
from ctsync.sync.result import RunCallbacks
from ctsync.sync.run_log import RunLogEntry, recorded_run
from ctsync.text import for_log

log = logging.getLogger(__name__)

BACKFILL = "backfill"
MOST_INDEXES = 3
EXPECTED_REQUESTS = 7  # a median trial: five versions, and the index twice
MOST_REFUSALS = 3
"""After this many refused trials in a row, the edge is assumed to refuse everything."""
TRIAL_SECONDS = 900.0
"""Time limit for one trial, which holds the lock. The longest known history takes 5 minutes."""

NOT_ASKED = "not asked"
"""The state, in a result, of a trial whose history this run did not request."""
TRANSPORT = "history_transport"
"""The mark that holds the HTTP client that last got an answer from the registry's history."""

_REFUSED, _UNUSABLE = "403", "bad answer"
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""Errors of a version with an unexpected shape. BadRecord and Unstorable are ValueErrors."""
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (EdgeRefused, _REFUSED),
    (RegistryBusy, "busy"),
    (DeadlineExceeded, "too slow"),
    (RegistryUnreachable, "unreachable"),
    (StalePage, "changing"),
    (CorruptBody, "damaged store"),
)


class _TakesTooLong(Exception):
    """A trial took longer than TRIAL_SECONDS."""


class History(Protocol):
    """The registry's history as a backfill uses it; RegistryHistory fetches it over the network."""

    @property
    def counts(self) -> RequestCounts:
        """The requests sent so far."""

    @property
    def answered(self) -> HistoryTransport | None:
        """The HTTP client that got the last answer, None before any answer."""

    def reset(self, first: HistoryTransport | None = None) -> None:
        """Start a run, and use the client `first` if the settings allow it."""

    def index(self, nct_id: NctId) -> Index | None:
        """Return all versions of a trial; empty or None if the registry has no history of it."""

    def version(self, nct_id: NctId, number: int) -> JsonObject:
        """Return the record of one version."""


@dataclass(slots=True)
class FetchedHistory:
    """The result of fetching one trial's history.

    - `stored`: the number of new versions; `joined`: the number of versions already seen live.
    - `state`: the state in the store, or NOT_ASKED; `error`: why the history is incomplete.
    - `refused`: the edge refused even the index.
    """

    nct_id: NctId
    state: str = ""
    listed: int | None = None
    stored: int = 0
    joined: int = 0
    error: str = ""
    refused: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to fetch."""
        return self.state in {COMPLETE, NONE}


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
    hours.
    """

    store: Store
    history: History
    clock: Clock
    thresholds: Thresholds = field(default_factory=Thresholds)
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    lock: Callable[[], AbstractContextManager[object]] = nullcontext

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
                trial = _Trial(self, nct_id, entry, later=EXPECTED_REQUESTS * (len(ids) - done - 1))
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

    def _queue(self, ids: Iterable[NctId]) -> None:
        """Let later syncs fetch the histories that were not requested."""
        if waiting := list(ids):
            with self.lock(), self.store.unit() as unit:
                unit.histories.queue(waiting, at=self.clock.now())

    def _remembered(self) -> HistoryTransport | None:
        """Return the client that got the last answer in an earlier run."""
        known = self.store.marks.get(TRANSPORT)
        return HistoryTransport(known) if known in set(HistoryTransport) else None

    def _remember(self) -> None:
        answered = self.history.answered
        if answered is not None and answered != self._remembered():
            with self.store.unit() as unit:
                unit.marks.set(TRANSPORT, answered)


class _Trial:
    """The fetch of one trial's history."""

    def __init__(
        self, backfill: Backfill, nct_id: NctId, entry: RunLogEntry, *, later: int
    ) -> None:
        self.backfill, self.store, self.history = backfill, backfill.store, backfill.history
        self.nct_id, self.later = nct_id, later
        self.found = FetchedHistory(nct_id)
        self.known = self.store.histories.states([nct_id]).get(nct_id)
        self.began = self.history.counts.requests
        self.started = 0.0
        self.writer = HistoryWriter(
            store=backfill.store,
            clock=backfill.clock,
            thresholds=backfill.thresholds,
            nct_id=nct_id,
            run_id=entry.run_id,
        )

    def fetch(self) -> FetchedHistory:
        """Fetch the versions that are not stored; never raises for an error of this trial."""
        # not started in __init__: waiting for the lock may take minutes
        self.started = self.backfill.clock.monotonic()
        try:
            self._fetch()
        except _TakesTooLong as error:
            return self._give_up("slow", str(error), wait=timedelta(), failed=False)
        except (RegistryError, CorruptBody) as error:
            if self.history.counts.requests == self.began:
                # no request was sent: the circuit breaker is open
                self.found.state, self.found.error = NOT_ASKED, str(error)
                return self.found
            self.found.refused = isinstance(error, EdgeRefused)
            return self._give_up(_reason(error), str(error))
        return self.found

    def _give_up(
        self, reason: str, error: str, *, wait: timedelta | None = None, failed: bool = True
    ) -> FetchedHistory:
        """Store why the history cannot be fetched now, and when to retry."""
        known, stored = self.known, self._stored()
        attempts = 1 + (known.attempts if known else 0)
        if wait is None:
            wait = min(FIRST_RETRY * 2 ** min(attempts - 1, 16), LONGEST_RETRY)
        now = self.backfill.clock.now()
        state = f"{PARTIAL if stored else UNAVAILABLE} ({reason})"
        if known is not None and known.state == COMPLETE and self.found.listed is None:
            state = COMPLETE  # as of the last successful request
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id,
                state,
                asked=known.asked if known and state == COMPLETE else now,
                index=self.store.histories.unfinished_index(self.nct_id),
                retry=now + wait,
                failed=failed,
            )
        log.warning("history nct_id=%s state=%s reason=%s", self.nct_id, state, for_log(error))
        self.found.state, self.found.error = state, error
        return self.found

    def _fetch(self) -> None:
        kept = self.store.histories.unfinished_index(self.nct_id)
        index = _index_from(kept) if kept else self.history.index(self.nct_id)
        if index is None or not (index or self._stored()):
            self._settle(NONE, 0)
            return
        unread = self._fetch_missing(index)
        if kept or unread or self.found.stored or self.found.joined:
            index, unread = self._confirm(index, unread)
        if unread:
            self._give_up(*_reason_for(unread, self.found.error))
            return
        self._settle(COMPLETE, len(index))

    def _confirm(self, index: Index, unread: dict[int, str]) -> tuple[Index, dict[int, str]]:
        """Request the index again until it equals the one whose versions were fetched."""
        for _ in range(MOST_INDEXES):
            self.backfill.watcher.check()
            again = self.history.index(self.nct_id)
            if again is None:
                raise BadAnswer(f"{self.nct_id}: the registry removed the history during the fetch")
            if again == index:
                return index, unread
            index, unread = again, self._fetch_missing(again)
        raise StalePage(f"{self.nct_id}: the history changed repeatedly during the fetch")

    def _fetch_missing(self, index: Index) -> dict[int, str]:
        """Fetch and store the missing versions of an index.

        Returns the numbers of the unusable versions, each with the reason.
        """
        self.found.listed = len(index)
        stored = self._check(index)
        missing = [entry for entry in index if entry.number not in stored]
        unread: dict[int, str] = {}
        if missing:
            self._note_index(index)
        for done, entry in enumerate(missing):
            self.backfill.watcher.check()
            if done and self.backfill.clock.monotonic() - self.started > TRIAL_SECONDS:
                raise _TakesTooLong(
                    f"{self.nct_id}: stopped after {TRIAL_SECONDS / 60:.0f} minutes, so that other "
                    "trials get their turn; the next sync resumes it"
                )
            try:
                self._fetch_version(entry, last=_last_of_gap(stored, entry, index))
            except EdgeRefused:
                # raises EdgeRefused if the edge refuses everything, not only this version
                self.history.index(self.nct_id)
                unread[entry.number] = _REFUSED
            except (BadAnswer, *_UNREADABLE) as error:
                unread[entry.number] = _UNUSABLE
                self.found.error = str(error) or type(error).__name__
            sent = self.history.counts.requests - self.began
            self.backfill.watcher.progress(sent, sent + len(missing) - done + self.later)
        return unread

    def _fetch_version(self, entry: IndexEntry, *, last: int) -> None:
        study = self.history.version(self.nct_id, entry.number)
        if self.writer.keep(entry, study, last=last):
            self.found.stored += 1
        else:
            self.found.joined += 1

    def _check(self, index: Index) -> set[int]:
        """Return the numbers of the stored versions.

        Raises BadAnswer if the index contradicts them.
        """
        stored = {v.registry_version: v for v in self._versions() if v.registry_version is not None}
        for number, version in stored.items():
            if number >= len(index) or index[number].date != version.submitted:
                raise BadAnswer(
                    f"{self.nct_id}: the registry's index contradicts the stored version {number} "
                    f"of {version.submitted}"
                )
        return set(stored)

    # --- the store -------------------------------------------------------------------------------

    def _versions(self) -> list[Version]:
        return self.store.versions.of(self.nct_id)

    def _stored(self) -> bool:
        return any(version.registry_version is not None for version in self._versions())

    def _note_index(self, index: Index) -> None:
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id,
                PARTIAL,
                asked=self.backfill.clock.now(),
                listed=len(index),
                index=[asdict(entry) | {"modules": sorted(entry.modules)} for entry in index],
                # if interrupted here, the next run resumes without a wait
                retry=self.backfill.clock.now(),
            )

    def _settle(self, state: str, listed: int) -> None:
        self.found.state, self.found.listed = state, listed
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id, state, asked=self.backfill.clock.now(), listed=listed
            )


def _reason(error: Exception) -> str:
    return next((text for kind, text in _REASONS if isinstance(error, kind)), _UNUSABLE)


def _reason_for(unread: Mapping[int, str], last: str) -> tuple[str, str]:
    """Return why versions are missing, as one word and as a sentence."""
    numbers = ", ".join(map(str, unread))
    if set(unread.values()) == {_REFUSED}:
        return _REFUSED, f"the registry lists versions that it refuses to return (403): {numbers}"
    return _UNUSABLE, f"versions that cannot be used: {numbers}; reason of the last one: {last}"


def _index_from(kept: Sequence[JsonObject]) -> Index:
    return tuple(IndexEntry(**{**one, "modules": frozenset(one["modules"])}) for one in kept)


def _last_of_gap(stored: set[int], entry: IndexEntry, index: Index) -> int:
    """Return the number of the last version in the same gap as this one."""
    behind = (number for number in range(entry.number, len(index)) if number in stored)
    return next(behind, len(index)) - 1
