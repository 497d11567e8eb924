"""The portfolio: one row per followed trial, with filters, facets and a page. Writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

from ctsync.dates import PartialDate
from ctsync.errors import UsageError
from ctsync.model import STUDY_PAGE, Level, NctId, State, StoredEvent
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.portfolio.portfolio_filter import (
    FacetRow,
    PortfolioFacet,
    PortfolioSort,
    phases_of,
    require_values,
)
from ctsync.questions.portfolio.portfolio_index import PortfolioIndex
from ctsync.questions.portfolio.portfolio_trials import Milestone, PortfolioTrial, read_portfolio
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.flags import FlagId
from ctsync.report.words.net_changes import net_changes
from ctsync.report.words.trial_row import trial_row
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.derived.portfolio_heads import PlannedVersion
from ctsync.store.store import Store

if TYPE_CHECKING:
    from ctsync.record.rules.conditions import FieldCondition

PAGE = 100
_REGISTERED = 0
"""The registry's number of the version that was registered."""


@dataclass(frozen=True, slots=True)
class PortfolioQuestion:
    """Which rows of the portfolio, in which order.

    `chosen` has values per facet: a trial must have one of the values of each. `text` is a search.
    The newest version of a trial must meet all `conditions`, which are those of `find`.
    `limit` rows are returned, all by default: those after the trial `after`, or of a page.
    """

    chosen: Mapping[PortfolioFacet, Sequence[str]] = field(default_factory=dict)
    text: str = ""
    conditions: Sequence[FieldCondition] = ()
    sort: PortfolioSort = PortfolioSort.CHANGED
    descending: bool = True
    page: int = 1
    limit: int | None = None
    after: NctId | None = None


_ASCENDING = frozenset(
    {
        PortfolioSort.NCT_ID,
        PortfolioSort.TITLE,
        PortfolioSort.SPONSOR,
        PortfolioSort.PHASE,
        PortfolioSort.STATUS,
        PortfolioSort.MILESTONE,
        PortfolioSort.PRIMARY_COMPLETION,
        PortfolioSort.UNKNOWN,
    }
)
"""What is sorted upwards unless `reverse` is asked; the others have their largest values first."""


def portfolio_question(
    chosen: Mapping[PortfolioFacet, Sequence[str]],
    text: str = "",
    *,
    where: Iterable[str] = (),
    sort: PortfolioSort = PortfolioSort.CHANGED,
    reverse: bool = False,
    page: int = 1,
    limit: int | None = None,
    after: NctId | None = None,
) -> PortfolioQuestion:
    """Return the question that people ask: statuses in any spelling, the usual direction.

    `where` are conditions as `find` takes them. Raises UsageError for a wrong one.
    """
    statuses = [one.strip().replace(" ", "_").upper() for one in chosen[PortfolioFacet.STATUS]]
    return PortfolioQuestion(
        {**chosen, PortfolioFacet.STATUS: statuses},
        text,
        _conditions(list(where)),
        sort,
        descending=(sort not in _ASCENDING) is not reverse,
        page=page,
        limit=limit,
        after=after,
    )


def _conditions(texts: Sequence[str]) -> Sequence[FieldCondition]:
    if not texts:
        return ()
    # most portfolios have no conditions; measured: with `find`, 2 % of the first in a program
    from ctsync.record.rules.conditions import read_condition  # noqa: PLC0415 - see above

    return [read_condition(text) for text in texts]


@dataclass(frozen=True, slots=True)
class PlannedDateRow:
    """What a trial planned as its primary completion from one day on."""

    day: date
    """The first day on which the record gave this date."""
    planned: PartialDate
    """The primary completion date."""


@dataclass(frozen=True, slots=True)
class SubstantiveChangeRow:
    """The newest changes of a trial that are not administrative."""

    day: date
    """The day of the registry data or of the post that showed it."""
    level: Level
    """The worst level of that day."""
    label: str
    """The name of the field that the worst change concerns."""
    summary: str
    """The changes of that day in words, worst first, as in the row of a report."""


