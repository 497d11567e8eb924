"""A site of plain files: index, one page per trial, latest reports, feed. Does no I/O."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ctsync.model import NctId
from ctsync.report.addresses import FEED, INDEX, LATEST, SiteLinks, day_of, trial_path
from ctsync.report.formats.feed import atom, entries, feed_title
from ctsync.report.formats.html import render_html
from ctsync.report.report import Report
from ctsync.report.sentences import about_line, coverage_line, window_line
from ctsync.report.trial.content import TrialContent
from ctsync.report.words.trial_heading import TrialHeading
from ctsync.web.page_templates import fill_page
from ctsync.web.pages.trial import render_page, version_row

HEADLINE_WITHIN = 65_536
"""The headline of a report is within the first characters of its file, this many."""
_HEADLINE = re.compile(r'<p class="headline">(.*?)</p>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One trial in the index; `level` is its level in the latest report, empty if not in it.

    `what` says in a few words what its newest version changed.
    """

    nct_id: NctId
    path: str
    heading: TrialHeading
    level: str
    status: str
    day: str
    what: str


@dataclass(frozen=True, slots=True)
class PastReport:
    """A daily report that the site has, and its headline."""

    path: str
    headline: str

    @property
    def day(self) -> str:
        """The day of the report."""
        return day_of(self.path) or ""


def build_site(
    stories: Iterable[TrialContent],
    latest: Report,
    *,
    earlier: Sequence[PastReport] = (),
    url: str = "",
) -> Iterator[tuple[str, str]]:
    """The files of the site as pairs of relative path and text, the index last.

    Trials are in the order of the latest report, then by id. `earlier` holds the daily reports
    that the site already has. `url` is the address of the site, which the feed needs for links
    that work outside of it; empty if unknown. No path contains remote text. All links lead to
    files of the site or to the registry.
    """
    levels = {trial.nct_id: trial.level.value for trial in latest.trials}
    rows = {}
    below = SiteLinks("../")
    for story in stories:
        place = f"{below.latest}#{story.nct_id}" if story.nct_id in levels else below.latest
        yield (
            trial_path(story.nct_id),
            render_page(story, latest.window, links=below, report=place),
        )
        rows[story.nct_id] = _row(story, levels.get(story.nct_id, ""))
    here = SiteLinks("", rows.keys())
    today = PastReport(report_path(latest), latest.headline)
    yield today.path, render_html(latest, links=replace(here, root="../"))
    yield LATEST, render_html(latest, links=here)
    yield FEED, _feed(latest, replace(here, root=f"{url}/" if url else ""))
    yield INDEX, _index(latest, rows, [today, *(one for one in earlier if one.day != today.day)])


def _feed(latest: Report, links: SiteLinks) -> str:
    versions = [entry for entry in entries(latest, links) if not entry.id.startswith("urn:")]
    own = links.feed if links.root else ""
    title = feed_title(latest)
    return atom(title, versions, updated=latest.window.until, page=links.index, own=own)


def _index(latest: Report, rows: dict[NctId, IndexRow], reports: Sequence[PastReport]) -> str:
    place = {trial.nct_id: trial.number for trial in latest.trials}
    last = len(place) + 1
    return fill_page(
        "index.html.j2",
        title=about_line(latest).replace("ctsync report:", "ctsync:", 1),
        window=window_line(latest),
        headline=latest.headline,
        links=SiteLinks(),
        rows=sorted(rows.values(), key=lambda row: (place.get(row.nct_id, last), row.nct_id)),
        reports=sorted(reports, key=lambda one: one.day, reverse=True),
        footer=[window_line(latest), coverage_line(latest), *latest.footer],
    )


def report_path(report: Report) -> str:
    """The path of a report: one per day, so a later report of a day replaces the earlier one."""
    return f"reports/{report.window.until:%Y-%m-%d}.html"


def headline_of(page: str) -> str:
    """The headline of a report from the beginning of its file; empty if it has none."""
    found = _HEADLINE.search(page)
    return html.unescape(found[1]) if found else ""


def _row(story: TrialContent, level: str) -> IndexRow:
    newest = story.versions[-1]
    row = version_row(newest, story.events)
    return IndexRow(
        nct_id=story.nct_id,
        path=trial_path(story.nct_id),
        heading=story.heading,
        level=level,
        status=row.status,
        day=newest.posted or f"{newest.fetched:%Y-%m-%d}",
        what=row.what,
    )
