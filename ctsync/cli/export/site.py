"""`site`: a site of plain HTML files."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import cannot_write, tell
from ctsync.cli.param_types import MomentParam, NumberParam
from ctsync.cli.questions.report import MOST_LINES
from ctsync.questions.changes.rules import own_thresholds, thresholds_in_force
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.value_text import counted
from ctsync.report.report import Window
from ctsync.text import for_terminal
from ctsync.web.site import site_files
from ctsync.web.site_folder import write_site
from ctsync.web.site_question import SiteQuestion

WINDOW = timedelta(days=30)
KEPT_DAYS = 30


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--watch", help="Only trials of this watch.")
@click.option(
    "--since",
    type=MomentParam(),
    help="Start of the list of changes and the feeds: 2026-03-13, 30d (default).",
)
@click.option(
    "--keep",
    type=NumberParam(most=100_000),
    default=KEPT_DAYS,
    show_default=True,
    help="Days with a page of their own; pages of older days are deleted.",
)
@pass_app
def site(app: App, *, folder: Path, watch: str | None, since: datetime | None, keep: int) -> None:
    """Write a static site with today's changes, all trials and feeds.

    Run it after each sync. Only changed files are written, each in one step, so a web server may
    serve the folder. Pages of trials that you stopped following are deleted. Links in the feeds
    need the setting web.url.
    """
    now = app.clock.now()
    start = now - WINDOW if since is None else since
    window = Window(None if start <= MomentParam.BEGINNING else start, now)
    with app.store() as store:
        require_watch(store, watch)
        question = SiteQuestion(
            window,
            watch=watch,
            days=keep,
            url=app.settings.web.url or "",
            limit=MOST_LINES,
            rates=app.rates(store),
            thresholds=thresholds_in_force(app.settings),
            own_thresholds=own_thresholds(app.settings, store),
        )
        try:
            done = write_site(folder, site_files(store, question))
        except OSError as error:
            raise cannot_write(Path(error.filename or folder), error) from error
    changes = f"{done.written:,} written, {done.same:,} unchanged, {done.deleted:,} deleted"
    tell(for_terminal(f"wrote {folder / 'index.html'}: {counted(done.total, 'file')}, {changes}"))
