"""What a site shows. Does no I/O except to ask the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.operation.health import HealthFacts
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.rules.rules import Thresholds
from ctsync.report.report import Coverage, Report, Window
from ctsync.report.report_filter import EVERY_CHANGE, ReportFilter
from ctsync.store.store import Store

_IN_DETAIL = 25
"""Most trials of a page whose records are read: more than its cards, which show most of them."""
_ROWS = 50
"""Most trials of a kind that a page lists; thirty days of 10,000 trials have 1,500. It counts the
others and links to the list of changes."""


@dataclass(frozen=True, slots=True)
class SiteQuestion:
    """The content of a site: its trials, the window of its changes, and its own address.

    The trials are those of `watch`, else all followed trials. The newest `days` data refreshes have
    a page of their own. `url` is needed for links in feeds that work outside of the site; empty if
    unknown. `rates` are the base rates shown beside changes; with None, changes have no context.
    `limit` is the most changes in a report. `own_thresholds` are those of watches in the settings.
    `coverage` and `health` return what a server keeps of them; with None, each page reads them.
    """

    window: Window
    watch: str | None = None
    days: int = 30
    url: str = ""
    limit: int | None = None
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)
    thresholds: Thresholds = field(default_factory=Thresholds)
    own_thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    coverage: Callable[[], Coverage | None] | None = None
    health: Callable[[], HealthFacts] | None = None

    @property
    def now(self) -> datetime:
        """The time at which the site is made."""
        return self.window.until

    @property
    def title(self) -> str:
        """The name of the trials."""
        return self.watch or "all watches"

    def report(self, store: Store, window: Window) -> Report:
        """Report the changes of the site's trials in a window."""
        question = ReportQuestion(
            window,
            title=self.title,
            watch=self.watch,
            limit=self.limit,
            rates=self.rates,
            in_detail=_IN_DETAIL,
            most_rows=_ROWS,
            coverage=self.coverage,
        )
        return report_data(store, question)

    def feed_report(
        self, store: Store, *, watch: str | None = None, selection: ReportFilter = EVERY_CHANGE
    ) -> Report:
        """Report the changes of the site's window for a feed, of one watch and of a selection."""
        question = ReportQuestion(
            self.window,
            title=feed_name(watch or self.watch, selection),
            watch=watch or self.watch,
            limit=self.limit,
            drawn=False,
            rates=self.rates,
            selection=selection,
        )
        return report_data(store, question)


def feed_name(watch: str | None, selection: ReportFilter) -> str:
    """Name what a feed is about; two feeds with one name would count as the same feed."""
    return "; ".join(part for part in (watch or "all watches", selection.words()) if part)