@dataclass(frozen=True, slots=True)
class PortfolioRow:
    """A followed trial on the day of the newest registry data."""

    nct_id: NctId
    """The NCT id of the trial."""
    title: str | None
    """Its brief title."""
    sponsor: str | None
    """The lead sponsor."""
    phases: tuple[str, ...]
    """The phases; empty if phases do not apply."""
    study_type: str | None
    """The study type."""
    conditions: tuple[str, ...]
    """The conditions, in alphabetical order."""
    interventions: tuple[str, ...]
    """The names of the interventions."""
    countries: tuple[str, ...]
    """The countries of the sites."""
    state: State
    """`present` if the registry shows the trial; otherwise the row is of its last record."""
    status: str | None
    """The overall status."""
    milestone: Milestone | None
    """What the trial reaches next; null if no planned day is left."""
    milestone_on: date | None
    """The day of that milestone; a month counts as its last day."""
    milestone_days: int | None
    """Days from the day of the data to that milestone."""
    primary_completion_date: PartialDate | None
    """The primary completion date now."""
    primary_completion_date_type: str | None
    """ESTIMATED or ACTUAL."""
    slip_days: int | None
    """Days that the primary completion moved since the first stored version; later is positive."""
    slip_since: Literal["registration", "first_seen"] | None
    """`registration` if the first stored version was registered, else `first_seen`."""
    primary_completion_history: tuple[PlannedDateRow, ...]
    """The primary completion dates given over time, one row per change, oldest first."""
    enrollment: int | None
    """The enrollment now."""
    enrollment_type: str | None
    """ESTIMATED or ACTUAL."""
    enrollment_target: int | None
    """The last target: the enrollment now if it is estimated, else the last estimated one."""
    flags: tuple[FlagId, ...]
    """The flags that are true on the day of the data."""
    unknown_on: date | None
    """The day on which the registry sets the status UNKNOWN if nobody updates the record."""
    has_results: bool
    """Whether results are posted."""
    last_change: SubstantiveChangeRow | None
    """The newest change that is not administrative; null if none is stored."""
    watches: tuple[str, ...]
    """The watches that follow the trial."""
    url: str
    """The page of the trial at the registry."""


@dataclass(frozen=True, slots=True)
class PortfolioPageRow:
    """A page of the portfolio, with the counts of its facets."""

    as_of: date
    """The day of the newest registry data, for which days and flags are computed."""
    followed: int
    """Number of followed trials with a stored record."""
    total: int
    """Number of trials that pass the filters."""
    page: int
    """Number of this page."""
    rows: tuple[PortfolioRow, ...]
    """The trials of this page."""
    next_after: NctId | None
    """The trial to name as the cursor for the next page; null on the last page."""
    facets: tuple[FacetRow, ...]
    """The values to filter by."""


def find_portfolio(
    store: Store, question: PortfolioQuestion | None = None, *, today: date
) -> PortfolioPageRow:
    """Return a page of the portfolio.

    Raises UsageError if no followed trial has a value of a filter, and for an unknown cursor.
    """
    as_of = flag_day(store, today)
    index = PortfolioIndex(read_portfolio(store, as_of=as_of))
    return portfolio_page(store, index, question or PortfolioQuestion(), as_of=as_of)


def portfolio_page(
    store: Store, index: PortfolioIndex, asked: PortfolioQuestion, *, as_of: date
) -> PortfolioPageRow:
    """Return a page of trials that `read_portfolio` returned for this day.

    A program that answers many questions can keep the index until the next run.
    """
    require_values(index.trials, asked.chosen)
    searched = index
    if asked.conditions:
        met = trials_that_meet(store, index.trials, asked.conditions)
        searched = PortfolioIndex(met)
    ordered, facets = searched.find(
        asked.chosen, asked.text, sort=asked.sort, descending=asked.descending
    )
    start = _start(ordered, asked)
    end = len(ordered) if asked.limit is None else min(start + asked.limit, len(ordered))
    shown = ordered[start:end]
    return PortfolioPageRow(
        as_of=as_of,
        followed=len(index.trials),
        total=len(ordered),
        page=1 if asked.limit is None else start // asked.limit + 1,
        rows=tuple(portfolio_rows(store, shown, as_of=as_of)),
        next_after=shown[-1].nct_id if shown and end < len(ordered) else None,
        facets=facets,
    )


