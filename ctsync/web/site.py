"""The files of a site: its pages, feeds and assets, from the answers of the questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ctsync.questions.portfolio.milestones import find_milestones
from ctsync.questions.portfolio.portfolio import PortfolioPageRow, PortfolioQuestion, find_portfolio
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet
from ctsync.questions.portfolio.watches import followed_trials
from ctsync.report.addresses import Addresses
from ctsync.store.store import Store
from ctsync.web.asset_files import asset_files
from ctsync.web.frame import Frame
from ctsync.web.pages.all_trials import portfolio_pages
from ctsync.web.site_days import day_pages, week_pages
from ctsync.web.site_feeds import feed_files, listed_feeds
from ctsync.web.site_operation import operation_pages
from ctsync.web.site_question import SiteQuestion
from ctsync.web.site_trials import trial_pages


def site_files(store: Store, question: SiteQuestion) -> Iterator[tuple[str, str | bytes]]:
    """Yield the files of the site as pairs of relative path and content, the first page last.

    No path contains remote text. All links lead to files of the site or to the registry.
    """
    trials = followed_trials(store, watch=question.watch)
    here = Frame(Addresses("", frozenset(trials)), question.title)
    below = Frame(Addresses("../", frozenset(trials)), question.title)
    yield from ((f"assets/{name}", text) for name, text in asset_files().items())
    yield from trial_pages(store, question, trials, below)
    portfolio = _portfolio(store, question)
    ids = [row.nct_id for row in portfolio.rows]
    milestones = list(find_milestones(store, trials=ids, today=question.now.date()))
    yield from portfolio_pages(here, portfolio, milestones)
    yield from feed_files(store, question, here)
    yield from operation_pages(store, question, here)
    listing = replace(here, own_feeds=listed_feeds(store, question, here))
    yield from week_pages(store, question, here=listing, below=below)
    yield from day_pages(store, question, here=here, below=below)


def _portfolio(store: Store, question: SiteQuestion) -> PortfolioPageRow:
    chosen = {PortfolioFacet.WATCH: [question.watch]} if question.watch else {}
    return find_portfolio(store, PortfolioQuestion(chosen), today=question.now.date())
