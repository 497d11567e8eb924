"""`export xlsx`: a workbook of trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.selection import selected, takes_output, takes_trials
from ctsync.cli.output import STDOUT, tell, write_bytes
from ctsync.errors import UsageError
from ctsync.export.workbook import trials_workbook
from ctsync.model import NctId
from ctsync.text import for_terminal


@click.command("xlsx")
@takes_trials
@takes_output
@pass_app
def xlsx_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, output: Path | None
) -> None:
    """Write a workbook of the portfolio, changes and versions.

    It has all followed trials, the trials of a watch, or the trials you name. Dates are dates, and
    each sheet has a filter. Needs --output.
    """
    if output is None or output == STDOUT:
        raise UsageError("a workbook needs a file: add --output trials.xlsx")
    with app.store() as store:
        selection = selected(store, trials, watch)
        content = trials_workbook(store, selection, today=app.clock.now().date())
    write_bytes(output, content)
    tell(for_terminal(f"wrote {output}: portfolio, changes and versions"))
