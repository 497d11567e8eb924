"""Tables on stdout: formatted on a terminal, tab-separated in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.segment import Segment

from ctsync.text import for_terminal

LEAST_LAST_COLUMN = 24
INDENT = 4


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows to stdout; in a pipe, one tab-separated line per row, so that `cut` works.

    A terminal shows every cell in full: the last column wraps, and moves below the others if
    they leave it too little room.
    """
    safe = [[for_terminal(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in safe:
            click.echo("\t".join(cell.replace("\n", " ").replace("\t", " ") for cell in row))
        return
    if not safe:
        return
    # imported here, because a pipe does without them: 0.03 s of the 0.6 s of a question
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.padding import Padding  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415 - see above

    console = Console(highlight=False, markup=False)
    *others, last = headings
    wide = sum(max(len(row[n]) for row in [headings, *safe]) + 2 for n in range(len(others)))
    below = console.width - wide < LEAST_LAST_COLUMN
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for heading in others if below else headings:
        table.add_column(heading, no_wrap=heading is not last, overflow="fold")
    for row in safe:
        table.add_row(*row[: len(table.columns)])
    if not below:
        console.print(table)
        return
    # let the terminal wrap a line that does not fit: a truncated number would be wrong
    room = console.options.update(width=max(console.width, wide))
    head, *lines = console.render_lines(table, room, pad=False)
    console.print(_text(head), style="bold")
    console.print(Padding(last, (0, 0, 0, INDENT)), style="bold")
    for line, row in zip(lines, safe, strict=True):
        console.print(_text(line))
        console.print(Padding(row[-1], (0, 0, 0, INDENT)))


def _text(line: Sequence[Segment]) -> str:
    return "".join(segment.text for segment in line).rstrip()
