"""The status of a trial over time, as a band. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from ctsync.record.value_text import counted
from ctsync.report.trial.charts.axes import (
    LETTER,
    LINE,
    NARROW,
    WIDE,
    DayScale,
    fitting,
    year_lines,
)
from ctsync.report.trial.charts.chart import (
    Chart,
    ChartBox,
    ChartTable,
    ChartText,
    Drawing,
    Shape,
)
from ctsync.report.trial.charts.slip_chart import LEFT, RIGHT
from ctsync.report.trial.timeline import Spell, Timeline

STOPPED = frozenset({"TERMINATED", "WITHDRAWN", "SUSPENDED", "GONE", "MOVED"})
_OPEN = frozenset({"RECRUITING", "ENROLLING_BY_INVITATION"})
_TOP, _HEIGHT, _GAP = 4, 22, 6


def status_band(timeline: Timeline, span: tuple[date, date]) -> Chart:
    """Return the chart of the days of `span`."""
    spells = timeline.spells
    now = spells[-1]
    return Chart(
        name="status",
        title="Status",
        description=f"{now.status} since {now.since}, {counted(len(spells), 'status', 'statuses')} "
        f"from {timeline.since} to {timeline.until}: "
        + ", ".join(f"{one.status} from {one.since}" for one in spells)
        + ".",
        wide=_drawing(timeline, span, WIDE),
        narrow=_drawing(timeline, span, NARROW),
        table=ChartTable(
            "Each status and how long it lasted",
            ("Since", "Status", "Lasted"),
            tuple((str(one.since), one.status, _length(one)) for one in spells),
        ),
    )


def _length(spell: Spell) -> str:
    return f"{counted(spell.days, 'day')}{' so far' if spell.is_open else ''}"


def _drawing(timeline: Timeline, span: tuple[date, date], width: int) -> Drawing:
    x = DayScale(*span, LEFT, width - RIGHT)
    boxes: list[Shape] = []
    outside: list[tuple[float, str]] = []
    for spell in timeline.spells:
        left, right = x.at(spell.since), x.at(spell.until)
        size = max(2.0, round(right - left, 1))
        title = f"{spell.status} from {spell.since}, {_length(spell)}"
        box = ChartBox((left, _TOP), size, _HEIGHT, f"chart-spell {_style(spell)}", title)
        boxes.append(box)
        middle = round(left + size / 2, 1)
        if len(spell.status) * LETTER + _GAP <= size:
            name = f"chart-inside {_style(spell)}"
            boxes.append(ChartText((middle, _TOP + 15), spell.status, name, "middle"))
        else:
            outside.append((middle, spell.status))
    below = _TOP + _HEIGHT
    names, bottom = stacked(outside, below + LINE, width)
    height = bottom + LINE + 8
    return Drawing(
        width, height, (*year_lines(x, _TOP + _HEIGHT, bottom), *boxes, *names)
    )  # fmt: skip


def _style(spell: Spell) -> str:
    if spell.code in STOPPED:
        return "chart-stopped"
    return "chart-open" if spell.code in _OPEN else "chart-closed"


def stacked(
    wanted: Iterable[tuple[float, str]], top: float, width: int
) -> tuple[list[Shape], float]:
    """Place each label on the first line with room for it; return them and the bottom.

    Near an edge, a label moves towards the middle. Repeated labels that touch are one.
    """
    ends: list[float] = []
    labels: list[Shape] = []
    for text, place in _merged(wanted):
        shown = fitting(text, width - _GAP)
        half = len(shown) * LETTER / 2
        x = round(min(max(place, half), width - half), 1)
        line = next((n for n, end in enumerate(ends) if x - half >= end + _GAP), len(ends))
        ends[line : line + 1] = [x + half]
        labels.append(ChartText((x, top + line * LINE), shown, "chart-name", "middle"))
    return labels, top + (len(ends) - 1) * LINE + 4 if ends else top - LINE + 4


def _merged(wanted: Iterable[tuple[float, str]]) -> Iterator[tuple[str, float]]:
    """Yield each label with its place; equal neighbours without room for both become one."""
    before: tuple[str, float] | None = None
    for place, text in wanted:
        if before and before[0] == text and place - before[1] < len(text) * LETTER:
            continue
        before = (text, place)
        yield before
