"""Context of what a record shows today: a suspension that lasts, and a flag. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ctsync.record.context.base_rates import (
    PUBLISHED_RATES,
    BaseRate,
    BaseRates,
    ContextNote,
    RateId,
)
from ctsync.record.flags.flag import FlagId
from ctsync.record.value_text import counted

SUSPENDED_FOR = (
    (365, RateId.SUSPENDED_365_DAYS_RESTARTED),
    (180, RateId.SUSPENDED_180_DAYS_RESTARTED),
    (90, RateId.SUSPENDED_90_DAYS_RESTARTED),
)
"""The rates of trials that are suspended for more than this many days, longest first."""

_SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension that lasts: its first recorded day, and its length in days up to today.

    `is_exact` is false if versions may be missing before that day, so that the trial may have been
    suspended for longer.
    """

    since: date
    days: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class StatusOnDay:
    """The status of one version, its first day, and the registry's number of the version."""

    status: str | None
    day: date
    registry_version: int | None


def current_suspension(statuses: Sequence[StatusOnDay], *, as_of: date) -> Suspension | None:
    """Return the suspension in the last of these versions, oldest first; None if there is none."""
    if not statuses or statuses[-1].status != _SUSPENDED:
        return None
    first = len(statuses) - 1
    while first > 0 and statuses[first - 1].status == _SUSPENDED:
        first -= 1
    number = statuses[first].registry_version
    before = statuses[first - 1].registry_version if first else -1
    is_exact = number is not None and before is not None and number == before + 1
    since = statuses[first].day
    return Suspension(since, max(0, (as_of - since).days), is_exact)


def suspension_context(
    found: Suspension, rates: BaseRates | None = PUBLISHED_RATES
) -> tuple[ContextNote, ...]:
    """Return how long a trial has been suspended and how many restarted after as long.

    Empty if `rates` is None.
    """
    if rates is None:
        return ()
    length = f"{'' if found.is_exact else 'at least '}{counted(found.days, 'day')}"
    said = f"suspended for {length}, recorded since {found.since}"
    for least, rate in (*SUSPENDED_FOR, (-1, RateId.SUSPENDED_RESTARTED)):
        if found.days > least and rates.get(rate):
            shown = rates[rate][0]
            after = (
                f"trials still suspended after {least} days" if least > 0 else "suspended trials"
            )
            share = f"{shown.percent:.1f} % of {shown.n:,} {after} restarted or were completed"
            return (ContextNote(f"{said}; {share} ({_origin(shown)})", (shown,)),)
    return (ContextNote(said, ()),)


def flag_context(
    flag: FlagId | str, rates: BaseRates | None = PUBLISHED_RATES
) -> tuple[ContextNote, ...]:
    """Return the context of a flag, by its id; empty if there is none or `rates` is None."""
    return () if rates is None else tuple(_flag_notes(flag, rates))


def _flag_notes(flag: FlagId | str, rates: BaseRates) -> Iterator[ContextNote]:
    if flag == FlagId.RESULTS_OVERDUE:
        for rate in rates.get(RateId.RESULTS_NOT_SUBMITTED, ())[:1]:
            share = f"{rate.percent:.1f} % of {rate.n:,} trials with results due"
            yield ContextNote(f"{share} had submitted none ({_origin(rate)})", (rate,))


def _origin(rate: BaseRate) -> str:
    return f"{rate.window}; {rate.source}"
