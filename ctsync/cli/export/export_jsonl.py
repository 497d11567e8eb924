"""`export jsonl`: versions, events or flags as JSON Lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.selection import selected, selected_flags, takes_output, takes_trials
from ctsync.cli.output import STDOUT, write_lines
from ctsync.errors import UsageError
from ctsync.export.jsonl import version_lines
from ctsync.export.row_streams import event_lines, flag_lines
from ctsync.model import NctId


@click.command("jsonl")
@takes_trials
@click.option(
    "--what",
    type=click.Choice(["versions", "events", "flags"]),
    default="versions",
    show_default=True,
    help="Versions can be imported again; events are as in `changes --json`, flags as in "
    "`flags --json`.",
)
@takes_output
@pass_app
def jsonl_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, what: str, output: Path | None
) -> None:
    """Write versions, events or flags as JSON, one object per line.

    Versions contain everything stored about a trial; `ctsync import` reads them.
    """
    if output in (None, STDOUT) and sys.stdout.isatty():
        raise UsageError(
            "JSON lines are not shown on a terminal: redirect the output, or use --output"
        )
    with app.store() as store:
        selection = selected(store, trials, watch)
        if what == "versions":
            lines = version_lines(store, selection)
        elif what == "flags":
            found = selected_flags(app, store, selection)
            lines = flag_lines(found.rows)
        else:
            lines = event_lines(store, selection, app.rates(store))
        write_lines(output, lines, f"{what}, one line each")
