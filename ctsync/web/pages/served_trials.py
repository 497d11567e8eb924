"""The portfolio as a server shows it: searched, filtered and sorted without a script. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from ctsync.questions.portfolio.portfolio import PortfolioPageRow
from ctsync.questions.portfolio.portfolio_filter import (
    FacetRow,
    FacetValueRow,
    PortfolioFacet,
    PortfolioSort,
)
from ctsync.report.addresses import Addresses, FeedLinks
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page
from ctsync.web.pages.all_trials import (
    COLUMNS,
    FACET_WORDS,
    PortfolioColumn,
    portfolio_forms,
    portfolio_values,
)

_LISTED = 12
"""Most values of a facet that are listed, unless one asks for all."""
_MOST_LISTED = 5_000
_MOST_FEEDS = 12


@dataclass(frozen=True, slots=True)
class TrialsView:
    """Which trials, in which order: what the address of the page says.

    Without `is_descending`, a column has its usual direction. `in_full` is the facet whose values
    are all listed. `where` are conditions as people type them; `refusal` says why one of them
    cannot be read, and `note` why their search took long.
    """

    chosen: Mapping[PortfolioFacet, Sequence[str]] = field(default_factory=dict)
    text: str = ""
    where: Sequence[str] = ()
    sort: PortfolioSort | None = None
    is_descending: bool | None = None
    page: int = 1
    in_full: PortfolioFacet | None = None
    refusal: str = ""
    note: str = ""

    def query(
        self, *, sort: str = "", direction: str = "", page: int = 1, in_full: str = ""
    ) -> str:
        """Return the query of an address of these trials, with another order or page."""
        pairs = [("q", self.text)] if self.text else []
        pairs += [("where", one) for one in self.where]
        pairs += [(facet.value, one) for facet, some in self.chosen.items() for one in some]
        pairs += [("sort", sort), ("dir", direction if sort else "")]
        pairs += [("page", f"{page}" if page > 1 else ""), ("all", in_full)]
        return urlencode([(name, value) for name, value in pairs if value])

    @property
    def conditions(self) -> Sequence[str]:
        """The values of the fields for conditions: one more is empty, unless one is refused."""
        return self.where if self.refusal else (*self.where, "")

    def feeds(self, links: Addresses) -> tuple[FeedLinks, ...]:
        """Return the feeds of the changes of the chosen watches and sponsors."""
        watches = self.chosen.get(PortfolioFacet.WATCH) or ("",)
        sponsors = self.chosen.get(PortfolioFacet.SPONSOR) or ("",)
        return tuple(
            _feed(links, watch, sponsor)
            for watch in watches
            for sponsor in sponsors
            if watch or sponsor
        )[:_MOST_FEEDS]


def _feed(links: Addresses, watch: str, sponsor: str) -> FeedLinks:
    pairs = [("watch", watch), ("sponsor", sponsor)]
    query = urlencode([(name, value) for name, value in pairs if value])
    words = " and ".join(value for _, value in pairs if value)
    return FeedLinks(f"changes of {words}", f"{links.feed}?{query}", f"{links.json_feed}?{query}")


@dataclass(frozen=True, slots=True)
class HeadingLink:
    """The heading of a column; `sorted` is the value of aria-sort, empty if another one sorts."""

    column: PortfolioColumn
    href: str
    sorted: str


@dataclass(frozen=True, slots=True)
class FacetChoice:
    """A facet with the values to choose from; `more` is the number of values not listed."""

    name: str
    words: str
    values: tuple[FacetValueRow, ...]
    chosen: frozenset[str]
    more: int
    all_href: str
    is_open: bool


def served_trials_page(
    frame: Frame, found: PortfolioPageRow, view: TrialsView, *, pages: int
) -> str:
    """Write one page of the list; `pages` is the number of pages."""
    links = frame.links
    base = links.trials if links else ""
    direction = _direction(view)
    sort = view.sort.value if view.sort else ""
    feeds = view.feeds(links) if links else ()
    frame = replace(frame, own_feeds=feeds)

    def at(query: str) -> str:
        return f"{base}?{query}" if query else base

    values = portfolio_values(frame, found, found.rows, number=view.page, pages=pages)
    return fill_page(
        "served_trials.html.j2",
        **values,
        rows_file="",
        forms=portfolio_forms(),
        view=view,
        heads=[_heading(column, view, at) for column in COLUMNS],
        choices=list(_choices(found.facets, view, base)),
        download_query=view.query(sort=sort, direction=direction),
        page_href=lambda number: at(view.query(sort=sort, direction=direction, page=number)),
        all_trials=base,
        is_filtered=bool(view.text or view.where or any(view.chosen.values())),
        own_feeds=feeds,
        direction=direction,
    )


def _direction(view: TrialsView) -> str:
    if view.is_descending is None:
        return ""
    return "desc" if view.is_descending else "asc"


def _heading(column: PortfolioColumn, view: TrialsView, at: Callable[[str], str]) -> HeadingLink:
    is_here = view.sort is column.name
    is_down = column.is_descending if view.is_descending is None else view.is_descending
    next_down = not is_down if is_here else column.is_descending
    query = view.query(sort=column.name.value, direction="desc" if next_down else "asc")
    words = ("descending" if is_down else "ascending") if is_here else ""
    return HeadingLink(column, at(query), words)


def _choices(facets: Sequence[FacetRow], view: TrialsView, base: str) -> Iterator[FacetChoice]:
    for facet in facets:
        wanted = {one.casefold() for one in view.chosen.get(facet.facet, ())}
        chosen = [one for one in facet.values if one.value.casefold() in wanted]
        known = {one.value.casefold() for one in chosen}
        # a chosen value that no trial has beside the other filters can still be removed
        chosen += [FacetValueRow(one, one, 0) for one in view.chosen.get(facet.facet, ())
                   if one.casefold() not in known]  # fmt: skip
        others = [one for one in facet.values if one.value.casefold() not in wanted]
        most = _MOST_LISTED if view.in_full is facet.facet else max(0, _LISTED - len(chosen))
        if not facet.values and not chosen:
            continue
        yield FacetChoice(
            name=facet.facet.value,
            words=FACET_WORDS[facet.facet],
            values=(*chosen, *others[:most]),
            chosen=frozenset(one.value for one in chosen),
            more=max(0, len(others) - most),
            all_href=f"{base}?{view.query(in_full=facet.facet.value)}",
            is_open=view.in_full is facet.facet,
        )
