"""Tables on stdout: fitted to the width of a terminal, tab-separated in a pipe."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len

from ctsync.text import for_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LEAST_WRAPPED = 24
LEAST_SHORTENED = 16
LONGEST_APPENDED = 48
INDENT = 4
GAP = 2
_BLANKS = frozenset({"", "-"})
_STYLED = frozenset({"LEVEL", "VERDICT", "CONDITION"})
_STYLES: Mapping[str, str] = MappingProxyType(
    {
        "critical": "bold red",
        "notable": "yellow",
        "administrative": "dim",
        "failed": "bold red",
        "partial": "yellow",
        "wrong": "bold red",
        "warning": "yellow",
    }
)


def show_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    drop: Sequence[str] = (),
    shorten: Collection[str] = (),
    wrap: Collection[str] = (),
    least: int = LEAST_WRAPPED,
    is_drop_noted: bool = True,
    append: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write headings and rows to stdout; nothing if there are no rows.

    In a pipe, each row is one tab-separated line, and no cell is cut. A terminal does not show
    columns of `drop` that have no value. One that is too narrow gets less:

    1. Columns of `shorten` end in an ellipsis. Columns of `wrap`, and the last one unless it is
       in `shorten`, wrap within their width, of at least `least`.
    2. Columns of `drop` are left out, in this order. A line on stderr names them, unless
       `is_drop_noted` is false. `append` maps such a column to another, whose cells it ends.
    3. The last column moves below the others.
    """
    safe = [[for_terminal(str(cell)) for cell in row] for row in rows]
    if not safe:
        return
    if not sys.stdout.isatty():
        # at once: written and flushed one by one, 5,000 lines take a twentieth of a command's time
        click.echo("\n".join("\t".join(map(_on_one_line, row)) for row in (headings, *safe)))
        return
    # imported here, because pipes do not need it: 0.03 s of the 0.6 s of a query
    from rich.console import Console  # noqa: PLC0415 - see above

    console = Console(highlight=False, markup=False)
    wrapped = {*wrap, headings[-1]} - set(shorten)
    columns = [
        _column(heading, cells, wrapped=wrapped, shortened=shorten, least=least)
        for heading, cells in zip(headings, zip(*safe, strict=True), strict=True)
        if heading not in drop or not _BLANKS.issuperset(cells)
    ]
    present = {column.heading: column for column in columns}
    dropped = _drop(columns, drop, console.width)
    for name, target in append.items():
        if name in dropped:
            own = [column.heading for column in columns].index(target)
            cells = tuple(map(_appended, columns[own].cells, present[name].cells))
            columns[own] = _column(target, cells, wrapped=wrapped, shortened=shorten, least=least)
    if _total([column.least for column in columns]) <= console.width:
        console.print(_table(columns, console.width))
    else:
        _show_in_two_lines(console, columns)
    if dropped and is_drop_noted:
        names = ", ".join(dropped)
        click.echo(f"not shown (narrow terminal): {names}", err=True)


def _on_one_line(cell: str) -> str:
    return cell.replace("\n", " ").replace("\t", " ")


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of a table; `least` and `most` are the widths it can take."""

    heading: str
    cells: tuple[str, ...]
    least: int
    most: int
    is_wrapped: bool


def _column(
    heading: str,
    cells: tuple[str, ...],
    *,
    wrapped: Collection[str],
    shortened: Collection[str],
    least: int,
) -> _Column:
    most = max(map(cell_len, (heading, *cells)))
    smallest = least if heading in wrapped else LEAST_SHORTENED if heading in shortened else most
    return _Column(heading, cells, min(most, smallest), most, is_wrapped=heading in wrapped)


def _appended(cell: str, end: str) -> str:
    """A cell with the cell of a dropped column, cut at a word."""
    if end in _BLANKS:
        return cell
    return f"{cell} · {textwrap.shorten(end, LONGEST_APPENDED, placeholder='…')}"


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _drop(columns: list[_Column], names: Sequence[str], width: int) -> list[str]:
    """Remove columns until the others fit; return the headings of those removed."""
    dropped = []
    for name in names:
        if _total([column.least for column in columns]) <= width:
            break
        columns[:] = [column for column in columns if column.heading != name]
        dropped.append(name)
    return dropped


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """Give each column its least width, and the remaining width to columns that can use it.

    Columns that wrap get their share before columns that are cut.
    """
    widths = [column.least for column in columns]
    for is_wrapped in (True, False):
        room = width - _total(widths)
        wants = [
            column.most - column.least if column.is_wrapped is is_wrapped else 0
            for column in columns
        ]
        wanted = sum(wants)
        if wanted and room > 0:
            share = min(1.0, room / wanted)
            widths = [own + int(want * share) for own, want in zip(widths, wants, strict=True)]
    return widths


def _table(columns: Sequence[_Column], width: int) -> Table:
    from rich.table import Table  # noqa: PLC0415 - see show_table
    from rich.text import Text  # noqa: PLC0415 - see show_table

    table = Table(
        box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, GAP, 0, 0)
    )
    for column, own in zip(columns, _widths(columns, width), strict=True):
        overflow = "fold" if column.is_wrapped else "ellipsis"
        table.add_column(
            column.heading,
            width=own,
            no_wrap=not column.is_wrapped,
            overflow=overflow,  # type: ignore[arg-type]  # one of rich's literals
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(
            *(
                Text(cell, style=_style(column.heading, cell))
                for cell, column in zip(row, columns, strict=True)
            )
        )
    return table


def _style(heading: str, cell: str) -> str:
    """The style of a level or verdict; a reason may follow it."""
    return _STYLES.get(cell.partition(":")[0], "") if heading in _STYLED else ""


def _show_in_two_lines(console: Console, columns: Sequence[_Column]) -> None:
    """Write the last column below the others, and nothing below a row that leaves it blank."""
    from rich.padding import Padding  # noqa: PLC0415 - see show_table
    from rich.text import Text  # noqa: PLC0415 - see show_table

    *others, last = columns
    # a line wider than the terminal wraps between cells, because a cut number would be wrong
    width = max(console.width, _total([column.least for column in others]))
    room = console.options.update(width=width)
    lines = console.render_lines(_table(others, width), room, pad=False)
    style = "bold"
    for line, below in zip(lines, (last.heading, *last.cells), strict=True):
        text = Text.assemble(*((part.text, part.style or "") for part in line))
        text.rstrip()
        console.print(text)
        if below not in _BLANKS:
            console.print(Padding(below, (0, 0, 0, INDENT)), style=style)
        style = ""
