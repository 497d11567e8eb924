"""Tables: drawn for a person at a terminal, tab-separated in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ctsync.text import for_terminal


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows to stdout; in a pipe one line a row and a tab between, so that `cut` works.

    Nothing is cut at a terminal either: the last column folds.
    """
    safe = [[for_terminal(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in safe:
            click.echo("\t".join(cell.replace("\n", " ").replace("\t", " ") for cell in row))
        return
    if not safe:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        last = number == len(headings) - 1
        table.add_column(heading, overflow="fold", no_wrap=not last)
    for row in safe:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
