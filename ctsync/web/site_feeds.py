"""The feeds of a site: of all changes, of each watch, and of each level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time

from ctsync.model import Level
from ctsync.questions.operation.load_days import load_days
from ctsync.report.addresses import Addresses, FeedLinks
from ctsync.report.formats.feed import atom, feed_title, json_feed, version_entries
from ctsync.report.report import Report
from ctsync.report.report_filter import ReportFilter
from ctsync.store.store import Store
from ctsync.web.frame import Frame
from ctsync.web.site_question import SiteQuestion

LEVELS = (Level.CRITICAL, Level.NOTABLE, Level.ROUTINE)
"""The levels with a feed of their own; the feed of all changes has the administrative ones too."""


def watch_names(store: Store, question: SiteQuestion) -> list[str]:
    """List the watches of a site, in the order of their names."""
    names = sorted(store.watches.origins())
    return [name for name in names if question.watch in {None, name}]


def listed_feeds(store: Store, question: SiteQuestion, here: Frame) -> tuple[FeedLinks, ...]:
    """Return every feed of the site, the one of all changes first, as a page `here` links to it."""
    links = here.links or Addresses()
    levels = [links.level_feed(level) for level in LEVELS]
    watches = [links.watch_feed(name) for name in watch_names(store, question)]
    return (*here.feeds, *levels, *watches)


def feed_files(store: Store, question: SiteQuestion, here: Frame) -> Iterator[tuple[str, str]]:
    """Yield each feed in both forms, as pairs of relative path and text."""
    links = here.links or Addresses()
    url = question.url
    days = load_days(store)
    # not the time of this site: a feed without an entry must stay the same file
    begin = datetime.combine(days[-1].day, time(), UTC) if days else question.now

    def pair(files: FeedLinks, report: Report, back: str) -> Iterator[tuple[str, str]]:
        root = f"{url}/" if url else back
        pages = replace(links, root=root)
        versions = version_entries(report, pages)
        title = feed_title(report)
        updated = max((one.updated for one in versions), default=begin)
        own, own_json = (root + files.atom, root + files.json) if url else ("", "")
        yield files.atom, atom(title, versions, updated=updated, page=pages.today, own=own)
        home = pages.today if url else ""
        yield files.json, json_feed(title, versions, page=home, own=own_json)

    yield from pair(here.feeds[0], question.feed_report(store), "")
    for level in LEVELS:
        chosen = ReportFilter(minimum=level)
        report = question.feed_report(store, selection=chosen)
        yield from pair(links.level_feed(level), report, "../")
    for name in watch_names(store, question):
        yield from pair(links.watch_feed(name), question.feed_report(store, watch=name), "../")
