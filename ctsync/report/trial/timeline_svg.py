"""Positions of a timeline in an SVG picture; the template draws it. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ctsync.record.value_text import counted, signed_days, typed
from ctsync.report.trial.timeline import DateTrack, Spell, Timeline

GUTTER = 118
_TOP = 24
_ROW = 30
_LETTER = 6.6
_NEAREST_YEARS = 34.0
"""Smallest distance between two year labels."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A year and the position of its first day."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A status spell; `label` is the text that fits, `title` the full text.

    `status` is the registry's value.
    """

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
    label: str = ""


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
    """All positions in one picture."""

    width: int
    height: float
    title: str
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    rows: tuple[TimelineRow, ...]
    enrollment: TimelineRow | None
    today: float
    until: date


def draw_timeline(timeline: Timeline, *, width: int = 640) -> TimelineDrawing:
    """Place a timeline between the labels on the left and the right edge."""
    first, last = timeline.span
    last = max(last, first + timedelta(days=30))
    room = width - GUTTER - 14

    def x(day: date) -> float:
        return round(GUTTER + room * (day - first).days / (last - first).days, 1)

    tracks = [
        TimelineRow(track.label, _TOP + _ROW * (n + 1), tuple(_dots(track, x)))
        for n, track in enumerate(timeline.tracks)
    ]
    below = _TOP + _ROW * (len(tracks) + 1)
    counts = tuple(_counts(timeline, x))
    return TimelineDrawing(
        width=width,
        height=below + (_ROW + 12 if counts else 8),
        title=_title(timeline),
        ticks=tuple(_ticks(first, last, x)),
        bars=tuple(_bar(spell, x) for spell in timeline.spells),
        rows=tuple(tracks),
        enrollment=TimelineRow("enrollment", below + 8, counts) if counts else None,
        today=x(timeline.until),
        until=timeline.until,
    )


Place = Callable[[date], float]


def _title(timeline: Timeline) -> str:
    spells = ", ".join(f"{s.status} from {s.since}" for s in timeline.spells)
    return f"Course of {timeline.nct_id}: {spells}"


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
    names = (spell.status, "".join(word[:1] for word in spell.code.split("_")))
    label = next((name for name in names if len(name) * _LETTER + 6 <= width), "")
    return Bar(left, round(width, 1), label, title, spell.code)


def _counts(timeline: Timeline, x: Place) -> Iterator[Dot]:
    """The enrollment counts; two counts too close for two labels share one."""
    shared: list[str] = []
    for i, step in enumerate(timeline.enrollment):
        place, shared = x(step.stood_from), [*shared, str(step.count)]
        label = " → ".join(shared if len(shared) < 3 else (shared[0], "…", shared[-1]))
        later = timeline.enrollment[i + 1 : i + 2]
        is_crowded = any(x(one.stood_from) - place < len(label) * _LETTER + 8 for one in later)
        said = f"{typed(str(step.count), step.kind)}, from {step.stood_from}"
        yield Dot(place, said, step.kind == "ACTUAL", "" if is_crowded else label)
        shared = shared if is_crowded else []


def _dots(track: DateTrack, x: Place) -> Iterator[Dot]:
    for i, step in enumerate(track.steps):
        move = f", {signed_days(step.days, step.margin)}" if i else ""
        said = f"{typed(step.value.text, step.kind)}, said from {step.stood_from}{move}"
        yield Dot(x(step.value.first), said, step.is_actual)
