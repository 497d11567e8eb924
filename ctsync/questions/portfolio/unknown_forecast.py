"""Forecast of watched trials that the registry will set to UNKNOWN. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from ctsync.model import STUDY_PAGE, KeyFields, NctId
from ctsync.record.registry.unknown_status import Outlook, UnknownDate, forecast
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class ExpectedUnknown:
    """A trial whose status the registry will set to UNKNOWN, or should have set."""

    nct_id: NctId
    key: KeyFields
    on: date
    is_overdue: bool
    why: str


@dataclass(frozen=True, slots=True)
class ExpectedUnknownRow:
    """A followed trial whose status the registry will change to UNKNOWN by itself."""

    nct_id: NctId
    """The NCT id of the trial."""
    on: date
    """The day on which the registry will change the status."""
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
    """Why the registry will change the status."""
    title: str | None
    """The brief title of the trial."""
    url: str
    """The page of the trial at the registry."""


def expected_unknown_row(expected: ExpectedUnknown, today: date) -> ExpectedUnknownRow:
    """The row of an expected change, with its days counted from `today`."""
    key = expected.key
    return ExpectedUnknownRow(
        nct_id=expected.nct_id,
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
class UnknownForecast:
    """The expected changes of watched trials, soonest first; `later` counts those after."""

    expected: tuple[ExpectedUnknown, ...]
    watched: int
    later: int


def forecast_unknown(
    store: Store, today: date, *, within: timedelta | None = None
) -> UnknownForecast:
    """Forecast the changes from `today` on, up to `within` later.

    A trial is overdue if a load after its day still showed it as active. Days are compared with the
    newest load seen, because later changes of the registry are not known.
    """
    load = store.runs.newest_load()
    seen = min(load.date(), today) if load else today
    ids = store.watched.ids()
    forecasts = {
        nct_id: (key, forecast(key, seen))
        for nct_id, key in store.versions.newest_keys(ids).items()
    }
    coming = [
        _expected(nct_id, key, found, found.on)
        for nct_id, (key, found) in forecasts.items()
        if found.on is not None
    ]
    near = [one for one in coming if within is None or one.on <= today + within]
    near.sort(key=lambda one: (one.on, one.nct_id))
    return UnknownForecast(tuple(near), len(ids), len(coming) - len(near))


def _expected(nct_id: NctId, key: KeyFields, found: UnknownDate, on: date) -> ExpectedUnknown:
    return ExpectedUnknown(nct_id, key, on, found.outlook is Outlook.OVERDUE, found.why)


SCHEMAS = {"expected_unknown": ExpectedUnknownRow}
