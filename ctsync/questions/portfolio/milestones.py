"""The dates of followed trials and how often each moved, for calendars. Writes nothing.

A date has one day: a month or a year counts as its last day, as in the portfolio. A move is a
change of that day from one stored version to the next. Start, primary completion and completion
are dates of the record. Two dates follow from it by a rule: the day from which results are due,
and the day on which the registry sets the status UNKNOWN if nobody updates the record.

Earlier days of results due are computed from the earlier completion dates, with the class of the
trial in its newest record. No other earlier record is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import orjson

from ctsync.dates import PartialDate
from ctsync.errors import CorruptBody
from ctsync.model import STUDY_PAGE, KeyFields, NctId, State, Version
from ctsync.questions.portfolio.flags import flag_day
from ctsync.questions.portfolio.portfolio_trials import Milestone, PortfolioTrial, read_portfolio
from ctsync.questions.portfolio.watches import require_watch
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.flags import FlagId, due_from, flags_of
from ctsync.record.registry.unknown_status import UNKNOWN, forecast
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store

REMOVED_DAYS = 90
"""Days for which a removed date is still listed, so that every calendar learns of it."""
_ACTUAL = "ACTUAL"
_REGISTERED = 0
"""The registry's number of the version that was registered."""


class MilestoneState(StrEnum):
    """Whether a date is still planned."""

    PLANNED = "planned"
    REACHED = "reached"
    """The record says ACTUAL, or the registry has set the status UNKNOWN."""
    REMOVED = "removed"
    """The record no longer gives the date, or the registry no longer shows the trial."""


@dataclass(frozen=True, slots=True)
class MilestoneMoveRow:
    """A move of a date from one stored version to a later one."""

    moved_on: date
    """The first day of the later version."""
    before: PartialDate
    """The date before."""
    after: PartialDate
    """The date after."""
    days: int
    """Days from one to the other; later is positive. 0 if only the precision changed."""


@dataclass(frozen=True, slots=True)
class MilestoneRow:
    """One date of a followed trial."""

    nct_id: NctId
    """The NCT id of the trial."""
    milestone: Milestone
    """Which date it is."""
    state: MilestoneState
    """Whether the date is planned, reached or removed."""
    on: date
    """The day; a month or a year counts as its last day. For a removed date, its last value."""
    text: PartialDate
    """The date as exact as the record gives it."""
    type: str | None
    """ESTIMATED or ACTUAL; null if the record does not say, or for a date from a rule."""
    since: date
    """The first day on which the record said so; for a removed date, the day of the removal."""
    moves: int
    """How often the day changed from one stored version to the next; a removal counts."""
    slip_days: int
    """Days from the first stored date to this one; later is positive."""
    first: PartialDate
    """The first stored date."""
    first_since: date
    """The first day of the version that gave the first stored date."""
    is_from_registration: bool
    """True if the first stored version was registered; otherwise earlier moves may be missing."""
    last_move: MilestoneMoveRow | None
    """The last move from one date to another; null if there is none."""
    revised: date
    """The first day on which all values of this row were as they are."""
    title: str | None
    """The brief title of the trial."""
    sponsor: str | None
    """The lead sponsor."""
    status: str | None
    """The overall status."""
    url: str
    """The page of the trial at the registry."""


def find_milestones(
    store: Store,
    *,
    watch: str | None = None,
    trials: Collection[NctId] | None = None,
    today: date,
) -> Iterator[MilestoneRow]:
    """Iterate over the dates of all followed trials, of a watch or of `trials`, in order of ids.

    A date that was removed more than REMOVED_DAYS before the day of the newest registry data is
    left out. One trial is in memory at a time. Raises UsageError for an unknown watch.
    """
    require_watch(store, watch)
    as_of = flag_day(store, today)
    oldest_removal = as_of - timedelta(days=REMOVED_DAYS)
    followed = {
        trial.nct_id: trial
        for trial in read_portfolio(store, as_of=as_of)
        if (watch is None or watch in trial.watches) and (trials is None or trial.nct_id in trials)
    }
    chosen = Selection(watch=watch) if trials is None else Selection(tuple(followed), watch)
    return _rows_of(store, chosen, followed, oldest_removal) if followed else iter(())


def _rows_of(
    store: Store,
    chosen: Selection,
    followed: Mapping[NctId, PortfolioTrial],
    oldest_removal: date,
) -> Iterator[MilestoneRow]:
    for versions in store.bulk.versions_by_trial(chosen):
        trial = followed.get(versions[0].nct_id)
        if trial is None:  # not followed, or another trial took it over
            continue
        is_certified = _is_certified(store, trial, versions, oldest_removal)
        for milestone in Milestone:
            row = _row(
                milestone, list(_steps(milestone, versions, is_certified=is_certified)), versions
            )
            if row is None or (row.state is MilestoneState.REMOVED and row.since < oldest_removal):
                continue
            yield row


class _Value(NamedTuple):
    """What one version says about one date."""

    text: PartialDate
    is_reached: bool
    type: str | None = None


class _Step(NamedTuple):
    """A value from a day on; None if the version has no such date."""

    since: date
    value: _Value | None
    shown: tuple[str | None, ...]


