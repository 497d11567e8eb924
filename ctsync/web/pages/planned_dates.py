"""A small drawing of how a planned date moved. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from ctsync.questions.portfolio.portfolio import PlannedDateRow

_WIDTH, _HEIGHT, _EDGE = 72, 20, 3


def draw_planned_dates(history: Sequence[PlannedDateRow], *, until: date, name: str) -> Markup:
    """Draw the planned dates as steps, later dates higher, from the first day up to `until`.

    The drawing has a text alternative with the dates, whose id begins with `name`. Returns nothing
    if the date never moved.
    """
    if len(history) < 2:
        return Markup()
    days = [one.day.toordinal() for one in history]
    planned = [one.planned.last.toordinal() for one in history]
    end = max(until.toordinal(), days[-1] + 1)
    points = []
    for n, (day, value) in enumerate(zip(days, planned, strict=True)):
        y = _place(value, min(planned), max(planned), _HEIGHT, upwards=True)
        stop = days[n + 1] if n + 1 < len(days) else end
        points += [(_place(day, days[0], end, _WIDTH), y), (_place(stop, days[0], end, _WIDTH), y)]
    path = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    words = ", then ".join(f"{one.planned.text} (from {one.day})" for one in history)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" '
        'aria-labelledby="{name}-dates"><title id="{name}-dates">Planned primary completion: {}'
        '</title><path d="M{}"/><circle cx="{:.1f}" cy="{:.1f}" r="2"/></svg>'
    ).format(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, words, path, *points[-1], name=name)


def _place(value: int, low: int, high: int, size: int, *, upwards: bool = False) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return _EDGE + (1 - share if upwards else share) * (size - 2 * _EDGE)
