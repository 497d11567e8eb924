"""A timeline for a terminal, in Unicode or ASCII, and as JSON. Does no I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ctsync.record.value_text import counted, signed_days, typed
from ctsync.report.trial.timeline import DateTrack, Timeline
from ctsync.text import for_terminal, shorten

_GUTTER = 20
_NARROWEST = 30


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
        _row("", _years(scale)),
        _row("", _axis(scale, timeline, pen)),
        _row("status", _status(scale, timeline, pen)),
        *(_row(track.label, _track(scale, track, pen)) for track in timeline.tracks),
    ]
    if timeline.enrollment:
        picture.append(_row("enrollment", _enrollment(scale, timeline)))
    key = f"{pen.planned} planned   {pen.actual} actual   {pen.today} {timeline.until}"
    picture.append(_row("", key))
    title = shorten(for_terminal(timeline.title), max(20, width - 13))
    lines = [
        f"{timeline.nct_id}  {title}".rstrip(),
        "",
        *picture,
        "",
        *_wrapped(_lists(timeline), width),
    ]
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    if ascii_only:
        return text.replace("±", "+/-").encode("ascii", "backslashreplace").decode()
    return text


def _row(label: str, cells: str) -> str:
    return f"{label:<{_GUTTER - 1}} {cells}"


def _write(cells: list[str], column: int, text: str) -> None:
    """Write a text at a column, or ending at the right edge; skips it if the cells are taken."""
    start = max(0, min(column, len(cells) - len(text)))
    end = start + len(text)
    if all(cell == " " for cell in cells[max(0, start - 1) : end + 1]):
        cells[start:end] = text


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


def _status(scale: _Scale, timeline: Timeline, pen: _Pen) -> str:
    cells = [" "] * scale.columns
    for spell in timeline.spells:
        start, end = scale.column(spell.since), scale.column(spell.until)
        room = end - start - 1
        name = for_terminal(spell.status)
        label = next((text for text in (name, _initials(spell.code)) if len(text) <= room), "")
        cells[start : end + 1] = [pen.edge, *label.center(max(0, room), pen.line), pen.edge]
    return "".join(cells[: scale.columns])


def _initials(status: str) -> str:
    return "".join(word[:1] for word in status.split("_"))


def _track(scale: _Scale, track: DateTrack, pen: _Pen) -> str:
    columns = [scale.column(step.value.first) for step in track.steps]
    cells = [" "] * scale.columns
    span = range(min(columns), max(columns) + 1)
    cells[span.start : span.stop] = [pen.line] * len(span)
    for column, step in zip(columns, track.steps, strict=True):
        cells[column] = pen.actual if step.is_actual else pen.planned
    return "".join(cells)


def _enrollment(scale: _Scale, timeline: Timeline) -> str:
    cells = [" "] * scale.columns
    for step in timeline.enrollment:
        kind = f" {step.kind[:3].lower()}." if step.kind else ""
        _write(cells, scale.column(step.stood_from), f"{step.count}{kind}")
    return "".join(cells)


def _wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, width, subsequent_indent=" " * 6, break_on_hyphens=False)


def _lists(timeline: Timeline) -> Iterator[str]:
    yield "status"
    for spell in timeline.spells:
        length = f"{counted(spell.days, 'day')}{' so far' if spell.is_open else ''}"
        yield f"  from {spell.since}  {for_terminal(spell.status)}, {length}"
    for track in timeline.tracks:
        moved = f", moved {signed_days(track.days)} in all" if len(track.steps) > 1 else ""
        yield f"{track.label}{moved}"
        for i, step in enumerate(track.steps):
            move = f", {signed_days(step.days, step.margin)}" if i else ""
            yield f"  from {step.stood_from}  {typed(step.value.text, step.kind)}{move}"
    if timeline.enrollment:
        yield "enrollment"
        for one in timeline.enrollment:
            yield f"  from {one.stood_from}  {typed(str(one.count), one.kind)}"
    if timeline.queries:
        yield "watched queries"
        for at in timeline.queries:
            did = "entered" if at.entered else "left"
            yield f"  on   {at.day}  {did} {for_terminal(at.watch)}"
