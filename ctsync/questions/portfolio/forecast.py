"""Forecast the status UNKNOWN and the flags of watched trials. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import STUDY_PAGE, KeyFields, NctId
from ctsync.questions.portfolio.flags import flag_day
from ctsync.record.enum_words import enum_words
from ctsync.record.flags import Flag, FlagId, coming_flags
from ctsync.record.registry.unknown_status import Outlook, forecast
from ctsync.store.data.watched_trials import TrialSelection
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
    coming = [one for one in _expected(store, ids, today) if not what or one.what in what]
    near = [one for one in coming if within is None or one.on <= today + within]
    return Forecast(tuple(near), len(ids), len(coming) - len(near))


def expected_of_trial(store: Store, nct_id: NctId, today: date) -> Iterator[ExpectedChangeRow]:
    """Yield what will happen to one trial, soonest first."""
    for one in _expected(store, [nct_id], today):
        yield expected_change_row(one, today)


def _expected(store: Store, ids: Sequence[NctId], today: date) -> list[ExpectedChange]:
    keys, seen = store.versions.newest_keys(ids), flag_day(store, today)
    found = [*_unknown(keys, seen), *_flags(store, keys, seen)]
    return sorted(found, key=lambda one: (one.on, one.nct_id, one.what))


def _unknown(keys: Mapping[NctId, KeyFields], seen: date) -> Iterator[ExpectedChange]:
    for nct_id, key in keys.items():
        found = forecast(key, seen)
        if found.on is not None:
            is_overdue = found.outlook is Outlook.OVERDUE
            yield ExpectedChange(
                nct_id, key, Expectation.UNKNOWN, found.on, is_overdue=is_overdue, why=found.why
            )


def _flags(store: Store, keys: Mapping[NctId, KeyFields], seen: date) -> Iterator[ExpectedChange]:
    """Yield the flags that become true after `seen`; `ctsync flags` lists those that are true."""
    for nct_id, key in keys.items():
        coming = _coming(store, nct_id, seen)
        ids = {flag.id for flag in coming}
        for flag in coming:
            if flag.id is not FlagId.RESULTS_OVERDUE and flag.since is not None:
                yield ExpectedChange(
                    nct_id,
                    key,
                    Expectation(flag.id.value),
                    flag.since,
                    is_overdue=False,
                    why=_why(flag, is_submitted=FlagId.RESULTS_OVERDUE not in ids),
                    rule=flag.source,
                )


def _coming(store: Store, nct_id: NctId, seen: date) -> tuple[Flag, ...]:
    try:
        body = orjson.loads(store.bodies.read(store.versions.newest_digest(nct_id)))
    except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
        return ()
    return coming_flags(body, after=seen)


def _why(flag: Flag, *, is_submitted: bool) -> str:
    values = flag.inputs
    status = enum_words(f"{values.get('status')}")
    match flag.id:
        case FlagId.RESULTS_DUE:
            submitted = "submitted, not posted" if is_submitted else "none submitted"
            return f"42 CFR 11.44 counts from completion {values['completion_date']}; {submitted}"
        case FlagId.OPEN_PAST_COMPLETION:
            return f"completion {values['completion_date']} passes; status {status}"
        case FlagId.RECRUITING_PAST_PRIMARY_COMPLETION:
            return f"primary completion {values['primary_completion_date']} passes; status {status}"
        case _:
            return flag.words


SCHEMAS = {"expected_change": ExpectedChangeRow}
