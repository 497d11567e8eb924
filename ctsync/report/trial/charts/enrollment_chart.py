"""The enrollment over time: target as an open line, actual as a filled mark. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from ctsync.record.value_text import signed_percent, typed
from ctsync.report.trial.charts.axes import (
    LINE,
    NARROW,
    WIDE,
    CountScale,
    DayScale,
    count_lines,
    fitting,
    year_lines,
)
from ctsync.report.trial.charts.chart import (
    Chart,
    ChartCurve,
    ChartMark,
    ChartTable,
    ChartText,
    Drawing,
    Shape,
)
from ctsync.report.trial.charts.slip_chart import LEFT, RIGHT
from ctsync.report.trial.timeline import EnrollmentStep, Timeline

_TOP, _HEIGHT = 12, 130


def enrollment_chart(timeline: Timeline, span: tuple[date, date]) -> Chart | None:
    """Return the chart of the days of `span`; None if the record gives no enrollment."""
    steps = timeline.enrollment
    if not steps:
        return None
    return Chart(
        name="enrollment",
        title="Enrollment",
        description=_description(steps),
        wide=_drawing(timeline, span, WIDE),
        narrow=_drawing(timeline, span, NARROW),
        table=ChartTable(
            "Enrollment of the record, and since when it gave it",
            ("Given since", "Enrollment", "Change", "Of the first"),
            tuple(_rows(steps)),
        ),
        key="Filled marks are actual counts, open ones are targets.",
    )


def target_of(steps: tuple[EnrollmentStep, ...]) -> EnrollmentStep | None:
    """Return the last target before an actual count, or the newest target."""
    targets = [step for step in steps if step.kind != "ACTUAL"]
    return targets[-1] if targets else None


def _description(steps: tuple[EnrollmentStep, ...]) -> str:
    first, last = steps[0], steps[-1]
    if len(steps) == 1:
        return f"{_said(first)} since {first.stood_from}."
    target = target_of(steps)
    share = ""
    if target and last.kind == "ACTUAL" and target.count:
        share = f", {100 * last.count / target.count:.0f} % of the last target {target.count:,}"
    return f"First {_said(first)}, now {_said(last)}{share}."


def _said(step: EnrollmentStep) -> str:
    return typed(f"{step.count:,}", step.kind)


def _rows(steps: tuple[EnrollmentStep, ...]) -> Iterator[tuple[str, ...]]:
    first = steps[0]
    yield str(first.stood_from), _said(first), "", ""
    for before, step in pairwise(steps):
        yield str(step.stood_from), _said(step), _change(before, step), _change(first, step)


def _change(before: EnrollmentStep, after: EnrollmentStep) -> str:
    if not before.count:
        return ""
    return signed_percent(round(100 * (after.count - before.count) / before.count, 1))


def _drawing(timeline: Timeline, span: tuple[date, date], width: int) -> Drawing:
    steps, bottom = timeline.enrollment, _HEIGHT - LINE - 8
    x = DayScale(*span, LEFT, width - RIGHT)
    y = CountScale(max(step.count for step in steps), bottom, _TOP)
    ends = [*(step.stood_from for step in steps[1:]), timeline.until]
    points = tuple(
        (x.at(day), y.at(step.count))
        for step, end in zip(steps, ends, strict=True)
        for day in (step.stood_from, end)
    )
    shapes: list[Shape] = [*year_lines(x, _TOP, bottom), *count_lines(y, x.start, x.end)]
    shapes.append(ChartCurve(points, "chart-step chart-primary", "enrollment"))
    for step in steps:
        style = "chart-actual" if step.kind == "ACTUAL" else "chart-planned"
        place = x.at(step.stood_from), y.at(step.count)
        title = f"{_said(step)}, given {step.stood_from}"
        shapes.append(ChartMark(place, f"{style} chart-primary", title))
    return Drawing(width, _HEIGHT, (*shapes, *_labels(steps, x.end + 12, y, bottom)))


def _labels(
    steps: tuple[EnrollmentStep, ...], left: float, y: CountScale, bottom: float
) -> Iterator[Shape]:
    last = steps[-1]
    top = min(max(y.at(last.count) - LINE / 2, _TOP), bottom - 2 * LINE)
    target = target_of(steps)
    kind = "actual" if last.kind == "ACTUAL" else "target"
    yield ChartText((left, top + LINE - 3), f"{kind} {last.count:,}", "chart-name chart-primary")
    share = ""
    if target and last.kind == "ACTUAL" and target.count:
        share = f"{100 * last.count / target.count:.0f} % of {target.count:,}"
    elif len(steps) > 1:
        share = f"first {steps[0].count:,}"
    yield ChartText((left, top + 2 * LINE - 3), fitting(share, RIGHT), "chart-value")
