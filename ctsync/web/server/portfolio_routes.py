"""The list of trials, filtered and sorted by the server, and its downloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from ctsync.errors import UsageError
from ctsync.export.milestone_calendar import CALENDAR_NAME, milestones_ics
from ctsync.export.portfolio_files import PortfolioFormat, portfolio_file
from ctsync.model import Level
from ctsync.questions.changes.filters import parse_phase, parse_word
from ctsync.questions.portfolio.find import require_few, scan_note
from ctsync.questions.portfolio.milestones import MilestoneRow, find_milestones
from ctsync.questions.portfolio.portfolio import (
    PortfolioPageRow,
    PortfolioQuestion,
    portfolio_page,
    portfolio_question,
)
from ctsync.questions.portfolio.portfolio_filter import PortfolioFacet, PortfolioSort
from ctsync.record.flags import FlagId
from ctsync.record.rules.conditions import FieldCondition, read_condition
from ctsync.web.pages.served_trials import TrialsView, served_trials_page
from ctsync.web.server.kept_values import Content
from ctsync.web.server.page_request import PageRequest, html
from ctsync.web.server.query_parameters import QueryParameters

_MOST_PAGES = 10_000
_ROWS = 50
"""Rows of a page: half as many as of a file, because readers wait while they are drawn."""
_NAMES = ("q", "where", "sort", "dir", "page", "all", *(facet.value for facet in PortfolioFacet))
_MEDIA_TYPES = {
    PortfolioFormat.CSV: "text/csv",
    PortfolioFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    PortfolioFormat.JSON: "application/json",
    PortfolioFormat.ICS: "text/calendar",
}


def trials(asked: PageRequest) -> Content:
    """The list: `q`, `sort`, `dir`, `page`, and `where` and the facets, which may be repeated.

    `all` names a facet whose values are listed in full. A condition that cannot be read is refused
    beside its field.
    """
    view = _view(asked.parameters)
    try:
        conditions = _conditions(view)
    except UsageError as error:
        return _refused(asked, view, str(error))
    view = replace(view, note=scan_note(asked.store, conditions) or "")
    found = _found(asked, view, conditions, limit=_ROWS)
    pages = max(1, -(-found.total // _ROWS))
    if view.page > pages:
        raise UsageError(f"there is no page {view.page} of these trials; the last is {pages}")
    return html(served_trials_page(asked.frame, found, view, pages=pages))


def _refused(asked: PageRequest, view: TrialsView, sentence: str) -> Content:
    """Return the page of the other filters without a trial, with what is wrong in a condition."""
    found = replace(_found(asked, replace(view, page=1), (), limit=1), total=0, rows=())
    view = replace(view, page=1, refusal=sentence[:1].upper() + sentence[1:])
    text = served_trials_page(asked.frame, found, view, pages=1)
    return replace(html(text), status=HTTPStatus.BAD_REQUEST)


def _conditions(view: TrialsView) -> list[FieldCondition]:
    require_few(view.where)
    return [read_condition(one) for one in view.where]


def download(asked: PageRequest) -> Content:
    """The trials of a view as a file: all of them, in the order of the view."""
    form = PortfolioFormat(asked.path["form"])
    view = _view(asked.parameters)
    found = _found(asked, view, _conditions(view), limit=None)
    dates: Sequence[MilestoneRow] = ()
    if form is PortfolioFormat.ICS:
        trials = [row.nct_id for row in found.rows]
        dates = list(find_milestones(asked.store, trials=trials, today=asked.now.date()))
    content = portfolio_file(found.rows, form, as_of=found.as_of, milestones=dates)
    body = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    return Content(body, _MEDIA_TYPES[form], f"portfolio.{form}")


def calendar(asked: PageRequest) -> Content:
    """The dates of the followed trials as a calendar to subscribe to; `watch` names one watch."""
    asked.parameters.require_known(("watch",))
    watch = asked.parameters.one("watch") or None
    rows = find_milestones(asked.store, watch=watch, today=asked.now.date())
    name = CALENDAR_NAME if watch is None else f"{CALENDAR_NAME}: {watch}"
    return Content(milestones_ics(rows, name=name), _MEDIA_TYPES[PortfolioFormat.ICS])


def _found(
    asked: PageRequest,
    view: TrialsView,
    conditions: Sequence[FieldCondition],
    *,
    limit: int | None,
) -> PortfolioPageRow:
    as_of, index = asked.portfolio()
    usual = portfolio_question(view.chosen, view.text, sort=view.sort or PortfolioSort.CHANGED)
    question = PortfolioQuestion(
        usual.chosen,
        usual.text,
        conditions,
        sort=usual.sort,
        descending=usual.descending if view.is_descending is None else view.is_descending,
        page=view.page,
        limit=limit,
    )
    return portfolio_page(asked.store, index, question, as_of=as_of)


def _view(given: QueryParameters) -> TrialsView:
    given.require_known(_NAMES)
    chosen = {facet: list(given.many(facet.value)) for facet in PortfolioFacet}
    chosen[PortfolioFacet.PHASE] = [parse_phase(one) for one in chosen[PortfolioFacet.PHASE]]
    chosen[PortfolioFacet.FLAG] = [parse_word(one, FlagId) for one in chosen[PortfolioFacet.FLAG]]
    chosen[PortfolioFacet.LEVEL] = [parse_word(one, Level) for one in chosen[PortfolioFacet.LEVEL]]
    sort, direction, in_full = given.one("sort"), given.one("dir"), given.one("all")
    if direction not in {"", "asc", "desc"}:
        raise UsageError(f"dir={direction[:40]} is not a direction; write asc or desc")
    return TrialsView(
        chosen=chosen,
        text=given.one("q"),
        where=tuple(given.many("where")),
        sort=parse_word(sort, PortfolioSort, "column") if sort else None,
        is_descending=direction == "desc" if direction else None,
        page=given.number("page", 1, most=_MOST_PAGES),
        in_full=parse_word(in_full, PortfolioFacet, "filter") if in_full else None,
    )
