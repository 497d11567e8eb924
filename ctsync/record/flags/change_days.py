"""The days on which a flag of a record can change by time alone. Pure, does no I/O.

They come from a few dates that the database stores with each version, so that nobody has to read
the record of an unchanged trial every day. A day may turn out to change nothing; no day with a
change is missing, as long as the record names no submission or certificate of a later day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from ctsync.dates import PartialDate
from ctsync.model import KeyFields
from ctsync.record.flags.record_values import days_after, months_after, years_after
from ctsync.record.flags.results_reporting import CERTIFIED_DAYS, CERTIFIED_YEARS
from ctsync.record.flags.upkeep import STALE_MONTHS

_CACHED = 8192


def next_flag_day(key: KeyFields, *, after: date) -> date | None:
    """Return the first day later than `after` on which a flag can change without an edit."""
    return min((day for day in _days(key) if day > after), default=None)


def _days(key: KeyFields) -> Iterator[date]:
    yield from _after_completion(key.primary_completion_date)
    yield from _after_completion(key.completion_date)
    yield from _after_verification(key.verified)
    yield from _after_posting(key.first_posted)
    yield from _of_registration(key.first_submitted)


# Many trials share their dates, so each date is read once.


@lru_cache(maxsize=_CACHED)
def _after_completion(text: str | None) -> tuple[date, ...]:
    completion = PartialDate.parse(text)
    if completion is None:
        return ()
    last = completion.last
    certified = days_after(years_after(last, CERTIFIED_YEARS), CERTIFIED_DAYS)
    # each of them is the last day before the flag
    return tuple(days_after(day, 1) for day in (last, years_after(last, 1), certified))


@lru_cache(maxsize=_CACHED)
def _after_verification(text: str | None) -> tuple[date, ...]:
    verified = PartialDate.parse(text)
    return () if verified is None else (months_after(verified.first, STALE_MONTHS),)


@lru_cache(maxsize=_CACHED)
def _after_posting(text: str | None) -> tuple[date, ...]:
    posted = PartialDate.parse(text)
    return () if posted is None else (years_after(posted.last, 1),)


@lru_cache(maxsize=_CACHED)
def _of_registration(text: str | None) -> tuple[date, ...]:
    registered = PartialDate.parse(text)
    return () if registered is None else (registered.first,)
