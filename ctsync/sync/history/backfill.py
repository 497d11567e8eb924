"""Backfill: fetches the earlier versions of trials from the registry's history and stores them.

1. Request the index of a trial's versions, and keep it until they are all fetched.
2. Request each version that is not stored, oldest first, and commit it at once, with the events
   that lead to it and away from it. If interrupted, the next run resumes there.
3. Request the index again; if it has changed, continue with the new one.

The same code derives these events as all others. They trigger no notifications: they happened when
they were posted. Versions seen live keep their events and deliveries. Their figures "since the
first version" then count from the first version of the whole history.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Protocol

from ctsync.dates import Clock
from ctsync.errors import (
    BadAnswer,
    BadRecord,
    CorruptBody,
    DeadlineExceeded,
    EdgeRefused,
    RegistryBusy,
    RegistryError,
    RegistryUnreachable,
    StalePage,
)
from ctsync.model import JsonObject, NctId, Record, Source, State, Verdict, Version
from ctsync.questions.trial.stored_records import stored_record
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.history_form.normalize import HistoryForm, is_same_content, readable
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.record_history import Index, IndexEntry
from ctsync.store.data.failures import FIRST_RETRY, LONGEST_RETRY
from ctsync.store.data.history_versions import COMPLETE, NONE, PARTIAL, UNAVAILABLE, HistoryVersion
from ctsync.store.data.runs import MIRROR
from ctsync.store.store import Store, Unit
from ctsync.sync.history.insertion_point import KnownVersion, find_insertion_point
from ctsync.sync.history.rederive_events import (
    NOT_DERIVED,
    UNSTORED,
    DerivedStep,
    derive,
    known_facts,
)
from ctsync.sync.result import RunCallbacks
from ctsync.sync.run_log import RunLogEntry, recorded_run
from ctsync.text import for_log

log = logging.getLogger(__name__)

BACKFILL = "backfill"
MOST_INDEXES = 3
EXPECTED_REQUESTS = 7  # a median trial: five versions, and the index twice

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (EdgeRefused, "403"),
    (RegistryBusy, "busy"),
    (DeadlineExceeded, "too slow"),
    (RegistryUnreachable, "unreachable"),
    (StalePage, "changing"),
    (CorruptBody, "damaged store"),
)


class History(Protocol):
    """The registry's history as a backfill uses it; RegistryHistory fetches it over the network."""

    @property
    def counts(self) -> RequestCounts:
        """The requests sent so far."""

    def reset(self) -> None:
        """Start a run."""

    def index(self, nct_id: NctId) -> Index | None:
        """Every version of a trial; None if the registry has no history of it."""

    def version(self, nct_id: NctId, number: int) -> JsonObject:
        """The record of one version."""


