"""`export cohort`: one row per trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.selection import selected, takes_output, takes_trials
from ctsync.cli.output import write_lines
from ctsync.export.cohort import COLUMNS
from ctsync.export.csv_writer import csv_lines
from ctsync.export.row_streams import cohort_rows
from ctsync.model import NctId


@click.command("cohort")
@takes_trials
@takes_output
@pass_app
def cohort_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, output: Path | None
) -> None:
    """Write one row per trial, for analysis, as CSV.

    The columns give delays, first and last enrollment target, stops and restarts, by the
    definitions of published studies, and flags.
    """
    with app.store() as store:
        selection = selected(store, trials, watch)
        rows = cohort_rows(store, selection, today=app.clock.now().date())
        write_lines(output, csv_lines(COLUMNS, rows), "one row per trial")
