"""`report`: what changed in a window, worst first, in the form one likes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app, tell
from ctsync.cli.terms import Moment, Trial
from ctsync.errors import UsageError
from ctsync.model import NctId

FORMATS = ("text", "markdown", "html", "json", "csv", "atom")
WINDOW = timedelta(days=7)


@click.command("report")
@click.argument("trials", metavar="[NCT...]", type=Trial(), nargs=-1)
@click.option("--since", type=Moment(), help="From WHEN on: 2026-03-13, 7d (the default), all.")
@click.option("--until", type=Moment(end_of_day=True), help="Up to WHEN (default: now).")
@click.option("--watch", help="Only the trials of this watch.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="The form; the content is the same in each.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write into a file, replaced in one step.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@pass_app
def report_command(
    app: App,
    *,
    trials: Sequence[NctId],
    since: datetime | None,
    until: datetime | None,
    watch: str | None,
    form: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Report what changed: one row a trial, worst first, then the details."""
    from ctsync.report.render import ReportFormat, render
    from ctsync.report.values import Window
    from ctsync.tracking.review import review

    now = app.clock.now()
    start = now - WINDOW if since is None else since
    window = Window(None if start <= Moment.BEGINNING else start, until or now)
    with app.store() as store:
        if watch is not None and watch not in {one.name for one in store.watches()}:
            raise UsageError(f"there is no watch {watch!r}; see: ctsync watch list")
        found = review(
            store, window=window, title=watch or "all watches", watch=watch, ids=tuple(trials)
        )
    text = render(found, ReportFormat("json" if as_json else form))
    if output is None:
        click.echo(text.rstrip("\n"))
        return
    replace_file(output, text)
    tell(f"wrote {output}: {found.headline}")


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, whole."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
        ) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


COMMANDS = [report_command]
