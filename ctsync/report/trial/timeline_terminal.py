"""A timeline for a terminal, in Unicode or ASCII. Does no I/O.

A label that does not fit next to the others is on a separate line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ctsync.report.trial.timeline import DateTrack, Spell, Timeline
from ctsync.report.trial.timeline_values import value_lists
from ctsync.text import for_terminal, shorten

_GUTTER = 20
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class _Pen:
    """The characters of the picture."""

    line: str
    edge: str
    planned: str
    actual: str
    tick: str
    today: str


_UNICODE = _Pen("─", "│", "○", "●", "┴", "▲")
_ASCII = _Pen("-", "|", "o", "*", "+", "^")


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps days to columns."""

    first: date
    last: date
    columns: int

    def column(self, day: date) -> int:
        """The column of a day."""
        whole = max(1, (self.last - self.first).days)
        return round((day - self.first).days * (self.columns - 1) / whole)


def render_timeline(timeline: Timeline, *, width: int = 80, ascii_only: bool = False) -> str:
    """Draw status, dates and enrollment over one time axis, then list all values."""
    pen = _ASCII if ascii_only else _UNICODE
    first, last = timeline.span
    scale = _Scale(first, max(last, first + timedelta(days=30)), max(_NARROWEST, width - _GUTTER))
    picture = [
        *_rows("", [_years(scale)]),
        *_rows("", [_axis(scale, timeline, pen)]),
        *_rows("status", _status(scale, timeline, pen)),
        *(line for one in timeline.tracks for line in _rows(one.label, [_track(scale, one, pen)])),
        *_rows("enrollment", _enrollment(scale, timeline)),
        *_rows("", _key(scale, timeline, pen)),
    ]
    title = shorten(for_terminal(timeline.title), max(20, width - 13))
    slack = "+/-" if ascii_only else "±"
    lists = _lists(timeline, width, slack=slack)
    lines = [f"{timeline.nct_id}  {title}".rstrip(), "", *picture, "", *lists]
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    if ascii_only:
        return text.encode("ascii", "backslashreplace").decode()
    return text


def _rows(label: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines of the picture, the first with its label."""
    for n, cells in enumerate(lines):
        yield f"{'' if n else label:<{_GUTTER - 1}} {cells}"


def _key(scale: _Scale, timeline: Timeline, pen: _Pen) -> Iterator[str]:
    """The meaning of the marks, on as many lines as it needs."""
    line = ""
    for part in (f"{pen.planned} planned", f"{pen.actual} actual", f"{pen.today} {timeline.until}"):
        longer = f"{line}   {part}" if line else part
        if line and len(longer) > scale.columns:
            yield line
            longer = part
        line = longer
    yield line


def _write(cells: list[str], column: int, text: str) -> bool:
    """Write a text at a column, or ending at the right edge, if the cells there are free."""
    start = max(0, min(column, len(cells) - len(text)))
    end = start + len(text)
    if any(cell != " " for cell in cells[max(0, start - 1) : end + 1]):
        return False
    cells[start:end] = text
    return True


def _stack(scale: _Scale, labels: Iterable[tuple[int, str]]) -> list[str]:
    """Labels at their columns, each on the first line with room for it."""
    lines: list[list[str]] = []
    for column, label in labels:
        for part in textwrap.wrap(label, scale.columns):
            if not any(_write(cells, column, part) for cells in lines):
                lines.append([" "] * scale.columns)
                _write(lines[-1], column, part)
    return ["".join(cells) for cells in lines]


def _years(scale: _Scale) -> str:
    cells = [" "] * scale.columns
    for year in range(scale.first.year + 1, scale.last.year + 1):
        _write(cells, scale.column(date(year, 1, 1)), str(year))
    if not "".join(cells).strip():
        _write(cells, 0, str(scale.first.year))
    return "".join(cells)


def _axis(scale: _Scale, timeline: Timeline, pen: _Pen) -> str:
    cells = [pen.line] * scale.columns
    for year in range(scale.first.year + 1, scale.last.year + 1):
        cells[scale.column(date(year, 1, 1))] = pen.tick
    cells[scale.column(timeline.until)] = pen.today
    return "".join(cells)


def _status(scale: _Scale, timeline: Timeline, pen: _Pen) -> list[str]:
    """The bar of spells, and below it the names that do not fit into the bar."""
    cells = [" "] * scale.columns
    below: list[tuple[int, str]] = []
    for spell in timeline.spells:
        start, end = scale.column(spell.since), scale.column(spell.until)
        room, name = end - start - 1, _name(spell)
        if len(name) > room:
            below.append((start, name if len(name) <= scale.columns else _initials(name)))
        cells[start] = cells[end] = pen.edge
        if room > 0:
            cells[start + 1 : end] = (name if len(name) <= room else "").center(room, pen.line)
    return ["".join(cells), *_stack(scale, below)]


def _name(spell: Spell) -> str:
    return for_terminal(spell.status)


def _initials(name: str) -> str:
    """The first letter of each word, for a name that is wider than the picture."""
    return "".join(word[0].upper() for word in re.findall(r"[^\W_]+", name)) or name


def _track(scale: _Scale, track: DateTrack, pen: _Pen) -> str:
    columns = [scale.column(step.value.first) for step in track.steps]
    cells = [" "] * scale.columns
    span = range(min(columns), max(columns) + 1)
    cells[span.start : span.stop] = [pen.line] * len(span)
    for column, step in zip(columns, track.steps, strict=True):
        cells[column] = pen.actual if step.is_actual else pen.planned
    return "".join(cells)


def _enrollment(scale: _Scale, timeline: Timeline) -> list[str]:
    steps = timeline.enrollment
    return _stack(scale, ((scale.column(s.stood_from), for_terminal(s.label)) for s in steps))


def _lists(timeline: Timeline, width: int, *, slack: str) -> Iterator[str]:
    """All values below the picture; `slack` comes before the slack of a move."""
    for found in value_lists(timeline):
        yield from _wrapped(found.heading.replace("±", slack), "", width)
        for since, value in found.lines:
            yield from _wrapped(f"{since}  {for_terminal(value)}".replace("±", slack), "  ", width)


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(_GUTTER + _NARROWEST, width),
        initial_indent=indent,
        subsequent_indent=indent * 3,
        break_on_hyphens=False,
    )