def trials_that_meet(
    store: Store,
    trials: Sequence[PortfolioTrial],
    conditions: Sequence[FieldCondition],
) -> Sequence[PortfolioTrial]:
    """Return the trials whose newest version meets all conditions, in their order."""
    if not conditions:
        return trials
    from ctsync.questions.portfolio.find import (  # noqa: PLC0415 - see `_conditions`
        FindQuestion,
        trials_found,
    )

    ids = frozenset(trial.nct_id for trial in trials)
    met = frozenset(trials_found(store, FindQuestion(conditions, among=ids)))
    return [trial for trial in trials if trial.nct_id in met]


def portfolio_rows(
    store: Store, trials: Sequence[PortfolioTrial], *, as_of: date
) -> Iterable[PortfolioRow]:
    """Yield the rows of trials, after reading what only a shown row needs."""
    planned = store.portfolio.planned([trial.nct_id for trial in trials])
    ids = [trial.change.event_id for trial in trials if trial.change]
    beside = store.portfolio.changes_beside(ids)
    events: dict[NctId, list[StoredEvent]] = defaultdict(list)
    for stored in store.events.find(EventFilter(event_ids=beside)) if beside else ():
        events[stored.nct_id].append(stored)
    for trial in trials:
        yield _row(trial, planned[trial.nct_id], events.get(trial.nct_id, ()), as_of)


def _start(ordered: Sequence[PortfolioTrial], asked: PortfolioQuestion) -> int:
    if asked.after is None:
        return 0 if asked.limit is None else (asked.page - 1) * asked.limit
    for place, trial in enumerate(ordered, 1):
        if trial.nct_id == asked.after:
            return place
    raise UsageError(f"{asked.after} is not in this portfolio; start again without a cursor")


def _row(
    trial: PortfolioTrial,
    versions: Sequence[PlannedVersion],
    changes: Sequence[StoredEvent],
    as_of: date,
) -> PortfolioRow:
    head, facts = trial.head, trial.facts
    known = [one for one in versions if one.digest is not None]
    newest, milestone_on = known[-1], _day(trial.milestone_on)
    return PortfolioRow(
        nct_id=trial.nct_id,
        title=head.title,
        sponsor=head.sponsor,
        phases=phases_of(trial),
        study_type=newest.study_type,
        conditions=tuple(facts.conditions),
        interventions=tuple(facts.interventions),
        countries=tuple(facts.countries),
        state=State(head.state),
        status=head.status,
        milestone=trial.milestone,
        milestone_on=milestone_on,
        milestone_days=(milestone_on - as_of).days if milestone_on else None,
        primary_completion_date=PartialDate.parse(head.primary_completion_date),
        primary_completion_date_type=head.primary_completion_date_type,
        slip_days=trial.slip_days,
        slip_since=_slip_since(trial, known[0]),
        primary_completion_history=tuple(_history(versions)),
        enrollment=head.enrollment,
        enrollment_type=newest.enrollment_type,
        enrollment_target=_target(versions),
        flags=trial.flags,
        unknown_on=_day(facts.unknown_on),
        has_results=newest.has_results,
        last_change=_change_row(changes) if changes else None,
        watches=trial.watches,
        url=STUDY_PAGE + trial.nct_id,
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _slip_since(
    trial: PortfolioTrial, first: PlannedVersion
) -> Literal["registration", "first_seen"] | None:
    if trial.slip_days is None:
        return None
    is_registered = first.registry_version == _REGISTERED
    return "registration" if is_registered else "first_seen"


def _history(versions: Sequence[PlannedVersion]) -> Iterable[PlannedDateRow]:
    last: str | None = None
    for version, day in zip(versions, stands_from(versions), strict=True):
        text = version.primary_completion_date
        planned = PartialDate.parse(text)
        if planned is not None and text != last:
            yield PlannedDateRow(day, planned)
            last = text


def _target(versions: Sequence[PlannedVersion]) -> int | None:
    targets = (one.enrollment for one in reversed(versions) if one.enrollment_type == "ESTIMATED")
    return next(targets, None)


def _change_row(changes: Sequence[StoredEvent]) -> SubstantiveChangeRow:
    """Say what a report says of these changes, which happened at one time."""
    by_weight = net_changes(changes)
    happened = changes[0].happened or changes[0].fetched
    worst = by_weight[0]
    return SubstantiveChangeRow(
        happened.date(), worst.level, worst.event.label, trial_row(by_weight)
    )


SCHEMAS = {"portfolio": PortfolioPageRow}
