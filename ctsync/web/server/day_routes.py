"""The first page, and the pages of earlier days and of periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ctsync.errors import UnknownVersion, UsageError
from ctsync.questions.operation.load_days import LoadDay
from ctsync.web.pages.today import days_page
from ctsync.web.server.kept_values import Content
from ctsync.web.server.page_request import PageRequest, html
from ctsync.web.site_days import DayPages

_MOST_DAYS = 92


def today(asked: PageRequest) -> Content:
    """The newest data refresh, `day`, or the last `days` days."""
    given = asked.parameters
    given.require_known(("day", "days"))
    day, number = given.day("day"), given.number("days", 0, most=_MOST_DAYS)
    if day is not None and number:
        raise UsageError("give day or days, not both")
    days = asked.days
    question, frame = asked.question(), asked.frame
    pages = DayPages(asked.store, question, days)
    if number:
        return html(days_page(frame, pages.of_period(frame, number)))
    place = 0 if day is None else _place(days, day)
    if place:
        later, earlier = days[place - 1], days[place + 1] if place + 1 < len(days) else None
        return html(days_page(frame, pages.of_day(frame, days[place], earlier, later)))
    newest = DayPages(asked.store, question, days[: question.days])
    return html(days_page(frame, newest.newest(frame)))


def _place(days: Sequence[LoadDay], day: date) -> int:
    """Return the place of the last day with registry data up to a day; newest first."""
    for place, one in enumerate(days):
        if one.day <= day:
            return place
    first = f"; the first data are of {days[-1].day}" if days else ""
    raise UnknownVersion(f"no registry data of {day} or earlier are stored{first}")
