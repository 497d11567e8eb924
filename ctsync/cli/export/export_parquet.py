"""`export parquet`: a Parquet dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.selection import selected, selected_flags, takes_trials
from ctsync.cli.output import cannot_write, show_json, tell
from ctsync.export.parquet import export_dataset
from ctsync.model import NctId
from ctsync.questions.results.transfer_rows import ExportedTableRow
from ctsync.record.value_text import counted
from ctsync.text import for_terminal


@click.command("parquet")
@takes_trials
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; an earlier export in it is updated.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of the files written.")
@pass_app
def parquet_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, folder: Path, as_json: bool
) -> None:
    """Write events, versions and flags as Parquet, one file per month.

    DuckDB, Spark and pandas read the dataset. A second export to the same folder writes only the
    months with new or changed rows.
    """
    with app.store() as store:
        selection = selected(store, trials, watch)
        try:
            flags = selected_flags(app, store, selection).rows
            done = export_dataset(store, folder, selection, flags=flags)
        except OSError as error:
            raise cannot_write(folder, error) from error
    if as_json:
        show_json(
            [
                ExportedTableRow(
                    table=one.table,
                    rows=one.rows,
                    written=tuple(one.written),
                    unchanged=len(one.unchanged),
                    removed=tuple(one.removed),
                )
                for one in done
            ]
        )
    for one in done:
        tell(
            for_terminal(
                f"wrote {folder / one.table}: {counted(one.rows, 'row')} in "
                f"{counted(len(one.written), 'month')}, {len(one.unchanged):,} unchanged"
            )
        )
