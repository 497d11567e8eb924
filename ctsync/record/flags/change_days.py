"""The days on which a flag of a record can change by time alone. Pure, does no I/O.

They come from a few dates that the database stores with each version, so that nobody has to read
the record of an unchanged trial every day. A day may turn out to change nothing; no day with a
change is missing, as long as the record names no submission or certificate of a later day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ctsync.dates import PartialDate
from ctsync.model import KeyFields
from ctsync.record.flags.record_values import days_after, months_after, years_after
from ctsync.record.flags.results_reporting import CERTIFIED_DAYS, CERTIFIED_YEARS
from ctsync.record.flags.upkeep import STALE_MONTHS


def next_flag_day(key: KeyFields, *, after: date) -> date | None:
    """Return the first day later than `after` on which a flag can change without an edit."""
    return min((day for day in _days(key) if day > after), default=None)


def _days(key: KeyFields) -> Iterator[date]:
    for text in (key.primary_completion_date, key.completion_date):
        completion = PartialDate.parse(text)
        if completion is not None:
            last = completion.last
            certified = days_after(years_after(last, CERTIFIED_YEARS), CERTIFIED_DAYS)
            # each date is the last day before the flag
            yield from (days_after(day, 1) for day in (last, years_after(last, 1), certified))
    verified, posted = PartialDate.parse(key.verified), PartialDate.parse(key.first_posted)
    if verified is not None:
        yield months_after(verified.first, STALE_MONTHS)
    if posted is not None:
        yield years_after(posted.last, 1)
    registered = PartialDate.parse(key.first_submitted)
    if registered is not None:
        yield registered.first
