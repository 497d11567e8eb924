"""The registry's rule for the status UNKNOWN: recognition and forecast.

A trial becomes UNKNOWN if its status is active, its record was verified more than 24 calendar
months ago, and its completion date has passed or is missing. The registry computes this itself,
on the first load of a month, or on the load after the completion date if the verification is
already that old. It posts no update and adds no version. Measured on 1,178 records without an
exception. The forecast assumes a load on the first weekday, because no holiday calendar is known.

Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from ctsync.dates import PartialDate
from ctsync.model import KeyFields
from ctsync.record.enum_words import enum_words, within_sentence

UNKNOWN = "UNKNOWN"
ACTIVE = frozenset(
    {"RECRUITING", "NOT_YET_RECRUITING", "ACTIVE_NOT_RECRUITING", "ENROLLING_BY_INVITATION"}
)

_MONTHS = 25
"""Months from verification to the month whose first load finds it more than 24 months old."""

_SATURDAY = 5


class Outlook(StrEnum):
    """Whether a trial will become UNKNOWN if the sponsor posts no update."""

    DUE = "due"
    OVERDUE = "overdue"
    NEVER = "never"
    ALREADY = "already"


@dataclass(frozen=True, slots=True)
class UnknownDate:
    """When a trial becomes UNKNOWN, and why; `on` is None if it does not."""

    outlook: Outlook
    on: date | None
    why: str


def is_registry_flip(before: KeyFields, after: KeyFields) -> bool:
    """Return whether the registry itself set the status UNKNOWN, without a sponsor update."""
    return (
        after.status == UNKNOWN
        and before.status != UNKNOWN
        and after.last_known_status in {before.status, None}
        and after.posted == before.posted
    )


def forecast(key: KeyFields, today: date) -> UnknownDate:
    """Return when the trial becomes UNKNOWN if no update is posted, as of `today`."""
    if key.status == UNKNOWN:
        return UnknownDate(Outlook.ALREADY, None, "the status is Unknown already")
    if key.status not in ACTIVE:
        status = within_sentence(enum_words(key.status or "MISSING"))
        return UnknownDate(Outlook.NEVER, None, f"a {status} status is never changed")
    verified = PartialDate.parse(key.verified)
    if verified is None:
        return UnknownDate(Outlook.NEVER, None, "no date of verification to count from")
    stale = _first_load(_months_after(verified.last, _MONTHS))
    why = f"verified {verified.text}, more than 24 months before"
    completion = PartialDate.parse(key.completion_date)
    if completion is None:
        on, why = stale, f"{why}; no completion date"
    elif completion.last < stale:
        on, why = stale, f"{why}; completion {completion.text} is past"
    elif completion.last.year == date.max.year:
        return UnknownDate(Outlook.NEVER, None, f"completion {completion.text} never passes")
    else:
        on = _first_load(completion.last + timedelta(days=1))
        why = f"completion {completion.text} passes, and {why}"
    return UnknownDate(Outlook.OVERDUE if on < today else Outlook.DUE, on, why)


def _months_after(day: date, months: int) -> date:
    """Return the first day of the month that many months later."""
    count = day.year * 12 + day.month - 1 + months
    return date(min(count // 12, date.max.year - 1), count % 12 + 1, 1)


def _first_load(day: date) -> date:
    """Return the day, or for a weekend the Monday after it."""
    late = day.weekday() - _SATURDAY
    return day + timedelta(days=2 - late) if late >= 0 else day
