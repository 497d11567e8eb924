"""The page with the watches, and why each trial is in one or left it. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ctsync.model import KeyFields, NctId
from ctsync.questions.portfolio.watches import ListedWatch, WatchedTrialRow, query_text
from ctsync.record.enum_words import enum_words
from ctsync.report.addresses import FeedLinks
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

_MOST_OPEN = 30
"""Most trials of a watch that are not folded."""


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A trial of a watch, and why it is there; `has_left` if it no longer matches the query."""

    nct_id: NctId
    title: str
    sponsor: str
    status: str
    why: str
    has_left: bool = False


@dataclass(frozen=True, slots=True)
class WatchSection:
    """One watch with its trials; `query` is empty if it follows named trials only.

    `trials` is their number. `all_href` lists all of them if `rows` are not all.
    """

    name: str
    origin: str
    query: str
    listed: str
    matching: int
    left: int
    named: int
    rows: tuple[MemberRow, ...]
    trials: int
    all_href: str
    is_open: bool
    feed: FeedLinks | None


def watches_page(frame: Frame, watches: Sequence[ListedWatch]) -> str:
    """Write the page. It offers the feed of each watch, after the feed of all changes."""
    sections = [_section(one, frame) for one in watches]
    own = (*frame.feeds, *(one.feed for one in sections if one.feed))
    return fill_page("watches.html.j2", frame=replace(frame, own_feeds=own), watches=sections)


def _section(one: ListedWatch, frame: Frame) -> WatchSection:
    row = one.row
    return WatchSection(
        name=row.name,
        origin=row.origin,
        query=query_text(row) if row.query else "",
        listed=f"{row.listed:%Y-%m-%d}" if row.listed else "",
        matching=row.matching,
        left=row.left,
        named=sum(not trial.by_query for trial in row.trials),
        rows=tuple(_rows(one)),
        trials=len(row.trials) + len(row.merged),
        all_href=_trials_of(row.name, frame) if len(one.listed) < len(row.trials) else "",
        is_open=len(row.trials) <= _MOST_OPEN,
        feed=frame.links.watch_feed(row.name) if frame.links else None,
    )


def _trials_of(watch: str, frame: Frame) -> str:
    """Return the address of the list of a watch's trials, which only a server has."""
    query = urlencode({"watch": watch}, errors="replace")
    return f"{frame.links.trials}?{query}" if frame.links else ""


def _rows(one: ListedWatch) -> Iterator[MemberRow]:
    """Yield the listed trials, then those merged."""
    for trial in one.listed:
        key = one.keys.get(trial.nct_id, KeyFields())
        yield MemberRow(
            trial.nct_id,
            key.brief_title or "",
            key.lead_sponsor or "",
            enum_words(key.status) if key.status else "",
            why=_why(trial),
            has_left=trial.left_at is not None,
        )
    for merged in one.row.merged:
        yield MemberRow(merged.nct_id, "", "", "", why=f"merged into {merged.into}")


def _why(trial: WatchedTrialRow) -> str:
    if trial.unknown_since is not None:
        return f"not in the registry as of {trial.unknown_since:%Y-%m-%d}"
    if trial.left_at is not None:
        return f"left the query on {trial.left_at:%Y-%m-%d}; ctsync keeps following it"
    if trial.by_query:
        return "matches the query"
    return f"named as {trial.asked_as}" if trial.asked_as else "named"
