"""Arguments as a Python program passes them, read with the parsers of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from os import PathLike, fspath
from typing import TypeVar

from ctsync.errors import UsageError
from ctsync.model import NctId
from ctsync.pasted_url import read_trial
from ctsync.questions.changes.filters import parse_word
from ctsync.questions.parameters import MOST, read_day, read_moment, read_span

When = date | datetime | str
"""A day, an aware time, or text as on the command line: 2026-03-13, 7d, yesterday."""

Words = str | Iterable[str]
"""A word, or several."""

PathText = str | PathLike[str]
"""A path as a program passes it."""

EnumT = TypeVar("EnumT", bound=StrEnum)


def database(named: str | PathLike[str] | None) -> str | None:
    """Return the file or the URL of a database as text; None is that of the settings."""
    return None if named is None else fspath(named)


def trial(text: str) -> NctId:
    """Return the trial that an NCT id or URL names; raises BadNctId."""
    return read_trial(str(text))


def trials(texts: Iterable[str]) -> tuple[NctId, ...]:
    """Return the named trials, in order; raises BadNctId."""
    return tuple(trial(text) for text in texts)


def moment(value: When, now: datetime, *, end_of_day: bool = False) -> datetime:
    """Return an aware UTC time; a day means its start, or its end. Raises UsageError."""
    if not isinstance(value, datetime):
        return read_moment(_text(value), now, end_of_day=end_of_day)
    if value.tzinfo is None:
        raise UsageError(f"{value} has no time zone; write datetime(..., tzinfo=UTC), or a date")
    return value.astimezone(UTC)


def day(value: date | str) -> date:
    """Return a day; raises UsageError for a time and for other text."""
    if isinstance(value, datetime):
        raise UsageError(f"{value} is a time, not a day; write {value}.date()")
    return value if isinstance(value, date) else read_day(str(value))


def span(value: timedelta | str | None) -> timedelta | None:
    """Return a time span; `all` and None are None. Raises UsageError."""
    return value if value is None or isinstance(value, timedelta) else read_span(str(value))


def texts(given: Words) -> tuple[str, ...]:
    """Return the texts; one text alone is not read letter by letter."""
    return (given,) if isinstance(given, str) else tuple(given)


def words(given: Words, known: type[EnumT]) -> Sequence[EnumT]:
    """Return the members that the words name; raises UsageError with the likely values."""
    return tuple(parse_word(one, known) for one in texts(given))


def limit(number: int | None) -> int | None:
    """Return a limit of 1 or more; None is no limit. Raises UsageError."""
    if number is not None and number < 1:
        raise UsageError(f"limit={number}: write a number of at least 1")
    if number is not None and number > MOST:
        raise UsageError(f"limit={number}: write a number from 1 to {MOST:,}")
    return number


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
