"""`export csv`: one row per version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.selection import selected, takes_output, takes_trials
from ctsync.cli.output import write_lines
from ctsync.export.csv_writer import csv_lines
from ctsync.export.cthist import COLUMNS
from ctsync.export.row_streams import cthist_rows
from ctsync.model import NctId


@click.command("csv")
@takes_trials
@takes_output
@pass_app
def csv_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, output: Path | None
) -> None:
    """Write one row per version, as the R package cthist does.

    Versions are numbered from 0, as in the registry. A date without a day is written as the first
    of its month, with a column for its precision. NA stands for a missing value.
    """
    with app.store() as store:
        selection = selected(store, trials, watch)
        write_lines(
            output, csv_lines(COLUMNS, cthist_rows(store, selection)), "one row per version"
        )
