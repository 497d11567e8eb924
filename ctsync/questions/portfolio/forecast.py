"""Forecast the status UNKNOWN and the flags of watched trials. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import STUDY_PAGE, KeyFields, NctId
from ctsync.questions.portfolio.flags import flag_day
from ctsync.record.flags.expected_flags import ExpectedFlag, expected_flags
from ctsync.record.portfolio_facts import FORM
from ctsync.record.registry.unknown_status import Outlook, forecast
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.derived.flag_heads import ForecastHead
from ctsync.store.store import Store

UNKNOWN_RULE = "the registry's rule for the status Unknown, measured on 1,178 records"


class Expectation(StrEnum):
    """What will happen to a trial by time alone."""

    UNKNOWN = "unknown"
    RESULTS_DUE = "results_due"
    VERIFICATION_STALE = "verification_stale"
    OPEN_PAST_COMPLETION = "open_past_completion"
    RECRUITING_PAST_PRIMARY_COMPLETION = "recruiting_past_primary_completion"


@dataclass(frozen=True, slots=True)
class ExpectedChange:
    """What will happen to a trial if nobody updates its record, or should have happened."""

    nct_id: NctId
    key: KeyFields
    what: Expectation
    on: date
    is_overdue: bool
    why: str
    rule: str = UNKNOWN_RULE


@dataclass(frozen=True, slots=True)
class ExpectedChangeRow:
    """What will happen to a followed trial if nobody updates its record."""

    nct_id: NctId
    """The NCT id of the trial."""
    what: Expectation
    """`unknown` if the registry will change the status to UNKNOWN; otherwise the id of the flag
    that will be true. `results_due` without submitted results is also `results_overdue`."""
    on: date
    """The day on which it will happen."""
    outlook: Literal[Outlook.DUE, Outlook.OVERDUE]
    """Whether the day is still to come, or the registry should have changed the status."""
    days: int
    """Days from today to that day; negative if it is past."""
    status: str | None
    """The overall status now."""
    verified: str | None
    """When the record was last verified."""
    completion_date: str | None
    """The completion date of the trial."""
    why: str
    """Why it will happen, with the dates that the rule counts from."""
    title: str | None
    """The brief title of the trial."""
    url: str
    """The page of the trial at the registry."""
    rule: str
    """Where the rule is published."""


def expected_change_row(expected: ExpectedChange, today: date) -> ExpectedChangeRow:
    """The row of an expected change, with its days counted from `today`."""
    key = expected.key
    return ExpectedChangeRow(
        nct_id=expected.nct_id,
        what=expected.what,
        on=expected.on,
        outlook=Outlook.OVERDUE if expected.is_overdue else Outlook.DUE,
        days=(expected.on - today).days,
        status=key.status,
        verified=key.verified,
        completion_date=key.completion_date,
        why=expected.why,
        title=key.brief_title,
        url=STUDY_PAGE + expected.nct_id,
        rule=expected.rule,
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected changes of watched trials, soonest first; `later` counts those after."""

    expected: tuple[ExpectedChange, ...]
    watched: int
    later: int


def forecast_changes(
    store: Store,
    today: date,
    *,
    within: timedelta | None = None,
    watch: str | None = None,
    what: Collection[Expectation] = (),
) -> Forecast:
    """Forecast the changes from `today` on, up to `within` later.

    `watch` leaves out the trials of other watches, and `what` all other expectations.
    A trial is overdue if a load after its day still showed it as active. Days are compared with the
    newest load seen, because later changes of the registry are not known.
    """
    ids = store.watched.ids(TrialSelection(watch=watch))
    coming = [one for one in _coming(store, ids, today) if not what or one.what in what]
    near = [one for one in coming if within is None or one.on <= today + within]
    return Forecast(tuple(_with_keys(store, near)), len(ids), len(coming) - len(near))


def expected_of_trial(store: Store, nct_id: NctId, today: date) -> Iterator[ExpectedChangeRow]:
    """Yield what will happen to one trial, soonest first."""
    for one in _with_keys(store, _coming(store, [nct_id], today)):
        yield expected_change_row(one, today)


class _Coming(NamedTuple):
    """What will happen to a trial; sorts by day, trial and what."""

    on: date
    nct_id: NctId
    what: Expectation
    is_overdue: bool
    why: str
    rule: str


def _with_keys(store: Store, coming: Iterable[_Coming]) -> Iterator[ExpectedChange]:
    """Yield the expected changes, soonest first, after reading the key fields of their trials."""
    ordered = sorted(coming)
    keys = store.versions.newest_keys({one.nct_id: None for one in ordered})
    # a trial that a sync has just marked as gone has no key any more
    for one in (one for one in ordered if one.nct_id in keys):
        yield ExpectedChange(
            one.nct_id,
            keys[one.nct_id],
            one.what,
            one.on,
            is_overdue=one.is_overdue,
            why=one.why,
            rule=one.rule,
        )


def _coming(store: Store, ids: Sequence[NctId], today: date) -> Iterator[_Coming]:
    """Yield what will happen after the newest load; `ctsync flags` lists flags that are true."""
    seen = flag_day(store, today)
    day = f"{seen}"
    for head in store.flag_heads.expected(ids, form=FORM):
        found = forecast(_unknown_key(head), seen)
        if found.on is not None:
            is_overdue = found.outlook is Outlook.OVERDUE
            yield _Coming(
                found.on, head.nct_id, Expectation.UNKNOWN, is_overdue, found.why, UNKNOWN_RULE
            )
        for flag in _flags(store, head):
            if flag.on > day:
                on, what = date.fromisoformat(flag.on), Expectation(flag.flag)
                yield _Coming(on, head.nct_id, what, is_overdue=False, why=flag.why, rule=flag.rule)


def _unknown_key(head: ForecastHead) -> KeyFields:
    return KeyFields(
        status=head.status, verified=head.verified, completion_date=head.completion_date
    )


def _flags(store: Store, head: ForecastHead) -> Iterable[ExpectedFlag]:
    """Return the flags to expect, from what is stored for the record or from the record."""
    try:
        if head.expected is not None:
            return [ExpectedFlag._make(one) for one in orjson.loads(head.expected)]
        body = None if head.digest is None else orjson.loads(store.bodies.read(head.digest))
        return () if body is None else list(expected_flags(body))
    except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
        return ()


SCHEMAS = {"expected_change": ExpectedChangeRow}
