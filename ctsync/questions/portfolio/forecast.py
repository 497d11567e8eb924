"""Forecast the status UNKNOWN and due results of watched trials. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

import orjson

from ctsync.dates import PartialDate
from ctsync.errors import CorruptBody
from ctsync.model import STUDY_PAGE, KeyFields, NctId
from ctsync.record.flags import results_become_due
from ctsync.record.registry.unknown_status import Outlook, forecast
from ctsync.store.store import Store

_LONGEST_DELAY_YEARS = 4
"""The most calendar years from completion to the year in which results are due."""


class Expectation(StrEnum):
    """What will happen to a trial by time alone."""

    UNKNOWN = "unknown"
    RESULTS_DUE = "results_due"


@dataclass(frozen=True, slots=True)
class ExpectedChange:
    """What will happen to a trial if nobody updates its record, or should have happened."""

    nct_id: NctId
    key: KeyFields
    what: Expectation
    on: date
    is_overdue: bool
    why: str


@dataclass(frozen=True, slots=True)
class ExpectedChangeRow:
    """What will happen to a followed trial if nobody updates its record."""

    nct_id: NctId
    """The NCT id of the trial."""
    what: Expectation
    """`unknown` if the registry will change the status to UNKNOWN, `results_due` if results will
    be due by the rule of 42 CFR 11.44."""
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
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected changes of watched trials, soonest first; `later` counts those after."""

    expected: tuple[ExpectedChange, ...]
    watched: int
    later: int


def forecast_changes(store: Store, today: date, *, within: timedelta | None = None) -> Forecast:
    """Forecast the changes from `today` on, up to `within` later.

    A trial is overdue if a load after its day still showed it as active. Days are compared with the
    newest load seen, because later changes of the registry are not known.
    """
    load = store.runs.newest_load()
    seen = min(load.date(), today) if load else today
    keys = store.versions.newest_keys(ids := store.watched.ids())
    coming = [*_unknown(keys, seen), *_results_due(store, keys, seen)]
    near = [one for one in coming if within is None or one.on <= today + within]
    near.sort(key=lambda one: (one.on, one.nct_id, one.what))
    return Forecast(tuple(near), len(ids), len(coming) - len(near))


def _unknown(keys: Mapping[NctId, KeyFields], seen: date) -> Iterator[ExpectedChange]:
    for nct_id, key in keys.items():
        found = forecast(key, seen)
        if found.on is not None:
            is_overdue = found.outlook is Outlook.OVERDUE
            yield ExpectedChange(
                nct_id, key, Expectation.UNKNOWN, found.on, is_overdue=is_overdue, why=found.why
            )


def _results_due(
    store: Store, keys: Mapping[NctId, KeyFields], seen: date
) -> Iterator[ExpectedChange]:
    """Yield the trials whose results become due after `seen`; those that are due have a flag."""
    for nct_id, key in keys.items():
        completion = PartialDate.parse(key.primary_completion_date or key.completion_date)
        if completion is None or key.has_results or key.study_type != "INTERVENTIONAL":
            continue
        if completion.last.year + _LONGEST_DELAY_YEARS < seen.year:
            continue  # spares reading the record
        on = _become_due(store, nct_id)
        if on is not None and on > seen:
            yield ExpectedChange(
                nct_id,
                key,
                Expectation.RESULTS_DUE,
                on,
                is_overdue=False,
                why=f"42 CFR 11.44 counts from completion {completion.text}; none submitted",
            )


def _become_due(store: Store, nct_id: NctId) -> date | None:
    try:
        return results_become_due(
            orjson.loads(store.bodies.read(store.versions.newest_digest(nct_id)))
        )
    except (CorruptBody, ValueError):  # a damaged body must not prevent the other rows
        return None


SCHEMAS = {"expected_change": ExpectedChangeRow}
