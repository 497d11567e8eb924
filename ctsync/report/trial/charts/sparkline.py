"""A small slip chart for a card or a table row: the primary completion alone. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ctsync.record.value_text import short_signed_days, typed
from ctsync.report.trial.charts.axes import DayScale, days_between
from ctsync.report.trial.charts.chart import ChartCurve, ChartLine, ChartMark, Drawing, Shape
from ctsync.report.trial.charts.slip_chart import planned_spans
from ctsync.report.trial.timeline import DateTrack, Timeline

_EDGE = 3
_TRACKS = ("primary completion", "completion", "start")


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A small drawing, and in words what it shows; `moved` is short enough for a cell."""

    drawing: Drawing
    text: str
    moved: str


def sparkline(timeline: Timeline, *, width: int = 96, height: int = 24) -> Sparkline | None:
    """Return the small chart of the primary completion, or of another date if there is none.

    None if the record gives no date.
    """
    known = {track.label: track for track in timeline.tracks}
    track = next((known[name] for name in _TRACKS if name in known), None)
    if track is None:
        return None
    first, last = track.steps[0], track.steps[-1]
    shift = first.value.shift_to(last.value)
    moved = short_signed_days(shift.days, shift.margin) if len(track.steps) > 1 else ""
    said = typed(last.value.text, last.kind)
    text = f"{track.label} {said}"
    if moved:
        text = f"{track.label} first {typed(first.value.text, first.kind)}, now {said}: {moved}"
    return Sparkline(Drawing(width, height, _shapes(track, timeline, width, height)), text, moved)


def _shapes(track: DateTrack, timeline: Timeline, width: int, height: int) -> tuple[Shape, ...]:
    since, until = days_between(track.steps[0].stood_from, timeline.until)
    spans = planned_spans(track, timeline.until)
    low, high = min(span.middle for span in spans), max(span.middle for span in spans)
    x = DayScale(since, until, _EDGE, width - _EDGE)
    # a plan that never moved is a level line in the middle
    y = DayScale(*_padded(low, high), height - _EDGE, _EDGE)
    points = tuple((x.at(day), y.at(s.middle)) for s in spans for day in (s.since, s.until))
    end = spans[-1]
    style = "chart-actual" if end.is_actual else "chart-planned"
    return (
        ChartLine((points[0][0], points[0][1]), (width - _EDGE, points[0][1]), "chart-grid"),
        ChartCurve(points, "chart-step chart-primary"),
        ChartMark(points[-1], f"{style} chart-primary", radius=2.5),
    )


def _padded(low: date, high: date) -> tuple[date, date]:
    pad = (high - low) / 20 if (high - low).days >= 90 else (high - low) / 2
    days = max(pad.days, 45)
    from_, to = low.toordinal() - days, high.toordinal() + days
    return date.fromordinal(max(1, from_)), date.fromordinal(min(date.max.toordinal(), to))
