"""The whole registry gone through by its own listings: by eight leaves each, or in full.

A slim listing tells which trials differ from what is stored; those alone are fetched, as any
watched trial is. What a page showed and how far the listing has come is committed together, so
that a walk cut off anywhere goes on at the page it was at.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from ctsync.dates import Clock
from ctsync.model import KeyFields, NctId, Observation, RegistryVersion
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import Registry
from ctsync.registry.identity import at, identity_of
from ctsync.registry.listing import Cursor, ListingPage
from ctsync.store.store import Store, Unit
from ctsync.sync.assess import Assessor, assess_answers, read
from ctsync.sync.batch_writer import BatchWriter
from ctsync.sync.result import RunCallbacks

DELTA = "delta"
SWEEP = "sweep"
PAGES = "pages"
SLIM_PAGE = 1000
FULL_PAGE = 200
FETCHED_AT_ONCE = 500

SLIM = (
    "NCTId|NCTIdAlias|OverallStatus|LastKnownStatus|StatusVerifiedDate|LastUpdatePostDate|"
    "VersionHolder|HasResults"
)
"""About 0.5 KB a trial, and all that tells a change which moved no date of the record."""

_STATUS = ("protocolSection", "statusModule")


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a listing showed; `problem` is None where it showed all of one load."""

    ids: frozenset[NctId]
    differing: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FullScan:
    """Listings under one load.

    `awaits` says that a trial new to us is new in the registry; `followed` are the trials that
    somebody follows.
    """

    store: Store
    registry: Registry
    clock: Clock
    load: RegistryVersion
    keeping: BatchWriter
    thresholds: Thresholds
    watcher: RunCallbacks
    awaits: bool
    followed: Container[NctId]

    def delta(self, since: date, *, recent: date) -> ScanResult:
        """Fetch what was posted since a day and differs from what is stored, or is `recent`.

        What was posted from the day `recent` on is fetched whether it differs or not.
        """
        window = f"RANGE[{since.isoformat()},MAX]"
        wanted = f"AREA[LastUpdatePostDate]{window} OR AREA[StudyFirstPostDate]{window}"
        keep = partial(self._fetch_differing, recent=recent.isoformat())
        return self._walk(DELTA, {"filter.advanced": wanted, "fields": SLIM}, SLIM_PAGE, keep)

    def sweep(self) -> ScanResult:
        """Go through all trials by eight leaves each, and fetch what differs."""
        return self._walk(SWEEP, {"fields": SLIM}, SLIM_PAGE, self._fetch_differing)

    def pages(self) -> ScanResult:
        """Go through all trials in full, for a registry without a bulk download."""
        return self._walk(PAGES, {}, FULL_PAGE, self._compare_whole)

    def fetch(self, ids: Sequence[NctId]) -> None:
        """Fetch trials in full and keep what is found of them."""
        for start in range(0, len(ids), FETCHED_AT_ONCE):
            for examined in assess_answers(
                self.store,
                self.registry,
                ids[start : start + FETCHED_AT_ONCE],
                load=self.load,
                thresholds=self.thresholds,
                awaits=self.awaits,
                followed=self.followed,
            ):
                self.watcher.check()
                self.keeping.take(examined)
            self.keeping.flush()

    # --- a walk that can be gone on with -----------------------------------------------------

    def _walk(
        self, name: str, params: Mapping[str, str], size: int, keep: Callable[[ListingPage], int]
    ) -> ScanResult:
        walk = self.store.cursors.get(name)
        resume = None
        if walk.source and walk.token and walk.load == self.load.data_timestamp:
            resume = Cursor(walk.source, walk.token, walk.position, walk.total)
        seen = self.store.cursors.seen_ids(name) if resume else ()
        listing = self.registry.listing(params, page_size=size, resume=resume, seen=seen)
        differing = 0
        for page in listing:
            self.watcher.check()
            differing += keep(page)
            self.keeping.flush(self._advance(name, page))
            self.watcher.progress(min(page.number * size, listing.total or 0), listing.total or 0)
        return ScanResult(listing.ids, differing, listing.problem)

    def _advance(self, name: str, page: ListingPage) -> Callable[[Unit], None]:
        """Note that a page is kept; the last is noted by the end of the walk alone."""

        def advance(unit: Unit) -> None:
            following = page.following
            if following is None:
                return
            if page.number == 1:
                load = self.load.data_timestamp
                unit.cursors.begin(name, source=following.question, load=load)
            unit.cursors.advance(
                name,
                following.page,
                token=following.token,
                total=following.total,
                seen=_shown(page),
            )

        return advance

    # --- what a page shows -------------------------------------------------------------------

    def _fetch_differing(self, page: ListingPage, *, recent: str | None = None) -> int:
        """Fetch the trials of a slim page that differ, or were posted from day `recent` on."""
        shown = _shown(page)
        stored, absent = self.store.versions.newest_keys(shown), self.store.trials.absent_ids(shown)
        differing = [
            nct_id
            for nct_id, study in shown.items()
            if nct_id in absent
            or (key := stored.get(nct_id)) is None
            or _leaves_of(study) != _leaves_of_key(key)
            or (recent is not None and (key.posted or "") >= recent)
        ]
        tally = self.keeping.entry.tally
        tally.asked += len(shown)
        tally.same += len(shown) - len(differing)
        self.fetch(differing)
        return len(differing)

    def _compare_whole(self, page: ListingPage) -> int:
        """Compare the trials of a page in full; how many there are."""
        shown = _shown(page)
        heads, awaited = self.store.trials.heads(shown), self.store.trials.never_found(shown)
        examiner = Assessor(self.store, self.load, self.thresholds, self.followed)
        self.keeping.entry.tally.asked += len(shown)
        for nct_id, study in shown.items():
            now, observed = self.clock.now(), self.load.data_timestamp
            answer = Observation(nct_id, nct_id, study, now, observed)
            is_awaited = self.awaits or nct_id in awaited
            seen = read(answer)
            self.keeping.take(examiner.assess(nct_id, heads.get(nct_id), seen, awaited=is_awaited))
        return len(shown)


def _shown(page: ListingPage) -> dict[NctId, Any]:
    return {found.nct_id: study for study in page.studies if (found := identity_of(study))}


def _leaves_of(study: Any) -> tuple[Any, ...]:
    return (
        at(study, *_STATUS, "overallStatus"),
        at(study, *_STATUS, "lastKnownStatus"),
        at(study, *_STATUS, "statusVerifiedDate"),
        at(study, *_STATUS, "lastUpdatePostDateStruct", "date"),
        at(study, "hasResults") is True,
    )


def _leaves_of_key(key: KeyFields) -> tuple[Any, ...]:
    return (key.status, key.last_known_status, key.verified, key.posted, key.has_results)
