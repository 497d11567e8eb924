"""The pages in the pictures, built from their records by ctsync itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from ctsync.demo.story import load_of
from ctsync.errors import RegistryError
from ctsync.model import Answer, JsonObject, NctId, Observation, RegistryVersion
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.trial.trial_page import trial_page
from ctsync.registry.http.response import RequestCounts
from ctsync.registry.listing import MOST_RESTARTS, PAGE_SIZE, Cursor, Listing
from ctsync.report.addresses import Addresses
from ctsync.report.formats.html import render_html
from ctsync.report.report import Window
from ctsync.store.store import Store, open_store
from ctsync.sync.trial_pass import TrialPass
from ctsync.web.frame import Frame
from ctsync.web.pages.trial import render_page
from docs.pictures.records import LAST_DAY, SLIPPING, records

Records = Mapping[NctId, Mapping[date, JsonObject]]


@dataclass
class PictureClock:
    """A clock that shows an hour after the load of `day`."""

    day: date

    def now(self) -> datetime:
        """The time."""
        return load_of(self.day) + timedelta(hours=1)

    def monotonic(self) -> float:
        """Seconds from an arbitrary moment."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Return at once: nothing here waits."""


@dataclass
class PictureRegistry:
    """A registry in memory that answers for single trials, as of the day of its clock."""

    records: Records
    clock: PictureClock
    counts: RequestCounts = field(default_factory=RequestCounts)
    other_loads: Mapping[date, int] = field(default_factory=dict)

    def known(self) -> list[NctId]:
        """The trials that are registered on the day."""
        return [nct_id for nct_id, found in self.records.items() if min(found) <= self.clock.day]

    def version(self, *, retry: bool = True) -> RegistryVersion:  # noqa: ARG002 - no request
        """The load of the day."""
        return RegistryVersion("2.0.5", load_of(self.clock.day))

    def check_load(self, load: datetime) -> None:
        """Accept every load: the clock and the registry show the same day."""

    def studies(
        self,
        ids: Sequence[NctId],
        load: RegistryVersion,
        *,
        known_absent: Collection[NctId] = (),  # noqa: ARG002 - the signature is the registry's
    ) -> Iterator[Answer]:
        """One answer per id."""
        return (self.study(nct_id, load) for nct_id in ids)

    def study(self, nct_id: NctId, load: RegistryVersion) -> Answer:
        """The newest version up to the day."""
        found = self.records[nct_id]
        newest = max(day for day in found if day <= self.clock.day)
        return Observation(nct_id, nct_id, found[newest], self.clock.now(), load.data_timestamp)

    def find_org_id(self, text: str, *, retry: bool = True) -> tuple[NctId, ...]:
        """Not for pictures."""
        raise NotImplementedError

    def listing(
        self,
        params: Mapping[str, str],
        *,
        page_size: int = PAGE_SIZE,
        resume: Cursor | None = None,
        seen: Iterable[NctId] = (),
        restarts: int = MOST_RESTARTS,
    ) -> Listing:
        """Not for pictures."""
        raise NotImplementedError

    def fields_of(
        self, ids: Sequence[NctId], fields: str
    ) -> Iterator[tuple[Sequence[NctId], list[Any] | RegistryError]]:
        """Not for pictures."""
        raise NotImplementedError

    def matching(self, params: Mapping[str, str], ids: Collection[NctId]) -> dict[NctId, NctId]:
        """Not for pictures."""
        raise NotImplementedError


def build_pages(folder: Path) -> dict[str, str]:
    """The pages by the name of their picture; keeps its database in `folder`."""
    found = records()
    clock = PictureClock(LAST_DAY)
    with open_store(f"sqlite:///{folder / 'pictures.db'}", clock=clock) as store:
        _sync(store, found, clock)
        end = datetime.combine(LAST_DAY, time(12), load_of(LAST_DAY).tzinfo)
        window = Window(end - timedelta(days=7), end)
        links = Addresses("", found)
        report = report_data(store, ReportQuestion(window, title="illustrative trials"))
        content = trial_page(store, SLIPPING, until=end)
        return {
            "report": render_html(report, links=links),
            "trial": render_page(content, window, frame=Frame(links, is_alone=True)),
        }


def _sync(store: Store, found: Records, clock: PictureClock) -> None:
    """Sync on each day that brought a version, and on the last day."""
    registry = PictureRegistry(found, clock)
    for day in sorted({*(day for versions in found.values() for day in versions), LAST_DAY}):
        clock.day = day
        ids = registry.known()
        with store.unit() as unit:
            unit.watches.add_trials("illustrations", dict.fromkeys(ids), clock.now())
        TrialPass(store=store, registry=registry, clock=clock).run(ids)
