"""The list of changes with its filters, and the feeds with the same filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from ctsync.errors import CtsyncError, UsageError
from ctsync.model import Category, Kind, Level
from ctsync.nct_id import parse_nct_id
from ctsync.questions.changes.change_list import NO_CHANGES, place_changes, placed_changes
from ctsync.questions.changes.change_pages import count_changes
from ctsync.questions.changes.feed_page import FeedPlace, FeedQuestion, feed_page
from ctsync.questions.changes.filters import parse_word
from ctsync.questions.operation.load_days import LoadDay
from ctsync.questions.parameters import read_day
from ctsync.questions.portfolio.watches import require_watch
from ctsync.report.formats.feed import FeedEntry, atom, feed_title, json_feed, version_entries
from ctsync.report.report import Window
from ctsync.report.report_filter import ReportFilter
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.events import EventHead, EventTexts
from ctsync.web.pages.changes import ChangePeriod, monday_of
from ctsync.web.pages.served_changes import ChangesView, served_changes_page
from ctsync.web.server.kept_values import Content
from ctsync.web.server.page_request import FIRST_PAGE_WINDOW, PageRequest, html
from ctsync.web.server.query_parameters import QueryParameters
from ctsync.web.site_days import recent_since
from ctsync.web.site_question import feed_name

_FILTERS = ("text", "level", "category", "kind", "watch", "sponsor", "from", "to")
_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_MOST_READ = 5_000
"""Most changes that a page searches, the newest ones."""
_PER_PAGE = 100
_MOST_PAGES = 1_000


def changes(asked: PageRequest) -> Content:
    """The newest two weeks, one `week` or `from` a day `to` a day, newest first, with filters.

    `level` is the lowest level, `sponsor` a part of the name of the lead sponsor. A list has pages.
    """
    given = asked.parameters
    given.require_known((*_FILTERS, "week", "page"))
    view = _view(given)
    require_watch(asked.store, view.watch or None)
    days = asked.days
    if view.week and view.week >= _recent(asked, days):
        view = replace(view, week=None)  # the newest weeks have one page
    period = replace(_period(asked, view, days), as_of=days[0].day if days else None)
    wanted = EventFilter(
        since=_start(period.since),
        until=_start(period.until + _DAY),
        kinds=view.kinds,
        minimum_level=view.level,
        categories=view.categories,
        watch=view.watch or None,
        limit=_MOST_READ,
    )
    has_texts = bool(view.text or view.sponsor)
    placed = place_changes(asked.store, wanted, with_texts=has_texts)
    every = [one for one in placed if one.texts is None or _is_wanted(one, one.texts, view)]
    starts = _page_starts(every)
    page = given.number("page", 1, most=_MOST_PAGES)
    if page > len(starts):
        raise UsageError(f"there is no page {page} of these changes; the last is {len(starts)}")
    end = starts[page] if page < len(starts) else len(every)
    shown = placed_changes(
        asked.store, every[starts[page - 1] : end], watch=wanted.watch, keep=asked.keep_heading
    )
    is_cut = len(placed) >= _MOST_READ
    cut = count_changes(asked.store, replace(wanted, without_kinds=NO_CHANGES)) if is_cut else 0
    view = replace(view, page=page, pages=len(starts), found=len(every), of=cut)
    names = sorted(asked.store.watches.origins())
    return html(served_changes_page(asked.frame, shown, period, view, watches=names))


def atom_feed(asked: PageRequest) -> Content:
    """The changes of the last 30 days as an Atom feed, one entry per version, in pages."""
    served = _served_feed(asked)
    links = asked.absolute_links
    text = atom(
        served.title,
        served.entries,
        updated=_updated(served.entries, served.until),
        page=links.today,
        own=f"{links.feed}{served.query()}" if asked.origin else "",
        following=f"{links.feed}{served.query(served.last)}" if served.last else "",
    )
    return Content(text.encode(errors="backslashreplace"), "application/atom+xml")


def json_entries(asked: PageRequest) -> Content:
    """The same as JSON Feed 1.1."""
    served = _served_feed(asked)
    links = asked.absolute_links
    text = json_feed(
        served.title,
        served.entries,
        page=links.today if asked.origin else "",
        own=f"{links.json_feed}{served.query()}" if asked.origin else "",
        following=f"{links.json_feed}{served.query(served.last)}" if served.last else "",
    )
    return Content(text.encode(), "application/feed+json")


@dataclass(frozen=True, slots=True)
class _ServedFeed:
    """A page of a feed: its entries, its filters as they stand in an address, and its last place.

    `until` is the end of the time that the feed covers.
    """

    title: str
    entries: list[FeedEntry]
    until: datetime
    filters: tuple[tuple[str, str], ...]
    after: FeedPlace | None
    last: FeedPlace | None

    def query(self, after: FeedPlace | None = None) -> str:
        """Return the query of this page, or of the page after a place."""
        place = after or self.after
        pairs = [*self.filters, *([("after", f"{place}")] if place else [])]
        return f"?{urlencode(pairs)}" if pairs else ""


def _served_feed(asked: PageRequest) -> _ServedFeed:
    given = asked.parameters
    given.require_known((*(name for name in _FILTERS if name != "text"), "after"))
    view, after = _view(given), _place(given.one("after"))
    require_watch(asked.store, view.watch or None)
    since = _start(view.since) if view.since else asked.now - FIRST_PAGE_WINDOW
    until = min(_start(view.until + _DAY), asked.now) if view.until else asked.now
    chosen = ReportFilter(
        minimum=view.level,
        categories=view.categories,
        kinds=view.kinds,
        sponsor=view.sponsor or None,
    )
    found = feed_page(
        asked.store,
        FeedQuestion(
            Window(since, until),
            title=f"{feed_name(view.watch, chosen)}{_days_in_words(view)}",
            watch=view.watch or None,
            selection=chosen,
            after=after,
            rates=asked.rates,
        ),
    )
    return _ServedFeed(
        feed_title(found.report),
        version_entries(found.report, asked.absolute_links),
        until,
        view.feed_filters(),
        after,
        found.last,
    )


def _days_in_words(view: ChangesView) -> str:
    since = f" from {view.since}" if view.since else ""
    until = f" to {view.until}" if view.until else ""
    return f";{since}{until}" if since or until else ""


def _place(text: str) -> FeedPlace | None:
    """Read the place after which a page of a feed begins, as in 2026-02-10.NCT01234567."""
    if not text:
        return None
    day, _, trial = text.partition(".")
    try:
        return FeedPlace(read_day(day), parse_nct_id(trial))
    except CtsyncError:
        raise UsageError(
            f"after={text[:40]} is no place in a feed; begin with its first page"
        ) from None


def _updated(told: list[FeedEntry], until: datetime) -> datetime:
    # not the time of the request: a feed without a new entry stays the same
    return max((one.updated for one in told), default=datetime.combine(until, time(), UTC))


def _view(given: QueryParameters) -> ChangesView:
    level = given.one("level")
    view = ChangesView(
        text=given.one("text"),
        level=parse_word(level, Level) if level else None,
        categories=tuple(parse_word(one, Category) for one in given.many("category")),
        kinds=tuple(parse_word(one, Kind) for one in given.many("kind")),
        watch=given.one("watch"),
        sponsor=given.one("sponsor"),
        since=given.day("from"),
        until=given.day("to"),
        week=given.day("week"),
    )
    if view.since and view.until and view.since > view.until:
        raise UsageError(f"from={view.since} is after to={view.until}; no day lies between them")
    if view.week and (view.since or view.until):
        raise UsageError("give week, or from and to, not both")
    if date.max in {view.since, view.until, view.week}:
        raise UsageError(f"there is no day after {date.max}")
    return view


def _period(asked: PageRequest, view: ChangesView, days: Sequence[LoadDay]) -> ChangePeriod:
    newest = max(days[0].day, asked.now.date()) if days else asked.now.date()
    if view.since or view.until:
        return ChangePeriod(view.since or date.min, view.until or newest)
    recent = _recent(asked, days)
    if view.week is None:
        return ChangePeriod(recent, newest, older=_week(asked, view, recent - _WEEK))
    monday = monday_of(view.week)
    following = monday + _WEEK
    newer = _week(asked, view, following) if following < recent else _list(asked, view)
    first = days[-1].day if days else newest
    older = _week(asked, view, monday - _WEEK) if monday > first else ""
    return ChangePeriod(monday, monday + _WEEK - _DAY, newer=newer, older=older)


def _recent(asked: PageRequest, days: Sequence[LoadDay]) -> date:
    return recent_since(days[0].day if days else asked.now.date())


def _week(asked: PageRequest, view: ChangesView, monday: date) -> str:
    return f"{asked.links.changes}?{view.query(week=monday)}"


def _list(asked: PageRequest, view: ChangesView) -> str:
    query = view.query()
    return f"{asked.links.changes}?{query}" if query else asked.links.changes


def _page_starts(changes: Sequence[EventHead]) -> list[int]:
    """Return the place of the first change of each page; a trial's changes of a day stay together.

    A list without changes has one page.
    """
    starts, last = [0], None
    for number, one in enumerate(changes):
        group = one.place.happened.date(), one.nct_id
        if number - starts[-1] >= _PER_PAGE and group != last:
            starts.append(number)
        last = group
    return starts


def _is_wanted(one: EventHead, texts: EventTexts, view: ChangesView) -> bool:
    sponsor = (texts.lead_sponsor or "").casefold()
    if view.sponsor and view.sponsor.casefold() not in sponsor:
        return False
    if not view.text:
        return True
    parts = (one.nct_id, texts.brief_title, sponsor, texts.label, texts.summary)
    values = (f"{value}" for value in (texts.before, texts.after) if value is not None)
    text = "\n".join([part for part in parts if part] + list(values)).casefold()
    return all(word in text for word in view.text.casefold().split())


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
