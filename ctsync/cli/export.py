"""`export`: what is stored, in forms that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.report import must_be_watch
from ctsync.cli.terms import Trial
from ctsync.errors import UnknownTrial, UsageError
from ctsync.model import NctId
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from ctsync.store.store import Store
    from ctsync.store.streams import Selection


@click.group()
def export() -> None:
    """Write what is stored for other programs: csv, jsonl, parquet, cohort."""


def _selected(command: Callable[..., Any]) -> Callable[..., Any]:
    """The trials to export: those named, those of a watch, or all."""
    trials = click.argument("trials", metavar="[NCT...]", type=Trial(), nargs=-1)
    return trials(click.option("--watch", help="Only the trials of this watch.")(command))


def _selection(store: Store, trials: Sequence[NctId], watch: str | None) -> Selection:
    from ctsync.store.streams import Selection

    must_be_watch(store, watch)
    for nct_id in sorted(set(trials) - set(store.ids_of(Selection(trials)))):
        raise UnknownTrial(f"nothing is stored of {nct_id}; see: ctsync watch add")
    return Selection(tuple(trials), watch)


@export.command("parquet")
@_selected
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder; an export that is there already is brought up to date.",
)
@click.option("--json", "as_json", is_flag=True, help="What was written, as an array.")
@pass_app
def parquet_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, folder: Path, as_json: bool
) -> None:
    """Write events and versions as a Parquet dataset, a file a month, for DuckDB or Spark.

    Again into the same folder, it writes only the months in which something is new or different.
    """
    from ctsync.report.phrases import counted
    from ctsync.tracking.dataset import export_dataset

    with app.store(create=False) as store:
        selection = _selection(store, trials, watch)
        try:
            done = export_dataset(store, folder, selection)
        except OSError as error:
            raise UsageError(f"cannot write {folder}: {error.strerror or error}") from error
    if as_json:
        show_json(
            [
                {
                    "table": one.table,
                    "rows": one.rows,
                    "written": one.written,
                    "unchanged": len(one.unchanged),
                    "removed": one.removed,
                }
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


COMMANDS = [export]
