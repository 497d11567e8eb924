"""Positions of a timeline in an SVG picture; the template draws it. Does no I/O.

A label that does not fit next to the others is on a line below them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ctsync.record.value_text import counted, signed_days, typed
from ctsync.report.trial.timeline import DateTrack, Spell, Timeline
from ctsync.report.trial.timeline_values import ValueList, value_lists

GUTTER = 118
_TOP = 24
_ROW = 30
_LINE = 14
_LETTER = 6.6
_GAP = 6
_NEAREST_YEARS = 34.0
"""Smallest distance between two year labels."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A year and the position of its first day."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A status spell; `label` is empty if the name does not fit into the bar."""

    x: float
    width: float
    label: str
    title: str
    status: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One value of a date or a count."""

    x: float
    title: str
    is_actual: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A text centred at `x`, with its baseline at `y`."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One row of dots, connected by a line."""

    label: str
    y: float
    dots: tuple[Dot, ...]

    @property
    def left(self) -> float:
        """Left end of the line."""
        return min(dot.x for dot in self.dots)

    @property
    def right(self) -> float:
        """Right end of the line."""
        return max(dot.x for dot in self.dots)


@dataclass(frozen=True, slots=True)
class TimelineDrawing:
    """All positions in one picture.

    `labels` are the names of the spells too short for one, and the enrollment counts. `lists`
    holds all values, for a reader who cannot see the picture.
    """

    width: int
    height: float
    title: str
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    rows: tuple[TimelineRow, ...]
    enrollment: TimelineRow | None
    labels: tuple[Label, ...]
    lists: tuple[ValueList, ...]
    today: float
    until: date


Place = Callable[[date], float]


def draw_timeline(timeline: Timeline, *, width: int = 640) -> TimelineDrawing:
    """Place a timeline between the labels on the left and the right edge."""
    first, last = timeline.span
    last = max(last, first + timedelta(days=30))
    room = width - GUTTER - 14

    def x(day: date) -> float:
        return round(GUTTER + room * (day - first).days / (last - first).days, 1)

    bars = tuple(_bar(spell, x) for spell in timeline.spells)
    names = _stack(_unnamed(timeline, bars), top=_TOP + 32, width=width)
    below = _bottom(names, _TOP + _ROW)
    rows = tuple(
        TimelineRow(track.label, below + _ROW * n, tuple(_dots(track, x)))
        for n, track in enumerate(timeline.tracks)
    )
    below += _ROW * len(rows)
    counts = tuple(_counts(timeline, x))
    labels = _stack(
        ((x(step.stood_from), step.label) for step in timeline.enrollment),
        top=below + 36,
        width=width,
    )
    return TimelineDrawing(
        width=width,
        height=_bottom(labels, below) + 8,
        title=_title(timeline),
        ticks=tuple(_ticks(first, last, x)),
        bars=bars,
        rows=rows,
        enrollment=TimelineRow("enrollment", below + 8, counts) if counts else None,
        labels=(*names, *labels),
        lists=tuple(value_lists(timeline)),
        today=x(timeline.until),
        until=timeline.until,
    )


def _unnamed(timeline: Timeline, bars: Iterable[Bar]) -> Iterator[tuple[float, str]]:
    for spell, bar in zip(timeline.spells, bars, strict=True):
        if not bar.label:
            yield bar.x + bar.width / 2, spell.status


def _stack(wanted: Iterable[tuple[float, str]], *, top: float, width: int) -> tuple[Label, ...]:
    """Place each label on the first line with room for it.

    Near an edge, a label moves towards the middle. A label that is wider than the picture is cut;
    the lists of values have it in full.
    """
    ends: list[float] = []
    labels = []
    longest = max(1, int((width - GUTTER) / _LETTER))
    for place, full in wanted:
        text = full if len(full) <= longest else f"{full[: longest - 1]}…"
        half = len(text) * _LETTER / 2
        x = round(min(max(place, GUTTER + half), width - half), 1)
        line = next((n for n, end in enumerate(ends) if x - half >= end + _GAP), len(ends))
        ends[line : line + 1] = [x + half]
        labels.append(Label(x, top + line * _LINE, text))
    return tuple(labels)


def _bottom(labels: Iterable[Label], least: float) -> float:
    """Return the position of the next row, below the labels."""
    return max((label.y + 4 for label in labels), default=least)


def _title(timeline: Timeline) -> str:
    spells = ", ".join(f"{s.status} from {s.since}" for s in timeline.spells)
    return f"Timeline of {timeline.nct_id}: {spells}"


def _ticks(first: date, last: date, x: Place) -> Iterator[Tick]:
    shown = -_NEAREST_YEARS
    for year in range(first.year + 1, last.year + 1):
        place = x(date(year, 1, 1))
        is_far = place - shown >= _NEAREST_YEARS
        shown = place if is_far else shown
        yield Tick(place, str(year) if is_far else "")


def _bar(spell: Spell, x: Place) -> Bar:
    left, right = x(spell.since), x(spell.until)
    width = max(2.0, right - left)
    so_far = " so far" if spell.is_open else ""
    title = f"{spell.status} from {spell.since}, {counted(spell.days, 'day')}{so_far}"
    label = spell.status if len(spell.status) * _LETTER + _GAP <= width else ""
    return Bar(left, round(width, 1), label, title, spell.code)


def _counts(timeline: Timeline, x: Place) -> Iterator[Dot]:
    for step in timeline.enrollment:
        said = f"{typed(str(step.count), step.kind)}, from {step.stood_from}"
        yield Dot(x(step.stood_from), said, step.kind == "ACTUAL")


def _dots(track: DateTrack, x: Place) -> Iterator[Dot]:
    for i, step in enumerate(track.steps):
        move = f", {signed_days(step.days, step.margin)}" if i else ""
        said = f"{typed(step.value.text, step.kind)}, said from {step.stood_from}{move}"
        yield Dot(x(step.value.first), said, step.is_actual)
