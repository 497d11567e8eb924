"""Numbers, days, times and time spans of questions, read the same for each face. Does no I/O."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from ctsync.errors import UsageError

MOST = 1_000_000_000
"""The largest number that is read: no list is longer, and a database can compare it."""

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
_AGO = re.compile(r"(\d+)\s*([hdwmy])\Z")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "m": 24 * 30, "y": 24 * 365}
_EVERYTHING = "all"


def read_number(text: str, *, least: int = 1, most: int = MOST) -> int:
    """Read a whole number in these bounds; raises UsageError for other text."""
    found = re.fullmatch(r"\s*(-?)0*([0-9]+)\s*", text)
    # a number of thousands of digits takes int() seconds, or makes it fail; 18 are out of bounds
    number = int(found[1] + found[2][:18]) if found else None
    if number is None or not least <= number <= most:
        raise UsageError(f"{text!r} is not {_wanted(number, least, most)}")
    return number


def _wanted(number: int | None, least: int, most: int) -> str:
    # the largest number that is read concerns only those who give a larger one
    if most < MOST or (number is not None and number > most):
        return f"a whole number from {least:,} to {most:,}"
    return f"a whole number of at least {least:,}"


def read_period(text: str, now: datetime) -> tuple[datetime, timedelta]:
    """Read a day or an age, as its start and its length: 2026-03-13, 12h, 7d, yesterday, last week.

    Days start at midnight UTC. "last week" is the last calendar week, from Monday. An age is a
    point in time, without a length. Raises UsageError for other text.
    """
    words = _words(text)
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    day = timedelta(days=1)
    named = {
        "today": (today, day),
        "yesterday": (today - day, day),
        "last week": (today - timedelta(days=today.weekday() + 7), 7 * day),
    }
    if words in named:
        return named[words]
    if ago := _AGO.fullmatch(words):
        try:
            return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]]), timedelta()
        except OverflowError:
            raise UsageError(f"{text!r} is longer ago than there are dates") from None
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(), UTC), day
    except ValueError:
        raise UsageError(
            f'{text!r} is not a date (2026-03-13, yesterday, "last week") or an age (7d)'
        ) from None


def read_moment(text: str, now: datetime, *, end_of_day: bool = False) -> datetime:
    """Read a point in time as an aware UTC time; a day means its start, or its end.

    `all` is the beginning of time. Raises UsageError as `read_period` does.
    """
    if _words(text) == _EVERYTHING:
        return BEGINNING
    start, length = read_period(text, now)
    if not end_of_day:
        return start
    # date.max has no next day
    return END if start.date() == date.max else start + length


def read_day(text: str) -> date:
    """Read a day, as in 2026-03-13; raises UsageError for other text."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not a date; write it as 2026-03-13") from None


def read_span(text: str) -> timedelta | None:
    """Read a time span: 12h, 90d, 2w, 6m, 1y, or `all`, which is None. Raises UsageError."""
    words = text.strip().lower()
    found = _AGO.match(words)
    if found is None and words != _EVERYTHING:
        raise UsageError(f"{text!r} is not a time span; write one such as 90d")
    try:
        return timedelta(hours=int(found[1]) * _HOURS[found[2]]) if found else None
    except OverflowError:
        raise UsageError(f"{text!r} is too long") from None


def _words(text: str) -> str:
    return " ".join(text.lower().split())
