"""The axes of a chart: days to positions, years and round numbers as ticks. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ctsync.report.trial.charts.chart import ChartLine, ChartText, Shape

WIDE, NARROW = 760, 358
LETTER = 6.2
"""Width of a letter of a label, a little more than the average."""
LINE = 13
"""Height of a line of labels."""
_LEAST_DAYS = 60
_NEAREST_TICKS = 44.0
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class DayScale:
    """Places the days from `first` to `last` between two positions."""

    first: date
    last: date
    start: float
    end: float

    def at(self, day: date) -> float:
        """The position of a day; a day outside lies on the edge."""
        share = (day - self.first).days / (self.last - self.first).days
        share = min(1.0, max(0.0, share))
        return round(self.start + (self.end - self.start) * share, 1)


@dataclass(frozen=True, slots=True)
class CountScale:
    """Places the numbers from 0 to `most` between two positions."""

    most: int
    start: float
    end: float

    def at(self, count: float) -> float:
        """The position of a number."""
        return round(self.start + (self.end - self.start) * count / max(1, self.most), 1)


def days_between(first: date, last: date) -> tuple[date, date]:
    """Return the two days, the later one moved so that an axis has a length."""
    return first, max(last, first + timedelta(days=_LEAST_DAYS))


def inside(scale: DayScale, day: date) -> bool:
    """Return whether a day lies between the ends of an axis."""
    return scale.first <= day <= scale.last


def ticks_of(scale: DayScale) -> Iterator[tuple[float, str]]:
    """Yield the position and name of years, or of months if the axis is short of years."""
    length = abs(scale.end - scale.start)
    years = [date(year, 1, 1) for year in range(scale.first.year, scale.last.year + 1)]
    months = [date(one.year, month, 1) for one in years for month in range(1, 13)]
    days = [day for day in years if inside(scale, day)]
    is_short = len(days) < 2
    days = [day for day in months if inside(scale, day)] if is_short else days
    per_tick = max(1, len(days) * _NEAREST_TICKS / max(1.0, length))
    step = next(n for n in (1, 2, 3, 4, 6, 12, 24, 48, 1200) if n >= per_tick)
    for day in days:
        if (day.month - 1 if is_short else day.year) % step == 0:
            yield scale.at(day), f"{day:%Y-%m}" if is_short else f"{day.year}"


def year_lines(scale: DayScale, top: float, bottom: float) -> Iterator[Shape]:
    """Yield an upright line per tick, with its name below."""
    for x, name in ticks_of(scale):
        yield ChartLine((x, top), (x, bottom), "chart-grid")
        yield ChartText((x, bottom + LINE + 2), name, "chart-tick", "middle")


def round_numbers(most: int) -> tuple[int, ...]:
    """Return 0 and round numbers up to the largest value, at most about five."""
    if most <= 1:
        return (0, 1)
    size = 1
    while True:
        for step in (factor * size for factor in _STEPS):
            if most / step <= 5:
                return tuple(range(0, most + 1, step))
        size *= 10


def count_lines(scale: CountScale, left: float, right: float) -> Iterator[Shape]:
    """Yield a level line per round number, with the number on its left."""
    for number in round_numbers(scale.most):
        y = scale.at(number)
        yield ChartLine((left, y), (right, y), "chart-grid")
        yield ChartText((left - 6, y + 4), f"{number:,}", "chart-tick", "end")


def apart(wanted: Iterable[float], size: float, top: float, bottom: float) -> list[float]:
    """Return positions near the wanted ones, in their order, at least `size` apart.

    `wanted` increases. The positions lie between `top` and `bottom` if there is room.
    """
    places: list[float] = []
    for place in wanted:
        lowest = places[-1] + size if places else top
        places.append(max(lowest, place))
    limit = bottom
    for n in range(len(places) - 1, -1, -1):
        places[n] = min(places[n], limit)
        limit = places[n] - size
    return [round(place, 1) for place in places]


def fitting(text: str, width: float) -> str:
    """Return a label cut to a width; the table of the chart has it in full."""
    longest = max(1, int(width / LETTER))
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
