"""Scans of the registry's own listings: eight fields per trial, or full records.

A slim listing shows which trials differ from the stored versions. Only these are fetched, as in a
sync. A page's results and the position of the scan are committed together. An interrupted scan
resumes at the same page.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from ctsync.dates import Clock
from ctsync.model import KeyFields, NctId, Observation, RegistryVersion
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.identity import at, identity_of
from ctsync.registry.interface import Registry
from ctsync.registry.listing import Cursor, ListingPage
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.assessment.assess import Assessor, assess_answers, first_load, read
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
"""About 0.5 KB per trial, and enough to find changes that updated no date of the record."""

_STATUS = ("protocolSection", "statusModule")


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The result of a scan; `problem` is None if it showed all trials of one load."""

    ids: frozenset[NctId]
    differing: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FullScan:
    """Scans under one load.

    `complete_load` is the last load of which every trial was stored. `followed` are the followed
    trials.
    """

    store: Store
    registry: Registry
    clock: Clock
    load: RegistryVersion
    keeping: BatchWriter
    thresholds: Thresholds
    watcher: RunCallbacks
    complete_load: datetime | None
    followed: Container[NctId]

    def delta(self, since: date, *, recent: date) -> ScanResult:
        """Fetch the trials posted since a day that differ from the stored versions.

        Trials posted on the day `recent` or later are fetched whether they differ or not.
        """
        window = f"RANGE[{since.isoformat()},MAX]"
        wanted = f"AREA[LastUpdatePostDate]{window} OR AREA[StudyFirstPostDate]{window}"
        keep = partial(self._fetch_differing, recent=recent.isoformat())
        return self._scan(DELTA, {"filter.advanced": wanted, "fields": SLIM}, SLIM_PAGE, keep)

    def sweep(self) -> ScanResult:
        """Compare eight fields of every trial, and fetch the trials that differ."""
        return self._scan(SWEEP, {"fields": SLIM}, SLIM_PAGE, self._fetch_differing)

    def pages(self) -> ScanResult:
        """Compare every trial in full, for a registry without a bulk download."""
        return self._scan(PAGES, {}, FULL_PAGE, self._compare_in_full)

    def fetch(self, ids: Sequence[NctId]) -> None:
        """Fetch trials in full and store the results."""
        for start in range(0, len(ids), FETCHED_AT_ONCE):
            for examined in assess_answers(
                self.store,
                self.registry,
                ids[start : start + FETCHED_AT_ONCE],
                load=self.load,
                thresholds=self.thresholds,
                complete_load=self.complete_load,
                followed=self.followed,
            ):
                self.watcher.check()
                self.keeping.take(examined)
            self.keeping.flush()

    # --- a scan that can be resumed ----------------------------------------------------------

    def _scan(
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
            total = listing.total or 0
            self.watcher.progress(min(listing.count, total), total)
        return ScanResult(listing.ids, differing, listing.problem)

    def _advance(self, name: str, page: ListingPage) -> Callable[[Unit], None]:
        """Return the write that records a stored page; the end of the scan records the last one."""

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

    # --- one page ----------------------------------------------------------------------------

    def _fetch_differing(self, page: ListingPage, *, recent: str | None = None) -> int:
        """Fetch the trials of a slim page that differ or were posted on day `recent` or later."""
        shown = _shown(page)
        stored, absent = self.store.versions.newest_keys(shown), self.store.trials.absent_ids(shown)
        differing = [
            nct_id
            for nct_id, study in shown.items()
            if nct_id in absent
            or (key := stored.get(nct_id)) is None
            or _fields_of(study) != _fields_of_key(key)
            or (recent is not None and (key.posted or "") >= recent)
        ]
        tally = self.keeping.entry.tally
        tally.asked += len(shown)
        tally.same += len(shown) - len(differing)
        self.fetch(differing)
        return len(differing)

    def _compare_in_full(self, page: ListingPage) -> int:
        """Compare the trials of a page in full; return their number."""
        shown = _shown(page)
        heads, never_found = self.store.trials.heads(shown), self.store.trials.never_found(shown)
        assessor = Assessor(self.store, self.load, self.thresholds, self.followed)
        self.keeping.entry.tally.asked += len(shown)
        for nct_id, study in shown.items():
            now, observed = self.clock.now(), self.load.data_timestamp
            answer = Observation(nct_id, nct_id, study, now, observed)
            lacked = first_load(self.complete_load, never_found.get(nct_id))
            head = heads.get(nct_id)
            seen = read(answer, head)
            self.keeping.take(
                assessor.assess(nct_id, head, seen, awaited=lacked is not None, lacked=lacked)
            )
        return len(shown)


def _shown(page: ListingPage) -> dict[NctId, Any]:
    return {found.nct_id: study for study in page.studies if (found := identity_of(study))}


def _fields_of(study: Any) -> tuple[Any, ...]:
    return (
        at(study, *_STATUS, "overallStatus"),
        at(study, *_STATUS, "lastKnownStatus"),
        at(study, *_STATUS, "statusVerifiedDate"),
        at(study, *_STATUS, "lastUpdatePostDateStruct", "date"),
        at(study, "hasResults") is True,
    )


def _fields_of_key(key: KeyFields) -> tuple[Any, ...]:
    return (key.status, key.last_known_status, key.verified, key.posted, key.has_results)
