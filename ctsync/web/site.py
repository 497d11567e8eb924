"""The files of a site: its pages, feeds and assets, from the answers of the questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.portfolio.portfolio import PortfolioQuestion, find_portfolio
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet
from ctsync.questions.portfolio.watches import followed_trials
from ctsync.questions.trial.trial_page import trial_page
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.report.addresses import Addresses
from ctsync.report.formats.feed import atom, entries, feed_title, json_feed
from ctsync.report.report import Report, Window
from ctsync.store.store import Store
from ctsync.web.asset_files import asset_files
from ctsync.web.frame import Frame
from ctsync.web.pages.all_trials import portfolio_pages
from ctsync.web.pages.today import today_page
from ctsync.web.pages.trial import render_page


@dataclass(frozen=True, slots=True)
class SiteQuestion:
    """The content of a site: its trials, the window of its changes, and its own address.

    The trials are those of `watch`, else all followed trials. `url` is needed for links in feeds
    that work outside of the site; empty if unknown. `rates` are the base rates shown beside
    changes; with None, changes have no context. `limit` is the most changes in a report.
    """

    window: Window
    watch: str | None = None
    url: str = ""
    limit: int | None = None
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)

    @property
    def now(self) -> datetime:
        """The time at which the site is made."""
        return self.window.until


def site_files(store: Store, question: SiteQuestion) -> Iterator[tuple[str, str | bytes]]:
    """Yield the files of the site as pairs of relative path and content, the first page last.

    No path contains remote text. All links lead to files of the site or to the registry.
    """
    trials = followed_trials(store, watch=question.watch)
    title = question.watch or "all watches"
    here = Frame(Addresses("", frozenset(trials)), title)
    below = Frame(Addresses("../", frozenset(trials)), title)
    latest = report_data(
        store,
        ReportQuestion(
            question.window,
            title=title,
            watch=question.watch,
            limit=question.limit,
            rates=question.rates,
        ),
    )
    yield from ((f"assets/{name}", text) for name, text in asset_files().items())
    for nct_id in trials:
        story = trial_page(store, nct_id, until=question.now, rates=question.rates)
        yield f"trials/{nct_id}.html", render_page(story, question.window, frame=below)
    yield from _feeds(latest, here, question.url)
    chosen = {PortfolioFacet.WATCH: [question.watch]} if question.watch else {}
    portfolio = find_portfolio(store, PortfolioQuestion(chosen), today=question.now.date())
    yield from portfolio_pages(here, portfolio)
    yield "index.html", today_page(here, latest)


def _feeds(latest: Report, here: Frame, url: str) -> Iterator[tuple[str, str]]:
    links = replace(here.links or Addresses(), root=f"{url}/" if url else "")
    versions = [entry for entry in entries(latest, links) if not entry.id.startswith("urn:")]
    title, updated = feed_title(latest), latest.window.until
    own = links.feed if url else ""
    yield "feed.atom", atom(title, versions, updated=updated, page=links.today, own=own)
    yield "feed.json", json_feed(title, versions)
