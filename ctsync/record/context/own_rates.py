"""Base rates counted from versions at hand, and the choice between them and published ones.

A stop counts if it was seen to begin and was followed for a year. A trial resumed if a later
version is recruiting, about to recruit, active or completed. Suspensions whose reason names
COVID-19 are left out. Slips are counted in trials whose versions begin with the registration.
Changes of primary outcomes are counted in those of them whose first planned primary completion
has passed, and for changes after completion, has passed for a year. Changes in wording, and those
that are unresolved, do not count.

Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median, quantiles
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import KeyFields
from ctsync.record.context.base_rates import (
    OWN_SOURCE,
    PUBLISHED_RATES,
    BaseRate,
    BaseRates,
    RateId,
)
from ctsync.record.context.event_context import is_primary_outcome_change
from ctsync.record.context.sponsor_past import SponsoredTrial
from ctsync.record.events.trial_dates import count_slips
from ctsync.record.registry.unknown_status import ACTIVE

LARGE_ENOUGH = 400
"""The smallest number of trials for which a rate of your own replaces the published one: the
standard error of a share is then at most 2.5 percentage points."""

_FOLLOWED_DAYS = 365
_RESUMED = ACTIVE | {"COMPLETED"}
_COVID = re.compile(r"covid|corona|sars-cov|pandemic", re.IGNORECASE)
_STILL_SUSPENDED = {
    90: RateId.SUSPENDED_90_DAYS_RESTARTED,
    180: RateId.SUSPENDED_180_DAYS_RESTARTED,
    365: RateId.SUSPENDED_365_DAYS_RESTARTED,
}
_REOPENED = {
    "TERMINATED": RateId.TERMINATED_REOPENED,
    "WITHDRAWN": RateId.WITHDRAWN_REOPENED,
}
_FEWEST_FOR_QUARTILES = 4
_RECRUITING = frozenset({"while recruiting", "after recruitment"})
_COMPLETED = frozenset({"after completion", "after the results"})


@dataclass(frozen=True, slots=True)
class TrialCourse:
    """The versions of one trial, oldest first: the first day and the key fields of each.

    `is_complete` says whether they begin with the registration. `outcome_stages` are the stages
    of the trial at which a primary outcome changed, as `stage_of_change` returns them.
    """

    days: Sequence[date]
    keys: Sequence[KeyFields]
    is_complete: bool
    outcome_stages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Stop:
    """A stop: its status and reason, its length so far, and whether the trial resumed then."""

    status: str
    why: str
    days: int
    resumed: bool


def count_rates(courses: Iterable[TrialCourse], *, until: date) -> BaseRates:
    """Count the base rates in these trials; `until` is the last day that their versions cover.

    A rate without a trial is left out.
    """
    stops: list[_Stop] = []
    slips: list[int] = []
    shares: list[float] = []
    outcomes: list[tuple[int, frozenset[str]]] = []
    for course in courses:
        stops += _stops(course, until)
        if course.is_complete and (dates := _completion_dates(course.keys)):
            slips.append(count_slips(dates))
            outcomes.append(((until - dates[0].last).days, course.outcome_stages))
        shares += _terminated_share(course.keys)
    window = f"up to {until:%Y-%m}"
    found = [
        *_stop_rates(stops, window),
        *_slip_rates(slips, window),
        *_enrollment(shares, window),
        *_outcome_rates(outcomes, window),
    ]
    return BaseRates({rate.id: (rate,) for rate in found})


def sponsored_trial(course: TrialCourse) -> SponsoredTrial | None:
    """Return a trial for the counts of its sponsor; None if it names none."""
    newest = course.keys[-1]
    if not newest.lead_sponsor:
        return None
    dates = _completion_dates(course.keys) if course.is_complete else []
    slip = dates[0].shift_to(dates[-1]).days if dates else None
    return SponsoredTrial(newest.lead_sponsor, newest.status, slip)


def stage_of_change(inputs: Mapping[str, Any]) -> str | None:
    """Return the stage of a trial at which a primary outcome changed, from the event's inputs.

    None for every other event.
    """
    is_counted = is_primary_outcome_change(inputs) and inputs.get("change") != "unresolved"
    stage = inputs.get("stage")
    return stage if is_counted and isinstance(stage, str) else None


def preferred(own: BaseRates, published: BaseRates = PUBLISHED_RATES) -> BaseRates:
    """Return the rates to show: your own if they count LARGE_ENOUGH trials, else published.

    The past of sponsors is from your own.
    """
    large = {rate: found for rate, found in own.items() if is_large(found)}
    return BaseRates({**published, **large}, own.sponsors, own.sponsors_window)


def is_large(rates: Sequence[BaseRate]) -> bool:
    """Whether rates of your own count enough trials to replace the published ones."""
    return bool(rates) and rates[0].n >= LARGE_ENOUGH


def _stops(course: TrialCourse, until: date) -> Iterator[_Stop]:
    statuses = [key.status for key in course.keys]
    for i in range(1, len(statuses)):
        status = statuses[i]
        if status == statuses[i - 1] or status not in {"SUSPENDED", *_REOPENED}:
            continue
        if until - course.days[i] < timedelta(days=_FOLLOWED_DAYS):
            continue
        after = next((j for j in range(i, len(statuses)) if statuses[j] != status), None)
        end = until if after is None else course.days[after]
        resumed = after is not None and statuses[after] in _RESUMED
        why = course.keys[i].why_stopped or ""
        yield _Stop(status, why, (end - course.days[i]).days, resumed=resumed)


def _stop_rates(stops: Sequence[_Stop], window: str) -> Iterator[BaseRate]:
    suspended = [one for one in stops if one.status == "SUSPENDED" and not _COVID.search(one.why)]
    without = f"{window}, without COVID-19"
    yield from _resumed(RateId.SUSPENDED_RESTARTED, suspended, without)
    for days, rate in _STILL_SUSPENDED.items():
        yield from _resumed(rate, [one for one in suspended if one.days > days], without)
    for_funding = [one for one in suspended if "funding" in one.why.casefold()]
    yield from _resumed(RateId.SUSPENDED_FOR_FUNDING_RESTARTED, for_funding, without)
    for status, rate in _REOPENED.items():
        yield from _resumed(rate, [one for one in stops if one.status == status], window)


def _resumed(rate: RateId, stops: Sequence[_Stop], window: str) -> Iterator[BaseRate]:
    days = [one.days for one in stops if one.resumed]
    shown = days if rate is RateId.SUSPENDED_RESTARTED else []
    yield from _share(rate, len(days), of=len(stops), window=window, days=shown)


def _slip_rates(slips: Sequence[int], window: str) -> Iterator[BaseRate]:
    for before, rate in enumerate((RateId.FIRST_SLIP, RateId.SLIP_AFTER_1, RateId.SLIP_AFTER_2)):
        there = [number for number in slips if number >= before]
        again = sum(number > before for number in there)
        yield from _share(rate, again, of=len(there), window=window)


def _outcome_rates(trials: Sequence[tuple[int, frozenset[str]]], window: str) -> Iterator[BaseRate]:
    """Yield the rates of trials given as days since completion, and stages with a change."""
    for rate, stages, least in (
        (RateId.PRIMARY_OUTCOME_CHANGED_RECRUITING, _RECRUITING, 1),
        (RateId.PRIMARY_OUTCOME_CHANGED_COMPLETED, _COMPLETED, _FOLLOWED_DAYS),
    ):
        counted = [bool(changed & stages) for days, changed in trials if days >= least]
        yield from _share(rate, sum(counted), of=len(counted), window=window)


def _enrollment(shares: Sequence[float], window: str) -> Iterator[BaseRate]:
    if shares:
        low, high = _quartiles(shares)
        middle, n = round(median(shares), 1), len(shares)
        yield BaseRate(
            RateId.TERMINATED_ENROLLMENT, middle, n, None, window, OWN_SOURCE, None, low, high
        )


def _share(
    rate: RateId, count: int, *, of: int, window: str, days: Sequence[int] = ()
) -> Iterator[BaseRate]:
    if of:
        percent, middle = round(count / of * 100, 1), round(median(days)) if days else None
        low, high = _quartiles(days)
        yield BaseRate(rate, percent, of, count, window, OWN_SOURCE, middle, low, high)


def _quartiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    if len(values) < _FEWEST_FOR_QUARTILES:
        return None, None
    low, _, high = quantiles(values, n=4, method="inclusive")
    return round(low, 1), round(high, 1)


def _completion_dates(keys: Iterable[KeyFields]) -> list[PartialDate]:
    read = (PartialDate.parse(key.primary_completion_date) for key in keys)
    return [found for found in read if found is not None]


def _terminated_share(keys: Sequence[KeyFields]) -> Iterator[float]:
    last = keys[-1]
    planned = [key.enrollment for key in keys if key.enrollment_type != "ACTUAL" and key.enrollment]
    is_counted = last.enrollment_type == "ACTUAL" and last.enrollment is not None
    if last.status == "TERMINATED" and is_counted and planned:
        yield (last.enrollment or 0) / planned[-1] * 100


def read_rates(rows: Iterable[Mapping[str, object]]) -> BaseRates:
    """Read rates from their stored form; leaves out a row that is not a rate."""
    found = {}
    for row in rows:
        if _is_rate(row):
            rate = BaseRate(**{**row, "id": RateId(str(row["id"]))})  # type: ignore[arg-type]  # checked above
            found[rate.id] = (rate,)
    return BaseRates(found)


def _is_rate(row: Mapping[str, object]) -> bool:
    optional = ("count", "median_days", "low", "high")
    return (
        row.keys() == BaseRate.__dataclass_fields__.keys()
        and row["id"] in list(RateId)
        and all(isinstance(row[name], int | float) for name in ("n", "percent"))
        and all(row[name] is None or isinstance(row[name], int | float) for name in optional)
        and all(isinstance(row[name], str) for name in ("window", "source"))
    )
