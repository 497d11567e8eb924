"""`export`: what is stored, in forms that other programs read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.cli.questions.report import STDOUT, must_be_watch
from ctsync.errors import PartialRun, UnknownTrial, UsageError
from ctsync.model import NctId
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from ctsync.store.data.bulk_reads import Selection
    from ctsync.store.store import Store


@click.group()
def export() -> None:
    """Write what is stored for other programs: csv, jsonl, parquet, cohort."""


def _selected(command: Callable[..., Any]) -> Callable[..., Any]:
    """The trials to export: those named, those of a watch, or all."""
    trials = click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
    return trials(click.option("--watch", help="Only the trials of this watch.")(command))


def _selection(store: Store, trials: Sequence[NctId], watch: str | None) -> Selection:
    from ctsync.store.data.bulk_reads import Selection

    must_be_watch(store, watch)
    for nct_id in sorted(set(trials) - set(store.ids_of(Selection(trials)))):
        raise UnknownTrial(f"nothing is stored of {nct_id}; see: ctsync watch add")
    return Selection(tuple(trials), watch)


def _to_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where to: a file, or standard output."""
    return click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        help="Write into a file, replaced in one step (default: to stdout).",
    )(command)


def _write(output: Path | None, lines: Iterable[str], what: str) -> None:
    """Write lines as they come, and say into which file."""
    from ctsync.files import replacing

    if output is None or output == STDOUT:
        for line in lines:
            click.echo(line, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output) as file:
            for line in lines:
                file.write(line.encode(errors="backslashreplace"))
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error
    tell(for_terminal(f"wrote {output}: {what}"))


@export.command("csv")
@_selected
@_to_file
@pass_app
def csv_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, output: Path | None
) -> None:
    """Write a row a version, in the columns of the R package cthist.

    Versions are numbered as the registry does, from 0; month dates are the first of the month,
    with a column for their precision; what is missing is NA.
    """
    from ctsync.export.csv_writer import csv_lines
    from ctsync.export.cthist import COLUMNS
    from ctsync.export.rows import cthist_rows

    with app.store(create=False) as store:
        selection = _selection(store, trials, watch)
        _write(output, csv_lines(COLUMNS, cthist_rows(store, selection)), "a row a version")


@export.command("jsonl")
@_selected
@click.option(
    "--what",
    type=click.Choice(["versions", "events"]),
    default="versions",
    show_default=True,
    help="Versions lose nothing and can be imported; events are what `changes --json` gives.",
)
@_to_file
@pass_app
def jsonl_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, what: str, output: Path | None
) -> None:
    """Write versions or events as JSON, an object a line.

    Versions are everything that is stored of a trial, to be read by `ctsync import`.
    """
    from ctsync.export.jsonl import version_lines
    from ctsync.export.rows import event_lines

    if output in (None, STDOUT) and sys.stdout.isatty():
        raise UsageError("JSON lines are for another program: redirect them, or use --output")
    with app.store(create=False) as store:
        selection = _selection(store, trials, watch)
        lines = version_lines if what == "versions" else event_lines
        _write(output, lines(store, selection), f"{what}, a line each")


@click.command("import")
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True)
)
@click.option("--json", "as_json", is_flag=True, help="What was imported, as JSON.")
@pass_app
def import_command(app: App, *, file: Path, as_json: bool) -> None:
    """Read versions that `ctsync export jsonl` wrote; - is standard input.

    What is stored already stays as it is, so that an import may be repeated. A trial of which
    other versions are stored is left alone and named, and the command ends with 3.
    """
    from ctsync.export.jsonl import import_lines
    from ctsync.record.value_text import counted

    with app.store() as store, store.writer(holder="ctsync import"):
        try:
            with click.open_file(str(file), "rb") as lines:
                done = import_lines(store, lines)
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    if as_json:
        show_json(
            {
                "trials": done.trials,
                "versions": done.versions,
                "already_stored": done.known,
                "watches": done.watches,
                "refused": done.refused,
            }
        )
    tell(
        f"imported {counted(done.versions, 'version')} of {counted(done.trials, 'trial')}; "
        f"{done.known:,} were stored already"
    )
    for nct_id, why in done.refused.items():
        tell(f"{nct_id} is left as it is: {why}")
    if done.refused:
        raise PartialRun(f"{counted(len(done.refused), 'trial')} could not be imported")


@export.command("cohort")
@_selected
@_to_file
@pass_app
def cohort_command(
    app: App, *, trials: Sequence[NctId], watch: str | None, output: Path | None
) -> None:
    """Write a row a trial: slips, first and last target, stop and restart, days and percent.

    The definitions are those of published studies; docs/exports.md tells them.
    """
    from ctsync.export.cohort import COLUMNS
    from ctsync.export.csv_writer import csv_lines
    from ctsync.export.rows import cohort_rows

    with app.store(create=False) as store:
        selection = _selection(store, trials, watch)
        _write(output, csv_lines(COLUMNS, cohort_rows(store, selection)), "a row a trial")


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
    from ctsync.export.parquet import export_dataset
    from ctsync.record.value_text import counted

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


COMMANDS = [export, import_command]
