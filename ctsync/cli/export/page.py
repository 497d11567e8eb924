"""`page` and `site`: what is stored as plain HTML files, for a browser or any web server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app, tell
from ctsync.cli.param_types import MomentParam, TrialParam
from ctsync.cli.questions.ask import stored_versions
from ctsync.cli.questions.report import MOST_LINES, WINDOW, must_be_watch, write_file
from ctsync.model import NctId
from ctsync.text import for_terminal

KEPT_REPORTS = 30


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write into a file, replaced in one step (default: to stdout).",
)
@pass_app
def page(app: App, *, trial: NctId, output: Path | None) -> None:
    """Write a trial's whole history as one HTML page: its course, and its versions side by side.

    The file needs nothing beside it, and no network.
    """
    from ctsync.questions.changes.report_data import story_of
    from ctsync.record.value_text import counted
    from ctsync.report.report import Window
    from ctsync.report.trial.page import render_page

    now = app.clock.now()
    with app.store() as store:
        count = len(stored_versions(store, trial))
        text = render_page(story_of(store, trial, until=now), Window(None, now))
    if output is None:
        click.echo(text.rstrip("\n"))
        return
    write_file(output, text)
    tell(for_terminal(f"wrote {output}: {trial}, {counted(count, 'version')}"))


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--watch", help="Only the trials of this watch.")
@click.option(
    "--since",
    type=MomentParam(),
    help="The report and the feed begin at WHEN: 2026-03-13, 7d (default).",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=KEPT_REPORTS,
    show_default=True,
    help="How many days' reports the site keeps; older ones are deleted.",
)
@pass_app
def site(app: App, *, folder: Path, watch: str | None, since: datetime | None, keep: int) -> None:
    """Write a site of plain files: an index, a page a trial, the latest reports, an Atom feed.

    Run it after each sync; every file is replaced in one step, so it may be served meanwhile.
    """
    from ctsync.questions.changes.report_data import followed_trials, review, story_of
    from ctsync.record.value_text import counted
    from ctsync.report.report import Window
    from ctsync.report.trial.site import build_site

    now = app.clock.now()
    start = now - WINDOW if since is None else since
    window = Window(None if start <= MomentParam.BEGINNING else start, now)
    with app.store() as store:
        must_be_watch(store, watch)
        latest = review(
            store, window=window, title=watch or "all watches", watch=watch, limit=MOST_LINES
        )
        trials = followed_trials(store, watch=watch)
        stories = (story_of(store, nct_id, until=now) for nct_id in trials)
        kept = _make_room(folder, keep - 1, today=f"{now:%Y-%m-%d}")
        for path, text in build_site(stories, latest, earlier=kept):
            write_file(folder / path, text)
    pages, reports = counted(len(trials), "trial"), counted(len(kept) + 1, "report")
    tell(for_terminal(f"wrote {folder / 'index.html'}: {pages}, {reports}"))


def _make_room(folder: Path, keep: int, *, today: str) -> list[str]:
    """The paths of the newest reports of days before today, once all older ones are deleted."""
    from ctsync.report.trial.site import day_of

    found = [path.relative_to(folder).as_posix() for path in folder.glob("reports/*.html")]
    earlier = sorted((path for path in found if (day_of(path) or today) < today), reverse=True)
    for path in earlier[keep:]:
        (folder / path).unlink(missing_ok=True)
    return earlier[:keep]


COMMANDS = [page, site]
