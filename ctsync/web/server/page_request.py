"""What a page of the server is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar

from ctsync.config.settings import Settings
from ctsync.model import NctId
from ctsync.nct_id import parse_nct_id
from ctsync.questions.changes.coverage import coverage_of
from ctsync.questions.changes.rules import own_thresholds, thresholds_in_force
from ctsync.questions.operation.health_state import health_facts
from ctsync.questions.operation.load_days import LoadDay, load_days
from ctsync.questions.portfolio.base_rates import rates_in_use
from ctsync.questions.portfolio.portfolio_index import PortfolioIndex
from ctsync.questions.trial.record_facts import KeepHeading
from ctsync.record.context import BaseRates
from ctsync.report.addresses import Addresses
from ctsync.report.report import Window
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store
from ctsync.web.frame import Frame
from ctsync.web.server.kept_values import Content
from ctsync.web.server.query_parameters import QueryParameters
from ctsync.web.site_question import SiteQuestion

ValueT = TypeVar("ValueT")

FIRST_PAGE_WINDOW = timedelta(days=30)
_MOST_LINES = 5_000


class Keep(Protocol):
    """Returns the value of a name, which it makes once for all pages of the same revision."""

    def __call__(self, name: str, make: Callable[[], ValueT], /) -> ValueT:
        """Return the value."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request: a view of the database, the address, and the time.

    `path` holds the parts of the address that vary. `origin` is the address of the server as the
    reader sees it, without a slash at its end; empty if unknown. `portfolio` returns the followed
    trials on the day of the newest registry data, which the server keeps. `kept` keeps other values
    that several pages need, and `keep_heading` the headings of records.
    """

    store: Store
    now: datetime
    settings: Settings
    links: Addresses
    parameters: QueryParameters
    path: Mapping[str, str]
    origin: str
    portfolio: Callable[[], tuple[date, PortfolioIndex]]
    kept: Keep
    keep_heading: KeepHeading

    @property
    def frame(self) -> Frame:
        """What surrounds the page."""
        return Frame(self.links, "all watches")

    @property
    def absolute_links(self) -> Addresses:
        """The addresses for a feed, which readers open outside of the server."""
        return replace(self.links, root=self.origin + self.links.root)

    @property
    def nct_id(self) -> NctId:
        """The trial that the address names. Raises BadNctId."""
        return parse_nct_id(self.path["nct_id"])

    @property
    def rates(self) -> BaseRates | None:
        """The base rates to show beside changes; None if the settings switch them off."""
        return rates_in_use(self.store) if self.settings.reports.context else None

    @property
    def days(self) -> Sequence[LoadDay]:
        """The days with registry data, newest first."""
        return self.kept("days", lambda: load_days(self.store))

    def question(self) -> SiteQuestion:
        """Return the question of a site of all watches."""
        return SiteQuestion(
            Window(self.now - FIRST_PAGE_WINDOW, self.now),
            url=self.origin,
            limit=_MOST_LINES,
            rates=self.rates,
            thresholds=thresholds_in_force(self.settings),
            own_thresholds=own_thresholds(self.settings, self.store),
            coverage=lambda: self.kept(
                "coverage", lambda: coverage_of(self.store, TrialSelection())
            ),
            health=lambda: self.kept("health", lambda: health_facts(self.store, now=self.now)),
        )


Page = Callable[[PageRequest], Content]
"""Makes a page. Raises CtsyncError with one sentence for people."""


def html(text: str) -> Content:
    """Return a page as the body of an answer."""
    return Content(text.encode(errors="backslashreplace"))
