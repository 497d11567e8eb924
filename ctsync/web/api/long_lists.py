"""The lists that may have very many rows, page by page: changes, portfolio, `find` and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import Any, NamedTuple

from ctsync.model import Category, Kind, Level, NctId
from ctsync.python import arguments
from ctsync.questions.changes.change_pages import ChangePlace, change_page, count_changes
from ctsync.questions.changes.filters import (
    LAST_REPORT,
    last_report_end,
    parse_phase,
    parse_word,
)
from ctsync.questions.operation.runs import latest_runs, run_row
from ctsync.questions.portfolio.base_rates import rates_in_use
from ctsync.questions.portfolio.find import (
    FindQuestion,
    count_found,
    find_trials,
    reads_records,
    search_notes,
)
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.portfolio.portfolio import (
    PortfolioQuestion,
    portfolio_question,
    portfolio_rows,
    trials_that_meet,
)
from ctsync.questions.portfolio.portfolio_filter import (
    PortfolioFacet,
    PortfolioSort,
    filtered,
    in_order,
    require_values,
)
from ctsync.questions.portfolio.portfolio_index import PortfolioIndex
from ctsync.questions.portfolio.portfolio_trials import read_portfolio
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.flags import FlagId
from ctsync.record.rules.conditions import read_condition
from ctsync.report.rows.event_row import event_row
from ctsync.store.data.event_filter import EventFilter
from ctsync.web.api.address_parameters import Given
from ctsync.web.api.paging import Asked, Page, Place, damaged_cursor, page_of_kept

LARGEST_ID = 2**63 - 1
"""The largest number that both databases take."""
NOT_COUNTED = "the results are not counted, because the search reads the records themselves"


def changes_page(asked: Asked) -> Page:
    """Return a page of changes, oldest day first.

    The place of the next page names the last change, and the newest event of the first page: later
    pages leave out events that were stored after the first one.
    """
    store = asked.store
    newest, total, after = _change_place(asked.place)
    if newest is None:
        newest = store.events.newest_id()
    wanted = _event_filter(asked, newest_id=newest)
    if total is None:
        total = count_changes(store, wanted)
    found = change_page(store, wanted, after=after, most=asked.most)
    rates = rates_in_use(store) if asked.settings.reports.context else None
    last = found.last
    following = [newest, total, f"{last.day}", last.nct_id, last.event_id] if last else None
    return Page([event_row(one, rates) for one in found.events], total, following)


def trials_page(asked: Asked) -> Page:
    """Return a page of the portfolio.

    The order is that of the first page; the rows have the content of now, or of up to a minute ago
    while a run is under way. A trial that is no longer followed has no row.
    """
    as_of = flag_day(asked.store, asked.clock.now().date())
    revision = asked.store.revisions.now()
    is_writing = revision.run and revision.finished is None
    kept = asked.kept.portfolio(
        asked.state,
        as_of,
        lambda: PortfolioIndex(read_portfolio(asked.store, as_of=as_of)),
        run=(revision.run, revision.watches) if is_writing else None,
        now=asked.clock.monotonic(),
    )
    trials = kept.index.trials

    def ordered_ids() -> tuple[Sequence[NctId], Sequence[str]]:
        question = _portfolio_question(asked.given)
        require_values(trials, question.chosen)
        met = trials_that_meet(asked.store, trials, question.conditions)
        found, _ = filtered(met, question.chosen, question.text)
        ordered = in_order(found, question.sort, descending=question.descending)
        return tuple(trial.nct_id for trial in ordered), ()

    def rows(ids: Sequence[Any]) -> Sequence[Any]:
        by_id = {trial.nct_id: trial for trial in trials}
        shown = [by_id[nct_id] for nct_id in ids if nct_id in by_id]
        return list(portfolio_rows(asked.store, shown, as_of=as_of))

    page = page_of_kept(replace(asked, state=kept.state), ordered_ids, rows)
    return replace(page, is_current=kept.state == asked.state)


def find_page(asked: Asked) -> Page:
    """Return a page of the trials that meet conditions, in order of ids.

    The place of the next page names the last result, and the newest version of the first page:
    later pages leave out versions that were stored after it. If records must be read to know the
    results, they are counted only when the last page is reached.
    """
    store, today, place = asked.store, asked.clock.now().date(), _find_place(asked.place)
    question = _find_question(asked, place)
    found = list(islice(find_trials(store, question, today=today), asked.most + 1))
    rows, notes = found[: asked.most], search_notes(store, question)
    listed = place.listed + len(rows)
    if len(found) == len(rows):
        return Page(rows, listed if place.total is None else place.total, None, notes)
    total = place.total
    if place.after is None and not reads_records(store, question):
        total = count_found(store, question, today=today)
    if total is None:
        notes.append(NOT_COUNTED)
    last = rows[-1]
    following = [question.newest_id, total, listed, last.nct_id, last.from_version]
    return Page(rows, total, following, notes)


def runs_page(asked: Asked) -> Page:
    """Return a page of the runs, newest first; rows have the content of now.

    The place of the next page names the last run, and the number of runs at the first page.
    """
    total, before = _run_place(asked.place)
    found = latest_runs(asked.store, limit=asked.most + 1, before=before)
    shown, now = found.runs[: asked.most], asked.clock.now()
    total = found.total if total is None else total
    following = [total, shown[-1].id] if len(found.runs) > len(shown) else None
    return Page([run_row(run, now) for run in shown], total, following)


def _run_place(place: Place | None) -> tuple[int | None, int | None]:
    if place is None:
        return None, None
    match place:
        case [int(total), int(before)] if 0 <= before <= LARGEST_ID:
            return total, before
    raise damaged_cursor()


def _find_question(asked: Asked, place: _FindPlace) -> FindQuestion:
    given, as_of = asked.given, asked.given.get("as_of")
    require_watch(asked.store, given.get("watch"))
    newest = place.newest_id
    return FindQuestion(
        [read_condition(one) for one in given["condition"]],
        given.get("ever", False),
        None if as_of is None else arguments.day(as_of),
        given.get("watch"),
        after=place.after,
        newest_id=asked.store.search.newest_id() if newest is None else newest,
    )


class _FindPlace(NamedTuple):
    """The place of a page of a search: `listed` results come before it.

    `total` is None if they were not counted.
    """

    newest_id: int | None = None
    total: int | None = None
    listed: int = 0
    after: tuple[NctId, int] | None = None


def _find_place(place: Place | None) -> _FindPlace:
    if place is None:
        return _FindPlace()
    match place:
        case [int(newest), int() | None as total, int(listed), str(nct_id), int(version)] if (
            0 <= newest <= LARGEST_ID
        ):
            return _FindPlace(newest, total, listed, (NctId(nct_id), version))
    raise damaged_cursor()


def _event_filter(asked: Asked, newest_id: int | None = None) -> EventFilter:
    given, store, now = asked.given, asked.store, asked.clock.now()
    require_watch(store, given.get("watch"))
    since, until, level = given.get("since"), given.get("until"), given.get("level")
    start = None if since is None else _start(asked, since)
    return EventFilter(
        nct_ids=arguments.trials(given.get("nct", ())),
        since=start,
        until=None if until is None else arguments.moment(until, now, end_of_day=True),
        kinds=tuple(arguments.words(given.get("kind", ()), Kind)),
        minimum_level=None if level is None else parse_word(level, Level),
        categories=tuple(arguments.words(given.get("category", ()), Category)),
        watch=given.get("watch"),
        newest_id=newest_id,
    )


def _start(asked: Asked, since: str) -> datetime:
    if " ".join(since.lower().split()) == LAST_REPORT:
        return last_report_end(asked.store, asked.clock.now())
    return arguments.moment(since, asked.clock.now())


def _change_place(place: Place | None) -> tuple[int | None, int | None, ChangePlace | None]:
    if place is None:
        return None, None, None
    match place:
        case [int(newest), int(total), str(day), str(nct_id), int(event_id)]:
            try:
                return newest, total, ChangePlace(date.fromisoformat(day), NctId(nct_id), event_id)
            except ValueError:
                raise damaged_cursor() from None
    raise damaged_cursor()


def _portfolio_question(given: Given) -> PortfolioQuestion:
    chosen: Mapping[PortfolioFacet, Sequence[str]] = {
        PortfolioFacet.WATCH: given.get("watch", ()),
        PortfolioFacet.SPONSOR: given.get("sponsor", ()),
        PortfolioFacet.PHASE: [parse_phase(one) for one in given.get("phase", ())],
        PortfolioFacet.STATUS: given.get("status", ()),
        PortfolioFacet.CONDITION: given.get("condition", ()),
        PortfolioFacet.COUNTRY: given.get("country", ()),
        PortfolioFacet.FLAG: arguments.words(given.get("flag", ()), FlagId),
        PortfolioFacet.LEVEL: arguments.words(given.get("level", ()), Level),
    }
    sort = parse_word(given.get("sort", PortfolioSort.CHANGED), PortfolioSort)
    text, is_reverse = given.get("search", ""), given.get("reverse", False)
    where = given.get("where", ())
    return portfolio_question(chosen, text, where=where, sort=sort, reverse=is_reverse)
