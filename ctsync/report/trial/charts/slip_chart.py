"""The slip chart: each planned date against the day on which it was given. Does no I/O.

A level line is a plan that holds; a step up is a delay. On the diagonal the planned date is the
day itself, so that a planned date below it has passed. A month is an interval: a band.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ctsync.dates import PartialDate, Precision
from ctsync.record.value_text import counted, short_signed_days, signed_days, typed
from ctsync.report.trial.charts.axes import (
    LINE,
    NARROW,
    WIDE,
    DayScale,
    apart,
    fitting,
    inside,
    ticks_of,
    year_lines,
)
from ctsync.report.trial.charts.chart import (
    Chart,
    ChartBox,
    ChartCurve,
    ChartLine,
    ChartMark,
    ChartTable,
    ChartText,
    Drawing,
    Shape,
)
from ctsync.report.trial.timeline import DateStep, DateTrack, Timeline

LEFT = 52
"""Room for the numbers left of a chart; all charts of a page share it."""
RIGHT = 132
_TOP = 16
_STYLES = {"start": "start", "primary completion": "primary", "completion": "final"}
_NAMES = {"primary completion": "primary compl."}
_DAY_LABEL = 70
_LABEL = 3 * LINE + 4


@dataclass(frozen=True, slots=True)
class PlannedSpan:
    """A date and how long the record gave it; `days` and `margin` are the move from the last."""

    since: date
    until: date
    value: PartialDate
    kind: str | None
    days: int
    margin: int
    is_first: bool

    @property
    def is_actual(self) -> bool:
        """Whether the date is actual, not planned."""
        return self.kind == "ACTUAL"

    @property
    def move(self) -> str:
        """The move from the date before, in words; empty for the first date."""
        return "" if self.is_first else signed_days(self.days, self.margin)

    @property
    def middle(self) -> date:
        """The middle of the interval that the date means."""
        return self.value.first + (self.value.last - self.value.first) // 2


def planned_spans(track: DateTrack, until: date) -> tuple[PlannedSpan, ...]:
    """The values of a date with the days from which and until which the record gave them."""
    steps = track.steps
    ends = [*(step.stood_from for step in steps[1:]), until]
    return tuple(_span(step, end, is_first=n == 0) for n, (step, end) in enumerate(
        zip(steps, ends, strict=True)))  # fmt: skip


def _span(step: DateStep, end: date, *, is_first: bool) -> PlannedSpan:
    return PlannedSpan(
        step.stood_from, end, step.value, step.kind, step.days, step.margin, is_first=is_first
    )


def slip_chart(timeline: Timeline, span: tuple[date, date]) -> Chart | None:
    """Return the chart of the days of `span`; None if the record gives no date."""
    if not timeline.tracks:
        return None
    return Chart(
        name="slip",
        title="Planned dates over time",
        description=slip_description(timeline),
        wide=_drawing(timeline, span, WIDE, 300),
        narrow=_drawing(timeline, span, NARROW, 280),
        table=_table(timeline),
        key="A level line is a plan that holds, a step up is a delay. Filled marks are actual "
        "dates; a pale band is a month or a year given without a day. Below the dashed diagonal, "
        "the planned date has passed.",
    )


def slip_description(timeline: Timeline) -> str:
    """The chart in words: for each date its first and newest value, and the move."""
    parts = []
    for track in timeline.tracks:
        first, last = track.steps[0], track.steps[-1]
        newest = typed(last.value.text, last.kind)
        if len(track.steps) == 1:
            parts.append(f"{track.label} {newest}, given since {first.stood_from}")
            continue
        moves = counted(sum(step.days != 0 for step in track.steps[1:]), "move")
        parts.append(
            f"{track.label} first {typed(first.value.text, first.kind)}, now {newest}: "
            f"{signed_days(track.days, _margin(track))} in {moves}"
        )
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}. From {timeline.since} to {timeline.until}."


def _margin(track: DateTrack) -> int:
    return track.steps[0].value.shift_to(track.steps[-1].value).margin


def _drawing(timeline: Timeline, span: tuple[date, date], width: int, height: int) -> Drawing:
    bottom = height - LINE - 8
    x = DayScale(*span, LEFT, width - RIGHT)
    values = [step.value for track in timeline.tracks for step in track.steps]
    low, high = min(one.first for one in values), max(one.last for one in values)
    pad = max(timedelta(days=30), (high - low) / 16)
    y = DayScale(_earlier(low, pad), _later(high, pad), bottom, _TOP)
    shapes = (
        *_grid(x, y, bottom),
        *_diagonal(timeline.until, x, y),
        *(shape for track in timeline.tracks for shape in _track(track, timeline.until, x, y)),
        *_labels(timeline, x, y, bottom),
    )
    return Drawing(width, height, shapes)


def _earlier(day: date, by: timedelta) -> date:
    return date.fromordinal(max(1, day.toordinal() - by.days))


def _later(day: date, by: timedelta) -> date:
    return date.fromordinal(min(date.max.toordinal(), day.toordinal() + by.days))


def _grid(x: DayScale, y: DayScale, bottom: float) -> Iterator[Shape]:
    yield from year_lines(x, _TOP, bottom)
    for place, name in ticks_of(y):
        yield ChartLine((x.start, place), (x.end, place), "chart-grid")
        yield ChartText((x.start - 6, place + 4), name, "chart-tick", "end")


def _diagonal(until: date, x: DayScale, y: DayScale) -> Iterator[Shape]:
    """Yield the line on which a date is the day that it was given, and that of the last day."""
    start, end = max(x.first, y.first), min(x.last, y.last, until)
    if start < end:
        line = (x.at(start), y.at(start)), (x.at(end), y.at(end))
        yield ChartLine(*line, "chart-today", "the planned date is the day itself")
    if inside(x, until):
        place = x.at(until)
        yield ChartLine((place, y.start), (place, y.end), "chart-now", f"until {until}")
        # left of the line, where no label of a date stands, unless that is left of the chart
        anchor = "start" if place - x.start < _DAY_LABEL else "end"
        yield ChartText((place, y.end - 2), f"{until}", "chart-tick", anchor)


def _track(track: DateTrack, until: date, x: DayScale, y: DayScale) -> Iterator[Shape]:
    style = _STYLES.get(track.label, "start")
    spans = planned_spans(track, until)
    for span in spans:
        left, right = x.at(span.since), x.at(span.until)
        top, low = y.at(span.value.last + timedelta(days=1)), y.at(span.value.first)
        if span.value.precision is not Precision.DAY:
            size = max(2.0, round(low - top, 1))
            width = max(1.0, round(right - left, 1))
            yield ChartBox((left, top), width, size, f"chart-band chart-{style}")
    places = [(x.at(day), y.at(span.middle)) for span in spans for day in (span.since, span.until)]
    yield ChartCurve(tuple(places), f"chart-step chart-{style}", track.label)
    for span in spans:
        point = x.at(span.since), y.at(span.middle)
        filled = "actual" if span.is_actual else "planned"
        move = f", {span.move}" if span.move else ""
        title = f"{track.label} {typed(span.value.text, span.kind)}, given {span.since}{move}"
        yield ChartMark(point, f"chart-{filled} chart-{style}", title)


def _labels(timeline: Timeline, x: DayScale, y: DayScale, bottom: float) -> Iterator[Shape]:
    """Yield the name, newest value and move of each date, right of its line."""
    ends = sorted(((y.at(_middle(track)), track) for track in timeline.tracks), key=_height)
    tops = apart(
        (place - LINE / 2 for place, _ in ends), _LABEL, _TOP - LINE / 2, bottom - 3 * LINE
    )
    for top, (place, track) in zip(tops, ends, strict=True):
        last = track.steps[-1]
        style = f"chart-name chart-{_STYLES.get(track.label, 'start')}"
        left = x.end + 12
        moved = short_signed_days(track.days, _margin(track)) if len(track.steps) > 1 else ""
        value = f"{last.value.text}{' actual' if last.is_actual else ''}"
        yield ChartLine((x.end, place), (left - 3, top + LINE / 2), f"chart-lead {style}")
        name = _NAMES.get(track.label, track.label)
        yield ChartText((left, top + LINE - 3), name, style)
        for n, text in enumerate(text for text in (value, moved) if text):
            yield ChartText((left, top + (n + 2) * LINE - 3), fitting(text, RIGHT), "chart-value")


def _middle(track: DateTrack) -> date:
    value = track.steps[-1].value
    return value.first + (value.last - value.first) // 2


def _height(pair: tuple[float, DateTrack]) -> float:
    return pair[0]


def _table(timeline: Timeline) -> ChartTable:
    rows = [
        (str(span.since), track.label, typed(span.value.text, span.kind), span.move)
        for track in timeline.tracks
        for span in planned_spans(track, timeline.until)
    ]
    return ChartTable(
        "Dates of the record, and since when it gave them",
        ("Given since", "Date", "Value", "Move"),
        tuple(_by_day(rows)),
    )


def _by_day(rows: Sequence[tuple[str, str, str, str]]) -> list[tuple[str, ...]]:
    return sorted(rows, key=lambda row: row[0])
