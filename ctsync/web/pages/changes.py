"""The page with the list of changes and its filters. Does no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any, TypeVar

from ctsync.model import Category, Kind, Level
from ctsync.questions.changes.change_list import ListedChange
from ctsync.report.alike_lines import alike
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

WordT = TypeVar("WordT", Level, Category, Kind)


@dataclass(frozen=True, slots=True)
class ChangePeriod:
    """The days that one page of the list covers, and the addresses of the pages beside it.

    `newer` and `older` are empty if there is no such page. `as_of` is the day of the newest
    registry data, on pages that show it.
    """

    since: date
    until: date
    newer: str = ""
    older: str = ""
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class ChangeFilters:
    """The values of each filter that select at least one change of the page."""

    levels: tuple[Level, ...]
    categories: tuple[Category, ...]
    kinds: tuple[Kind, ...]
    watches: tuple[str, ...]
    sponsors: tuple[str, ...]


def changes_page(frame: Frame, changes: Sequence[ListedChange], period: ChangePeriod) -> str:
    """Write the page; `changes` are those of the period, newest day first."""
    values = changes_values(frame, changes, period)
    return fill_page("changes.html.j2", **values, filters=_filters(changes))


def changes_values(
    frame: Frame, changes: Sequence[ListedChange], period: ChangePeriod
) -> dict[str, Any]:
    """Return what the template needs for the list."""
    days = [
        (day, list(_by_trial(found))) for day, found in groupby(changes, key=lambda one: one.day)
    ]
    counted_days = [(day, trials, sum(len(rows) for _, rows in trials)) for day, trials in days]
    total = sum(lines for _, _, lines in counted_days)
    return {"frame": frame, "days": counted_days, "total": total, "period": period}


def monday_of(day: date) -> date:
    """Return the first day of the week of a day."""
    return day - timedelta(days=day.weekday())


def _by_trial(
    changes: Iterable[ListedChange],
) -> Iterator[tuple[ListedChange, Sequence[ListedChange]]]:
    """Yield the first change of each trial with its changes.

    One line stands for the items of a list that changed in the same way.
    """
    for _, found in groupby(changes, key=lambda one: one.nct_id):
        several = list(found)
        lines = alike(one.line for one in several)
        yield several[0], [replace(several[0], line=line) for line in lines]


def _filters(changes: Sequence[ListedChange]) -> ChangeFilters:
    events = [one.line.stored.event for one in changes]
    return ChangeFilters(
        levels=_in_order(Level, {event.level for event in events}),
        categories=_in_order(Category, {event.category for event in events}),
        kinds=_in_order(Kind, {event.kind for event in events}),
        watches=tuple(sorted({name for one in changes for name in one.watches})),
        sponsors=tuple(sorted({one.heading.sponsor for one in changes} - {""}, key=str.casefold)),
    )


def _in_order(words: Iterable[WordT], found: Collection[WordT]) -> tuple[WordT, ...]:
    return tuple(word for word in words if word in found)
