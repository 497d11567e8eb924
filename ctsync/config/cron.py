"""Cron expressions, each field as the set of its numbers. Does no I/O.

The settings and the daemon both use this reader, so they accept the same expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MOST_DAYS = {month: 30 if month in {4, 6, 9, 11} else 31 for month in range(1, 13)} | {2: 29}
_PART = re.compile(r"(\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d{0,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the five fields; `names` are numbered from `lowest`."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()


_KINDS = (
    _Kind("minute", 0, 59),
    _Kind("hour", 0, 23),
    _Kind("day of the month", 1, 31),
    _Kind("month", 1, 12, _MONTHS),
    _Kind("weekday", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class CronTimes:
    """The times of a cron expression; weekdays are numbered from Sunday, 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]


def read_cron(text: str) -> CronTimes:
    """Read five fields; raises ValueError, which says which field is wrong.

    An expression with both day and weekday is refused: cron runs if either matches, its
    successors only if both match. One for days that no month has is refused as well.
    """
    fields = text.split()
    if len(fields) != len(_KINDS):
        raise ValueError(
            f"a cron expression has 5 fields (minute hour day month weekday), not {len(fields)}"
        )
    if fields[2] != "*" and fields[4] != "*":
        raise ValueError("specify a day of the month or a weekday, not both")
    minutes, hours, days, months, weekdays = (
        _numbers(field, kind) for field, kind in zip(fields, _KINDS, strict=True)
    )
    if min(days) > max(_MOST_DAYS[month] for month in months):
        raise ValueError(f"never runs: there is no day {min(days)} in month {fields[3]}")
    named = tuple(sorted({day % 7 for day in weekdays}))
    return CronTimes(minutes, hours, days, months, named)


def _numbers(field: str, kind: _Kind) -> tuple[int, ...]:
    found: set[int] = set()
    for part in field.lower().split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{field!r} is not a field of a cron expression")
        is_weekday = kind.names is WEEKDAYS
        first = _number(match["first"], kind) if match["first"] else kind.lowest
        if match["last"]:
            last = _number(match["last"], kind)
        else:
            # 5/10 means from 5 to the end of the field
            open_ended = match["first"] is None or match["step"]
            last = kind.highest - is_weekday if open_ended else first
        if last < first and is_weekday:
            last += 7  # fri-mon includes Sunday
        if last < first:
            raise ValueError(f"{part!r}: the {kind.name} range ends before it begins")
        found.update(range(first, last + 1, int(match["step"] or 1)))
    return tuple(sorted(found))


def _number(text: str, kind: _Kind) -> int:
    if text in kind.names:
        return kind.lowest + kind.names.index(text)
    if not text.isdigit() or not kind.lowest <= int(text[:5]) <= kind.highest:
        raise ValueError(f"{text!r} is not a {kind.name}: {kind.lowest} to {kind.highest}")
    return int(text)
