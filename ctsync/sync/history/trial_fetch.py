"""Fetches the history of one trial: its index, then the versions in scope that are not stored.

The index stays stored until all versions are, so that what is not fetched can be named.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Protocol

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
from ctsync.model import JsonObject, ListedVersion, NctId, Version
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.record_history import HistoryTransport, Index, IndexEntry
from ctsync.store.data.failures import FIRST_RETRY, LONGEST_RETRY
from ctsync.store.data.history_versions import COMPLETE, LISTED, NONE, PARTIAL, UNAVAILABLE
from ctsync.sync.history.fetch_scope import EVERY_VERSION, FetchScope
from ctsync.sync.history.history_writer import HistoryWriter
from ctsync.sync.result import RunCallbacks
from ctsync.text import for_log

log = logging.getLogger(__name__)

MOST_INDEXES = 3
TRIAL_SECONDS = 900.0
"""Time limit for one trial, which holds the lock. The longest known history takes 5 minutes."""

NOT_ASKED = "not asked"
"""The state, in a result, of a trial whose history this run did not request."""

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
    - `unfetched`: the number of versions that the registry lists, and that are not fetched.
    - `refused`: the edge refused even the index.
    """

    nct_id: NctId
    state: str = ""
    listed: int | None = None
    stored: int = 0
    joined: int = 0
    error: str = ""
    refused: bool = False
    unfetched: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing of the wanted versions is left to fetch."""
        return self.state in {COMPLETE, LISTED, NONE}


class TrialFetch:
    """The fetch of one trial's history; `later` requests of the run are expected after it."""

    def __init__(
        self,
        writer: HistoryWriter,
        history: History,
        *,
        watcher: RunCallbacks,
        scope: FetchScope | None,
        later: int,
    ) -> None:
        self.writer, self.history, self.watcher = writer, history, watcher
        self.store, self.clock, self.nct_id = writer.store, writer.clock, writer.nct_id
        self.later = later
        self.found = FetchedHistory(self.nct_id)
        self.known = self.store.histories.states([self.nct_id]).get(self.nct_id)
        self.began = self.history.counts.requests
        self.started = 0.0
        self.scope, self.resumes = scope or EVERY_VERSION, scope is None

    def fetch(self) -> FetchedHistory:
        """Fetch the versions that are not stored; never raises for an error of this trial."""
        # not started in __init__: waiting for the lock may take minutes
        self.started = self.clock.monotonic()
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
        now = self.clock.now()
        state = f"{PARTIAL if stored else UNAVAILABLE} ({reason})"
        if known is not None and known.state == COMPLETE and self.found.listed is None:
            state = COMPLETE  # as of the last successful request
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id,
                state,
                asked=known.asked if known and state == COMPLETE else now,
                index=self.store.histories.unfinished(self.nct_id).index,
                labels=self.scope.labels,
                retry=now + wait,
                failed=failed,
            )
        log.warning("history nct_id=%s state=%s reason=%s", self.nct_id, state, for_log(error))
        self.found.state, self.found.error = state, error
        return self.found

    def _fetch(self) -> None:
        unfinished = self.store.histories.unfinished(self.nct_id)
        if self.resumes:
            self.scope = FetchScope(unfinished.labels)
        # if only the index is wanted, a kept one must not stand for the newest
        kept = None if self.scope.is_index_only else unfinished.index
        index = _index_from(kept) if kept else self.history.index(self.nct_id)
        if index is None or not (index or self._stored()):
            self._settle_without()
            return
        unread = self._fetch_missing(index)
        is_new = kept or unread or self.found.stored or self.found.joined
        if is_new and not self.scope.is_index_only:
            index, unread = self._confirm(index, unread)
        if unread:
            self._give_up(*_reason_for(unread, self.found.error))
            return
        self._settle(index)
        if self.scope.is_index_only:
            self.watcher.progress(1, 1 + self.later)

    def _confirm(self, index: Index, unread: dict[int, str]) -> tuple[Index, dict[int, str]]:
        """Request the index again until it equals the one whose versions were fetched."""
        for _ in range(MOST_INDEXES):
            self.watcher.check()
            again = self.history.index(self.nct_id)
            if again is None:
                raise BadAnswer(f"{self.nct_id}: the registry removed the history during the fetch")
            if again == index:
                return index, unread
            index, unread = again, self._fetch_missing(again)
        raise StalePage(f"{self.nct_id}: the history changed repeatedly during the fetch")

    def _fetch_missing(self, index: Index) -> dict[int, str]:
        """Fetch and store the versions of an index that are in scope and missing.

        Returns the numbers of the unusable versions, each with the reason.
        """
        self.found.listed = len(index)
        stored = self._check(index)
        wanted = self.scope.selects(index) - stored
        missing = [entry for entry in index if entry.number in wanted]
        unread: dict[int, str] = {}
        if missing:
            self._note_index(index)
        for done, entry in enumerate(missing):
            self.watcher.check()
            if done and self.clock.monotonic() - self.started > TRIAL_SECONDS:
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
            self.watcher.progress(sent, sent + len(missing) - done + self.later)
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
                asked=self.clock.now(),
                listed=len(index),
                index=[asdict(entry) | {"modules": sorted(entry.modules)} for entry in index],
                labels=self.scope.labels,
                # if interrupted here, the next run resumes without a wait
                retry=self.clock.now(),
            )
            unit.listed.replace(self.nct_id, _listed(self.nct_id, index))

    def _settle(self, index: Index) -> None:
        """Store that nothing in scope is left to fetch, and the index if it has other versions."""
        stored = {version.registry_version for version in self._versions()}
        is_complete = all(entry.number in stored for entry in index)
        self.found.state, self.found.listed = COMPLETE if is_complete else LISTED, len(index)
        with self.store.unit() as unit:
            unit.histories.set_state(
                self.nct_id,
                self.found.state,
                asked=self.clock.now(),
                listed=len(index),
                labels=None if is_complete else self.scope.labels,
            )
            unit.listed.replace(self.nct_id, () if is_complete else _listed(self.nct_id, index))
        self.found.unfetched = len(self.store.listed.unfetched(self.nct_id))

    def _settle_without(self) -> None:
        """Store that the registry has no history of the trial."""
        self.found.state, self.found.listed = NONE, 0
        with self.store.unit() as unit:
            unit.histories.set_state(self.nct_id, NONE, asked=self.clock.now(), listed=0)
            unit.listed.delete(self.nct_id)


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


def _listed(nct_id: NctId, index: Index) -> list[ListedVersion]:
    return [
        ListedVersion(nct_id, entry.number, entry.date, entry.status, entry.modules)
        for entry in index
    ]


def _last_of_gap(stored: set[int], entry: IndexEntry, index: Index) -> int:
    """Return the number of the last version in the same gap as this one."""
    behind = (number for number in range(entry.number, len(index)) if number in stored)
    return next(behind, len(index)) - 1
