"""A site of plain files: an index, a page a trial, the newest reports, a feed. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ctsync.model import NctId, State
from ctsync.report.feed import atom, entries
from ctsync.report.headline import state
from ctsync.report.markup import fill
from ctsync.report.page import Story, render_page, worst
from ctsync.report.render_html import render_html
from ctsync.report.sentences import about_line, coverage_line, window_line
from ctsync.report.values import Report

FEED = "feed.atom"
LATEST = "latest.html"


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One trial of the index; `level` is that of its newest change in the latest report."""

    nct_id: NctId
    path: str
    title: str
    level: str
    status: str
    changed: str


@dataclass(frozen=True, slots=True)
class Link:
    """A file of the site and what it is called."""

    path: str
    label: str


def build_site(stories: Sequence[Story], reports: Sequence[Report]) -> Mapping[str, str]:
    """The files of the site by their path within it; `reports` come newest first.

    Trials stand in the order of the newest report, then by id. No path is made from remote
    text, and nothing in a file points outside but to the registry.
    """
    latest = reports[0]
    files = {LATEST: render_html(latest)}
    links = [Link(LATEST, "latest report")]
    for report in reports[1:]:
        path = f"reports/{report.window.until:%Y-%m-%d}-{report.report_id}.html"
        files[path] = render_html(report)
        links.append(Link(path, f"report of {report.window.until:%Y-%m-%d}"))
    for story in stories:
        files[_path(story)] = render_page(story, latest.window, home="../index.html")
    told = {entry.id: entry for entry in chain.from_iterable(map(entries, reversed(reports)))}
    feed = sorted(told.values(), key=lambda entry: entry.updated, reverse=True)
    files[FEED] = atom(latest.title, feed, updated=latest.window.until)
    files["index.html"] = fill(
        "index.html.j2",
        title=about_line(latest),
        headline=latest.headline,
        links=[*links, Link(FEED, "feed")],
        rows=_rows(stories, latest),
        footer=[window_line(latest), coverage_line(latest), *latest.footer],
    )
    return files


def _path(story: Story) -> str:
    return f"trials/{story.nct_id}.html"


def _rows(stories: Sequence[Story], latest: Report) -> list[IndexRow]:
    place = {trial.nct_id: trial.number for trial in latest.trials}
    last = len(place) + 1
    ordered = sorted(stories, key=lambda story: (place.get(story.nct_id, last), story.nct_id))
    levels = {trial.nct_id: trial.level.value for trial in latest.trials}
    return [_row(story, levels.get(story.nct_id, ""), latest) for story in ordered]


def _row(story: Story, level: str, latest: Report) -> IndexRow:
    newest = story.versions[-1]
    is_present = newest.state is State.PRESENT
    told = worst(stored for stored in story.events if stored.to_version == newest.version)
    changed = newest.posted or f"{newest.fetched:%Y-%m-%d}"
    return IndexRow(
        nct_id=story.nct_id,
        path=_path(story),
        title=story.title,
        level=level,
        status=state(newest.key, latest.window.until) if is_present else newest.state.upper(),
        changed=f"{changed} ({told.value})" if told else changed,
    )
