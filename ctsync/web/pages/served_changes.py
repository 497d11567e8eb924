"""The list of changes as a server shows it: filtered without a script. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from ctsync.model import Category, Kind, Level
from ctsync.questions.changes.change_list import ListedChange
from ctsync.report.addresses import FeedLinks
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page
from ctsync.web.pages.changes import ChangePeriod, changes_values, monday_of

_TO_SUNDAY = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class ChangesView:
    """Which changes: what the address of the page says, and what was found.

    `level` is the lowest level. `found` is the number of changes on all `pages`; if not all were
    searched, `of` is the number of changes in these days.
    """

    text: str = ""
    level: Level | None = None
    categories: tuple[Category, ...] = ()
    kinds: tuple[Kind, ...] = ()
    watch: str = ""
    sponsor: str = ""
    since: date | None = None
    until: date | None = None
    week: date | None = None
    page: int = 1
    pages: int = 1
    found: int = 0
    of: int = 0

    def query(self, *, week: date | None = None) -> str:
        """Return the query of an address with the same filters, of one week if given."""
        return urlencode([*self._filters(), *([("week", f"{week}")] if week else [])])

    def page_query(self, page: int) -> str:
        """Return the query of another page of the same list."""
        days = (("from", self.since), ("to", self.until), ("week", self.week))
        pairs = [*self._filters(), *((name, f"{day}") for name, day in days if day)]
        return urlencode([*pairs, *([("page", f"{page}")] if page > 1 else [])])

    @property
    def feed_query(self) -> str:
        """The query of a feed with the same filters; a feed has no search."""
        return urlencode(self.feed_filters())

    def feed_filters(self) -> tuple[tuple[str, str], ...]:
        """Return the filters of a feed by the names of their parameters."""
        days = [("from", self.since), ("to", self.until)]
        if self.week:
            days = [("from", monday_of(self.week)), ("to", monday_of(self.week) + _TO_SUNDAY)]
        pairs = [*self._filters(), *((name, f"{day}") for name, day in days if day)]
        return tuple(pair for pair in pairs if pair[0] != "text")

    def _filters(self) -> list[tuple[str, str]]:
        pairs = [
            ("text", self.text),
            ("level", self.level.value if self.level else ""),
            *(("category", one.value) for one in self.categories),
            *(("kind", one.value) for one in self.kinds),
            ("watch", self.watch),
            ("sponsor", self.sponsor),
        ]
        return [(name, value) for name, value in pairs if value]


def served_changes_page(
    frame: Frame,
    changes: Sequence[ListedChange],
    period: ChangePeriod,
    view: ChangesView,
    *,
    watches: Sequence[str],
) -> str:
    """Write one page of the list; `watches` are all watches."""
    base = frame.links.changes if frame.links else ""
    if frame.links and (query := view.feed_query):
        atom, json = f"{frame.links.feed}?{query}", f"{frame.links.json_feed}?{query}"
        frame = replace(frame, own_feeds=(FeedLinks("changes with these filters", atom, json),))
    return fill_page(
        "served_changes.html.j2",
        **changes_values(frame, changes, period),
        view=view,
        base=base,
        levels=list(Level),
        categories=list(Category),
        kinds=list(Kind),
        watches=watches,
        page_href=lambda number: f"{base}?{view.page_query(number)}",
        is_of_days=bool(view.since or view.until),
    )