@dataclass(slots=True)
class FetchedHistory:
    """The result of one trial's history: `stored` versions are new, `joined` ones were seen live.

    `state` is the state in the store; `error` says why the history is incomplete.
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
    """The settings and services of a backfill; `lock` is held for one trial at a time.

    So a sync that falls due during a backfill of several hours gets its turn.
    """

    store: Store
    history: History
    clock: Clock
    thresholds: Thresholds = field(default_factory=Thresholds)
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    lock: Callable[[], AbstractContextManager[object]] = nullcontext

    def run(self, ids: Sequence[NctId]) -> BackfillResult:
        """Fetch the versions of the histories of `ids` that are not stored.

        A trial whose history cannot be fetched is noted with the reason, retried later, and stops
        no other. If the edge refuses a request, the remaining trials are not requested. Raises
        Stopped if the run is cancelled, and LockHeld.
        """
        self.history.reset()
        began = self.history.counts
        with self.lock():
            pass  # raise LockHeld before the run is opened
        with recorded_run(self.store, BACKFILL, self.clock) as entry:
            try:
                trials = tuple(self._each(ids, entry))
            finally:
                entry.tally.requests = self.history.counts.requests - began.requests
                entry.tally.retries = self.history.counts.retries - began.retries
            entry.verdict = Verdict.OK if all(t.is_settled for t in trials) else Verdict.PARTIAL
        return BackfillResult(entry.run_id, entry.verdict, entry.tally.requests, trials)

    def _each(self, ids: Sequence[NctId], entry: RunLogEntry) -> Iterator[FetchedHistory]:
        tally, refusal = entry.tally, ""
        tally.asked = len(ids)
        for done, nct_id in enumerate(ids):
            self.watcher.check()
            trial = _Trial(self, nct_id, entry, later=EXPECTED_REQUESTS * (len(ids) - done - 1))
            with self.lock():
                found = trial.give_up("403", refusal) if refusal else trial.fetch()
            refusal = refusal or (found.error if found.refused else "")
            tally.answered += not found.error
            tally.failed += bool(found.error)
            tally.new += found.stored
            tally.changed += found.joined
            yield found


class _Trial:
    """The fetch of one trial's history."""

    def __init__(
        self, backfill: Backfill, nct_id: NctId, entry: RunLogEntry, *, later: int
    ) -> None:
        self.backfill, self.store, self.history = backfill, backfill.store, backfill.history
        self.nct_id, self.run_id, self.later = nct_id, entry.run_id, later
        self.found = FetchedHistory(nct_id)
        self.known = self.store.histories.states([nct_id]).get(nct_id)
        self.began = self.history.counts.requests

    def fetch(self) -> FetchedHistory:
        """Fetch the versions that are not stored; never raises for a fault of this trial."""
        try:
            self._fetch()
        except (RegistryError, CorruptBody) as error:
            reason = next(
                (text for kind, text in _REASONS if isinstance(error, kind)), "bad answer"
            )
            self.found.refused = isinstance(error, EdgeRefused)
            return self.give_up(reason, str(error))
        return self.found

    def give_up(self, reason: str, error: str) -> FetchedHistory:
        """Note why the history cannot be fetched now, and when to retry."""
        known, stored = self.known, self._stored()
        attempts = 1 + (known.attempts if known else 0)
        wait = min(FIRST_RETRY * 2 ** min(attempts - 1, 16), LONGEST_RETRY)
        now = self.backfill.clock.now()
        state = f"{PARTIAL if stored else UNAVAILABLE} ({reason})"
        if known is not None and known.state == COMPLETE and self.found.listed is None:
            state = COMPLETE  # as of when it was last asked for
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id,
                state,
                asked=known.asked if known and state == COMPLETE else now,
                index=self.store.histories.unfinished_index(self.nct_id),
                retry=now + wait,
                failed=True,
            )
        log.warning("history nct_id=%s state=%s reason=%s", self.nct_id, state, for_log(error))
        self.found.state, self.found.error = state, error
        return self.found

    def _fetch(self) -> None:
        kept = self.store.histories.unfinished_index(self.nct_id)
        index = _index_from(kept) if kept else self.history.index(self.nct_id)
        if index is None:
            self._settle(NONE, 0)
            return
        unread = self._fetch_missing(index)
        if kept or unread or self.found.stored or self.found.joined:
            index, unread = self._confirm(index, unread)
        if unread:
            raise BadAnswer(f"versions that cannot be used: {', '.join(map(str, unread))}")
        self._settle(COMPLETE, len(index))

    def _confirm(self, index: Index, unread: list[int]) -> tuple[Index, list[int]]:
        """Request the index again until it equals the one whose versions were fetched."""
        for _ in range(MOST_INDEXES):
            self.backfill.watcher.check()
            again = self.history.index(self.nct_id)
            if again is None:
                raise BadAnswer(f"{self.nct_id}: the history went away while it was fetched")
            if again == index:
                return index, unread
            index, unread = again, self._fetch_missing(again)
        raise StalePage(f"{self.nct_id}: the history changed again and again while it was fetched")

    def _fetch_missing(self, index: Index) -> list[int]:
        """Fetch and store the missing versions of an index; return the numbers of unusable ones."""
        self.found.listed = len(index)
        stored = self._check(index)
        missing = [entry for entry in index if entry.number not in stored]
        unread: list[int] = []
        if missing:
            self._note_index(index)
        for done, entry in enumerate(missing):
            self.backfill.watcher.check()
            try:
                study = self.history.version(self.nct_id, entry.number)
                self._keep(entry, study, last=_last_of_gap(stored, entry, index))
            except (BadAnswer, BadRecord) as error:
                unread.append(entry.number)
                self.found.error = str(error)
            sent = self.history.counts.requests - self.began
            self.backfill.watcher.progress(sent, sent + len(missing) - done + self.later)
        return unread

    def _check(self, index: Index) -> set[int]:
        """The numbers of the stored versions; raises BadAnswer if the index contradicts them."""
        stored = {v.registry_version: v for v in self._versions() if v.registry_version is not None}
        for number, version in stored.items():
            if number >= len(index) or index[number].date != version.submitted:
                raise BadAnswer(
                    f"{self.nct_id}: the registry's index contradicts its version {number} as it "
                    f"is stored, of {version.submitted}"
                )
        return set(stored)

    def _keep(self, entry: IndexEntry, study: JsonObject, *, last: int) -> None:
        """Commit one version in its place, or note that it was seen live."""
        record = canonicalize(study)
        key = key_fields(readable(record, HistoryForm.HTML).body)
        versions = self._versions()

        def is_same(seen: Version) -> bool:
            live = stored_record(self.store, seen)
            return is_same_content(record, HistoryForm.HTML, live, HistoryForm.MARKDOWN)

        found = find_insertion_point(versions, entry.number, key, is_same=is_same)
        if isinstance(found, KnownVersion):
            with self.store.unit() as unit:
                seen = found.version.snapshot_id
                unit.histories.link(seen, number=entry.number, submitted=entry.date)
            self.found.joined += 1
            return
        now = self.backfill.clock.now()
        new = HistoryVersion(entry.number, record, key, entry.date, now)
        self._insert(new, versions, found.index, room=last - entry.number + 1)
        self.found.stored += 1

    def _insert(
        self, new: HistoryVersion, versions: Sequence[Version], at: int, *, room: int
    ) -> None:
        pending = _pending(self.nct_id, new)
        versions_to_derive = [*versions[:at], pending, *versions[at:]]

        def read(version: Version) -> Record:
            return new.record if version is pending else stored_record(self.store, version)

        facts = known_facts(self.store, self.nct_id, versions)
        mirrors, thresholds = self.store.runs.ids(MIRROR), self.backfill.thresholds
        steps = list(derive(versions_to_derive, facts, read, thresholds, mirrors=mirrors, first=at))
        follower = versions[at].snapshot_id if at < len(versions) else None
        with self.store.unit() as unit:
            snapshot_id, is_new = unit.histories.insert(
                self.nct_id, new, before=follower, room=room, run_id=self.run_id
            )
            if is_new:
                self._rewrite(unit, steps, snapshot_id)

    def _rewrite(self, unit: Unit, steps: Sequence[DerivedStep], snapshot_id: int) -> None:
        """Store the events to and from a new version, and the figures of all later versions."""
        if len(steps) > 1:
            theirs = {event.path for event in steps[1].events}
            moved = [event.path for event in steps[0].events if event.path not in theirs]
            follower = steps[1].after.snapshot_id
            unit.event_rewrites.move(of=follower, to=snapshot_id, paths=moved)
        for step in steps:
            before, after = (
                None if v is None else snapshot_id if v.snapshot_id == UNSTORED else v.snapshot_id
                for v in (step.before, step.after)
            )
            unit.event_rewrites.rewrite(
                from_snapshot=before,
                to_snapshot=after or snapshot_id,
                events=step.events,
                leave=NOT_DERIVED,
                rules_version=RULES_VERSION,
                happened=step.happened,
                run_id=self.run_id if step.happened else None,
            )

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
                index=[asdict(entry) for entry in index],
                # if interrupted here, the next run resumes it at once
                retry=self.backfill.clock.now(),
            )

    def _settle(self, state: str, listed: int) -> None:
        self.found.state, self.found.listed = state, listed
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id, state, asked=self.backfill.clock.now(), listed=listed
            )


def _pending(nct_id: NctId, new: HistoryVersion) -> Version:
    """A version of the history as it will be stored."""
    return Version(
        snapshot_id=UNSTORED,
        nct_id=nct_id,
        version=0,
        registry_version=new.number,
        source=Source.HISTORY,
        state=State.PRESENT,
        digest=new.record.digest,
        posted=new.key.posted,
        submitted=new.submitted,
        observed=None,
        fetched=new.fetched,
        key=new.key,
    )


def _index_from(kept: Sequence[JsonObject]) -> Index:
    return tuple(IndexEntry(**{**one, "modules": tuple(one["modules"])}) for one in kept)


def _last_of_gap(stored: set[int], entry: IndexEntry, index: Index) -> int:
    """The number of the last version missing in a row with this one."""
    behind = (number for number in range(entry.number, len(index)) if number in stored)
    return next(behind, len(index)) - 1
