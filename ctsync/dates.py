"""Registry dates (a year, a month or a day), the clock and time zones. Does no other I/O.

A month is an interval, not its first day: see `PartialDate.shift_to`.
"""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of two hosts with one database may differ.

A stored time that is further ahead of our clock was written by a wrong clock.
"""

LOAD_TOLERANCE = timedelta(days=1)
"""How far a dataTimestamp of the registry may be ahead of our clock."""

_EARLIEST = "-01-01"
_SHAPE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z", re.ASCII)


class Precision(StrEnum):
    """The precision of a date, as the registry gave it."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"


_WHOLE = 10
_BY_LENGTH = {4: Precision.YEAR, 7: Precision.MONTH, _WHOLE: Precision.DAY}
_COARSENESS = {Precision.DAY: 0, Precision.MONTH: 1, Precision.YEAR: 2}


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of a date: `days` is signed, and later is positive.

    `margin` is 0 if both dates are days; otherwise the true shift may differ from `days` by up to
    `margin` days either way. `precision_only` means that one date lies within the interval of the
    other: it is the same date with another precision, so `days` is 0.
    """

    days: int
    margin: int
    precision_only: bool


@dataclass(frozen=True, slots=True, order=True)
class PartialDate:
    """A registry date as written: "2017", "2017-01" or "2017-01-15"."""

    text: str

    def __post_init__(self) -> None:
        """Raise ValueError for text that is not such a date (month 13, 30 February)."""
        if _SHAPE.match(self.text) is None:
            raise ValueError(f"not a date: {self.text!r}")
        date.fromisoformat((self.text + _EARLIEST)[:10])

    @classmethod
    def parse(cls, text: object) -> PartialDate | None:
        """Parse a date. Returns None for anything else; never raises for remote text."""
        if not isinstance(text, str):
            return None
        try:
            return cls(text)
        except ValueError:
            return None

    @property
    def precision(self) -> Precision:
        """The smallest unit of the date."""
        return _BY_LENGTH[len(self.text)]

    @property
    def first(self) -> date:
        """The first day the date may mean."""
        return _days_of(self.text)[0]

    @property
    def last(self) -> date:
        """The last day the date may mean."""
        return _days_of(self.text)[1]

    def coarsened(self, precision: Precision) -> PartialDate:
        """Return the date at `precision`, or unchanged if it is already coarser."""
        length = {Precision.YEAR: 4, Precision.MONTH: 7, Precision.DAY: 10}[precision]
        return PartialDate(self.text[:length])

    def shift_to(self, later: PartialDate) -> Shift:
        """Return the shift from this date to `later`.

        Both dates are read at the coarser of the two precisions and the first days of those
        intervals are compared, so 2012-02 -> 2013-02 is 366 days and 2026-10 -> 2026-10-31
        is 0 days, precision only.
        """
        if len(self.text) == len(later.text) == _WHOLE:
            return Shift((later.first - self.first).days, 0, precision_only=False)
        coarser = max(self.precision, later.precision, key=lambda p: _COARSENESS[p])
        here, there = self.coarsened(coarser), later.coarsened(coarser)
        days = (there.first - here.first).days
        margin = max((here.last - here.first).days, (there.last - there.first).days)
        same_text = self.text == later.text
        return Shift(
            days,
            margin,
            precision_only=days == 0
            and not same_text
            and coarser is not Precision.DAY
            and self.precision is not later.precision,
        )


@lru_cache(maxsize=8192)
def _days_of(text: str) -> tuple[date, date]:
    """Return the first and the last day of a date. Cached: trials share few dates."""
    first = date.fromisoformat((text + _EARLIEST)[:10])
    match _BY_LENGTH[len(text)]:
        case Precision.DAY:
            return first, first
        case Precision.YEAR:
            return first, date(first.year, 12, 31)
        case _:
            return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


class Clock(Protocol):
    """The source of time; passed in, so that tests can control it."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for deadlines and rate limits."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def time_zone(name: str) -> tzinfo:
    """Return a time zone. UTC needs no time zone database.

    Raises ValueError for a name that is not a time zone, and if there is no database.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError(
                "this computer has no time zone database; install one: pip install tzdata; "
                "UTC works without it"
            ) from None
        raise ValueError(f"{name!r} is not a time zone") from None


def is_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a time written by a clock is in the future by more than CLOCK_TOLERANCE."""
    return moment > now + CLOCK_TOLERANCE


def parse_timestamp(text: str) -> datetime:
    """Parse a registry dataTimestamp, which is in UTC without a zone suffix (OpenAPI 2.0.5).

    Raises ValueError for anything else.
    """
    stamp = datetime.fromisoformat(text)
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)


def format_timestamp(stamp: datetime) -> str:
    """Write an aware time as 2026-03-13T09:00:05Z; microseconds are dropped."""
    # strftime writes the year 201 with three digits
    return stamp.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def format_minute(moment: datetime) -> str:
    """Write an aware time for people, as 2026-03-13 09:00Z; seconds are dropped."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", timespec="minutes") + "Z"


def mark_future(
    moment: datetime, now: datetime, shown: str = "", *, tolerance: timedelta = CLOCK_TOLERANCE
) -> str:
    """Write a stored time for people, and say so if it lies in the future.

    A wrong clock wrote such a time, or the registry if it names a load. `shown` replaces the form
    of `format_minute`.
    """
    shown = shown or format_minute(moment)
    return f"{shown} (in the future)" if moment > now + tolerance else shown


def format_day_or_minute(moment: datetime) -> str:
    """Write the start of a day (UTC) as 2026-03-13, and another time with its minute."""
    return format_minute(moment).removesuffix(" 00:00Z")
