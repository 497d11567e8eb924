"""The pages of a site about days: the changes of each day, and the list of changes by week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from ctsync.questions.changes.change_list import ListedChange, list_changes
from ctsync.questions.changes.rules import rule_table_row
from ctsync.questions.operation.health import assess
from ctsync.questions.operation.health_state import health_facts
from ctsync.questions.operation.load_days import LoadDay, load_days
from ctsync.report.addresses import Addresses
from ctsync.report.report import Window
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from ctsync.web.frame import Frame
from ctsync.web.pages.changes import ChangePeriod, changes_page, monday_of
from ctsync.web.pages.today import DaysContent, PeriodLinks, day_words, days_page
from ctsync.web.site_question import SiteQuestion

PERIODS = (7, 30)
"""The numbers of days with a page of their own."""
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


def day_pages(
    store: Store, question: SiteQuestion, *, here: Frame, below: Frame
) -> Iterator[tuple[str, str]]:
    """Yield a page per day with registry data, one per period, and the first page.

    The first page shows the newest day. A page of an earlier day names no time of this site, so
    that it stays the same file.
    """
    days = load_days(store, most=question.days)
    pages = DayPages(store, question, days)
    for place, day in enumerate(days):
        later = days[place - 1] if place else None
        earlier = days[place + 1] if place + 1 < len(days) else None
        yield f"days/{day.day}.html", days_page(below, pages.of_day(below, day, earlier, later))
    for number in PERIODS:
        yield f"days/last-{number}.html", days_page(below, pages.of_period(below, number))
    yield "index.html", days_page(here, pages.newest(here))


class DayPages:
    """Makes the content of the pages of days."""

    def __init__(self, store: Store, question: SiteQuestion, days: Sequence[LoadDay]) -> None:
        self._store = store
        self._question = question
        self._days = days
        self._reasons = {rule.id: rule.says for rule in rule_table_row(question.thresholds).rules}

    def of_day(
        self, frame: Frame, day: LoadDay, earlier: LoadDay | None, later: LoadDay | None
    ) -> DaysContent:
        """The changes of a day."""
        links = _links(frame)
        return DaysContent(
            heading=day_words(day.day),
            report=self._question.report(self._store, days_window(day.day, day.day)),
            links=PeriodLinks(
                self._list_with(links, day.day),
                earlier=links.day(earlier.day) if earlier else "",
                later=links.day(later.day) if later else "",
            ),
            reasons=self._reasons,
            day=day,
        )

    def of_period(self, frame: Frame, number: int) -> DaysContent:
        """The changes of a number of days up to the newest."""
        last = self._newest_day
        return DaysContent(
            heading=f"The {number} days to {last}",
            report=self._question.report(
                self._store, days_window(last - (number - 1) * _DAY, last)
            ),
            links=PeriodLinks(_links(frame).changes, others=_periods(_links(frame))),
            reasons=self._reasons,
        )

    def newest(self, frame: Frame) -> DaysContent:
        """The changes of the newest day, with all that was checked and the other days."""
        links = _links(frame)
        last, now = self._newest_day, self._question.now
        read = self._question.health or (lambda: health_facts(self._store, now=now))
        return DaysContent(
            heading=day_words(last),
            report=self._question.report(self._store, days_window(last, last)),
            links=PeriodLinks(links.changes, others=_periods(links)),
            reasons=self._reasons,
            day=self._days[0] if self._days else None,
            days=self._days,
            health=assess(read(), now),
            is_newest=True,
        )

    @property
    def _newest_day(self) -> date:
        return self._days[0].day if self._days else self._question.now.date()

    def _list_with(self, links: Addresses, day: date) -> str:
        """The page of the list of changes that has a day."""
        is_recent = day >= recent_since(self._newest_day)
        page = links.changes if is_recent else links.week(monday_of(day))
        return f"{page}#d{day}"


def week_pages(
    store: Store, question: SiteQuestion, *, here: Frame, below: Frame
) -> Iterator[tuple[str, str]]:
    """Yield the list of changes: the newest two weeks, then each earlier week with a change."""
    days = load_days(store)
    newest = days[0].day if days else question.now.date()
    kept = [day.day for day in days[: question.days]]
    first = (
        question.window.since.date()
        if question.window.since
        else min((day.day for day in days), default=newest)
    )
    recent = recent_since(newest)
    weeks = _weeks(store, question, recent - _WEEK, monday_of(min([first, *kept])))
    following = next(weeks, None)
    changes = _changes(store, question, recent, newest)
    older = _links(here).week(following[0]) if following else ""
    period = ChangePeriod(recent, newest, older=older, as_of=days[0].day if days else None)
    yield "changes.html", changes_page(here, changes, period)
    newer = _links(below).changes
    while following is not None:
        monday, changes = following
        following = next(weeks, None)
        older = _links(below).week(following[0]) if following else ""
        period = ChangePeriod(monday, monday + _WEEK - _DAY, newer=newer, older=older)
        yield f"changes/{monday}.html", changes_page(below, changes, period)
        newer = _links(below).week(monday)


def _weeks(
    store: Store, question: SiteQuestion, newest: date, oldest: date
) -> Iterator[tuple[date, tuple[ListedChange, ...]]]:
    """Yield the weeks with a change, newest first, by their Mondays."""
    monday = newest
    while monday >= oldest:
        if changes := _changes(store, question, monday, monday + _WEEK - _DAY):
            yield monday, changes
        monday -= _WEEK


def _changes(
    store: Store, question: SiteQuestion, since: date, until: date
) -> tuple[ListedChange, ...]:
    window = days_window(since, until)
    wanted = EventFilter(since=window.since, until=window.until, watch=question.watch)
    return list_changes(store, wanted)


def recent_since(newest: date) -> date:
    """The first day of the first page of the list: the Monday before the newest week."""
    return monday_of(newest) - _WEEK


def days_window(since: date, until: date) -> Window:
    """The time from the start of a day to the end of another."""
    return Window(datetime.combine(since, time(), UTC), datetime.combine(until + _DAY, time(), UTC))


def _links(frame: Frame) -> Addresses:
    return frame.links or Addresses()


def _periods(links: Addresses) -> tuple[tuple[str, str], ...]:
    return tuple((f"Last {number} days", links.last_days(number)) for number in PERIODS)
