"""`report`: report the changes of a time window, worst first, in a chosen format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import STDOUT, tell, write_file
from ctsync.cli.param_types import MomentParam, TrialParam
from ctsync.model import NctId
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.portfolio.watches import require_watch
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.report import Window
from ctsync.text import for_terminal

WINDOW = timedelta(days=7)
MOST_LINES = 5_000


@click.command("report")
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option(
    "--since", type=MomentParam(), help="From WHEN on: 2026-03-13, 7d (the default), all."
)
@click.option("--until", type=MomentParam(end_of_day=True), help="Up to WHEN (default: now).")
@click.option("--watch", help="Only the trials of this watch.")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in ReportFormat]),
    default="text",
    show_default=True,
    help="The form; the content is the same in each.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write into a file, replaced in one step; - is standard output.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=MOST_LINES,
    show_default=True,
    help="Show so many changes, the worst, and count the rest; 0 for all.",
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
    limit: int,
    as_json: bool,
) -> None:
    """Report what changed: one row a trial, worst first, then the details."""
    now = app.clock.now()
    start = now - WINDOW if since is None else since
    window = Window(None if start <= MomentParam.BEGINNING else start, until or now)
    with app.store() as store:
        require_watch(store, watch)
        found = report_data(
            store,
            ReportQuestion(
                window,
                title=watch or "all watches",
                watch=watch,
                ids=tuple(trials),
                limit=limit or None,
                drawn=form == "html",
            ),
        )
    text = render(found, ReportFormat("json" if as_json else form))
    if output is None or output == STDOUT:
        click.echo(text.rstrip("\n"))
        return
    write_file(output, text)
    tell(for_terminal(f"wrote {output}: {found.headline}"))
