"""A site of plain files: index, one page per trial, latest reports, feed. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ctsync.model import NctId, State
from ctsync.record.trial_line import state_of
from ctsync.report.formats.feed import atom, entries, feed_title
from ctsync.report.formats.html import render_html
from ctsync.report.html_templates import fill
from ctsync.report.report import Report
from ctsync.report.sentences import about_line, coverage_line, window_line
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.page import render_page, worst

FEED = "feed.atom"
LATEST = "latest.html"
_INDEX = "index.html"
_HOME = f"../{_INDEX}"
_KEPT = re.compile(r"reports/(\d{4}-\d{2}-\d{2})\.html")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One trial in the index; `level` is its level in the latest report, empty if not in it."""

    nct_id: NctId
    path: str
    title: str
    level: str
    status: str
    changed: str


@dataclass(frozen=True, slots=True)
class Link:
    """A file of the site and the text of the link to it."""

    path: str
    label: str


def build_site(
    stories: Iterable[TrialContent], latest: Report, *, earlier: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """The files of the site as pairs of relative path and text, the index last.

    Trials are in the order of the latest report, then by id. `earlier` holds the paths of the
    daily reports that the site already has. No path contains remote text. All links lead to
    files of the site or to the registry.
    """
    page = render_html(latest)
    today = report_path(latest)
    yield LATEST, page
    yield today, page
    rows = []
    levels = {trial.nct_id: trial.level.value for trial in latest.trials}
    for story in stories:
        yield f"trials/{story.nct_id}.html", render_page(story, latest.window, home=_HOME)
        rows.append(_row(story, levels.get(story.nct_id, ""), latest))
    place = {trial.nct_id: trial.number for trial in latest.trials}
    last = len(place) + 1
    versions = [entry for entry in entries(latest) if not entry.id.startswith("urn:")]
    yield FEED, atom(feed_title(latest), versions, updated=latest.window.until, page=_INDEX)
    others = sorted({*earlier, today} - {today}, reverse=True)
    links = [
        Link(LATEST, "latest report"),
        Link(FEED, "feed"),
        *(Link(path, f"report of {day_of(path)}") for path in others),
    ]
    yield (
        _INDEX,
        fill(
            "index.html.j2",
            title=about_line(latest),
            headline=latest.headline,
            links=links,
            rows=sorted(rows, key=lambda row: (place.get(row.nct_id, last), row.nct_id)),
            footer=[window_line(latest), coverage_line(latest), *latest.footer],
        ),
    )


def report_path(report: Report) -> str:
    """The path of a report: one per day, so a later report of a day replaces the earlier one."""
    return f"reports/{report.window.until:%Y-%m-%d}.html"


def day_of(path: str) -> str | None:
    """The day of the report at `path`; None for other files."""
    found = _KEPT.fullmatch(path)
    return found[1] if found else None


def _row(story: TrialContent, level: str, latest: Report) -> IndexRow:
    newest = story.versions[-1]
    is_present = newest.state is State.PRESENT
    day = latest.window.until.date()
    told = worst(stored for stored in story.events if stored.to_version == newest.version)
    changed = newest.posted or f"{newest.fetched:%Y-%m-%d}"
    return IndexRow(
        nct_id=story.nct_id,
        path=f"trials/{story.nct_id}.html",
        title=story.title,
        level=level,
        status=state_of(newest.key, on=day) if is_present else newest.state.capitalize(),
        changed=f"{changed} ({told.value})" if told else changed,
    )