def _steps(
    milestone: Milestone, versions: Sequence[Version], *, is_certified: bool | None
) -> Iterator[_Step]:
    """Yield what each version says about a date, oldest first.

    `is_certified` is None if no results are due; otherwise whether a certificate delays them.
    """
    value: _Value | None = None
    unknown_since: date | None = None
    for since, version in zip(stands_from(versions), versions, strict=True):
        key = version.key
        if version.state is not State.PRESENT or version.digest is None:
            value = value if value and value.is_reached else None
        elif milestone is Milestone.UNKNOWN:
            unknown_since = (unknown_since or since) if key.status == UNKNOWN else None
            value = _unknown(key, unknown_since)
        elif milestone is Milestone.RESULTS_DUE:
            value = _results_due(key, is_certified=is_certified)
        else:
            value = _of_record(key, milestone)
        yield _Step(since, value, (key.brief_title, key.lead_sponsor, key.status))


def _of_record(key: KeyFields, milestone: Milestone) -> _Value | None:
    text, kind = {
        Milestone.START: (key.start_date, key.start_date_type),
        Milestone.PRIMARY_COMPLETION: (
            key.primary_completion_date,
            key.primary_completion_date_type,
        ),
    }.get(milestone, (key.completion_date, key.completion_date_type))
    found = PartialDate.parse(text)
    return None if found is None else _Value(found, is_reached=kind == _ACTUAL, type=kind)


def _unknown(key: KeyFields, unknown_since: date | None) -> _Value | None:
    """Return the day of the forecast; if the status is UNKNOWN, the day since which it is."""
    on = unknown_since or forecast(key, date.min).on
    if on is None:
        return None
    return _Value(PartialDate(f"{on}"), is_reached=unknown_since is not None)


def _results_due(key: KeyFields, *, is_certified: bool | None) -> _Value | None:
    completion = _completion(key)
    if is_certified is None or completion is None or key.has_results:
        return None
    return _Value(
        PartialDate(f"{due_from(completion.last, is_certified=is_certified)}"), is_reached=False
    )


def _completion(key: KeyFields) -> PartialDate | None:
    return PartialDate.parse(key.primary_completion_date) or PartialDate.parse(key.completion_date)


def _is_certified(
    store: Store, trial: PortfolioTrial, versions: Sequence[Version], oldest_removal: date
) -> bool | None:
    """Return whether a certificate delays the results that are due; None if none are due."""
    newest = next(one for one in reversed(versions) if one.digest is not None)
    due = trial.facts.results_due
    if due is None and newest.key.has_results:
        due = _due_before_results(store, newest, oldest_removal)
    completion = _completion(newest.key)
    if due is None or completion is None:
        return None
    return due != f"{due_from(completion.last, is_certified=False)}"


def _due_before_results(store: Store, newest: Version, oldest_removal: date) -> str | None:
    """Return the day from which results were due that were posted a short time ago."""
    posted = PartialDate.parse(newest.key.results_first_posted)
    if posted is None or posted.last < oldest_removal:
        return None
    try:
        body = orjson.loads(store.bodies.read(newest.digest or ""))
    except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
        return None
    flags = flags_of(body, as_of=date.max)
    found = next((one.since for one in flags if one.id is FlagId.RESULTS_DUE), None)
    return None if found is None else f"{found}"


def _row(
    milestone: Milestone, steps: Sequence[_Step], versions: Sequence[Version]
) -> MilestoneRow | None:
    """Return the row of a date from what each version says; None if none has the date."""
    given = [(step.since, step.value.text) for step in steps if step.value is not None]
    values = [step.value for step in steps if step.value is not None]
    if not values:
        return None
    newest = steps[-1]
    (first_since, first), (_, text) = given[0], given[-1]
    title, sponsor, status = newest.shown
    registered = next(one for one in versions if one.digest is not None)
    return MilestoneRow(
        nct_id=versions[0].nct_id,
        milestone=milestone,
        state=_state(newest.value),
        on=text.last,
        text=text,
        type=values[-1].type,
        since=_since([(step.since, step.value) for step in steps]),
        moves=_moves(steps),
        slip_days=first.shift_to(text).days,
        first=first,
        first_since=first_since,
        is_from_registration=registered.registry_version == _REGISTERED,
        last_move=_last_move(given),
        revised=_since([(step.since, step[1:]) for step in steps]),
        title=title,
        sponsor=sponsor,
        status=status,
        url=STUDY_PAGE + versions[0].nct_id,
    )


def _state(value: _Value | None) -> MilestoneState:
    if value is None:
        return MilestoneState.REMOVED
    return MilestoneState.REACHED if value.is_reached else MilestoneState.PLANNED


def _since(dated: Sequence[tuple[date, object]]) -> date:
    """Return the day since which the newest value has been the same."""
    since, newest = dated[-1]
    for day, value in reversed(dated):
        if value != newest:
            break
        since = day
    return since


def _moves(steps: Sequence[_Step]) -> int:
    """Count the changes of the day after the first one."""
    days = [step.value.text.last if step.value else None for step in steps]
    start = next(n for n, day in enumerate(days) if day is not None)
    return sum(before != after for before, after in pairwise(days[start:]))


def _last_move(given: Sequence[tuple[date, PartialDate]]) -> MilestoneMoveRow | None:
    for (_, before), (since, after) in reversed(list(pairwise(given))):
        if before.last != after.last:
            return MilestoneMoveRow(since, before, after, before.shift_to(after).days)
    return None


SCHEMAS = {"milestone": MilestoneRow}
