"""`import`: read versions that `export jsonl` wrote."""

from __future__ import annotations

from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.errors import PartialRun, UsageError
from ctsync.export.jsonl import import_lines
from ctsync.questions.results.transfer_rows import ImportRow
from ctsync.record.value_text import counted


@click.command("import")
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True)
)
@click.option("--json", "as_json", is_flag=True, help="Write the counts as JSON.")
@pass_app
def import_command(app: App, *, file: Path, as_json: bool) -> None:
    """Import versions from a file of `ctsync export jsonl`.

    FILE may be - for standard input. Versions that are stored already are skipped, so an import
    may be repeated. If other versions of a trial are stored, the trial is skipped and named, and
    the command exits with code 3.
    """
    with app.writable_store() as store, store.writer(holder="ctsync import"):
        try:
            with click.open_file(str(file), "rb") as lines:
                done = import_lines(store, lines)
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    if as_json:
        show_json(
            ImportRow(
                trials=done.trials,
                versions=done.versions,
                already_stored=done.known,
                watches=done.watches,
                refused=done.refused,
            )
        )
    tell(
        f"imported {counted(done.versions, 'version')} of {counted(done.trials, 'trial')}; "
        f"{done.known:,} were stored already"
    )
    for nct_id, why in done.refused.items():
        tell(f"{nct_id} was skipped: {why}")
    if done.refused:
        raise PartialRun(f"{counted(len(done.refused), 'trial')} could not be imported")
