"""`site`: a site of plain HTML files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell, write_file
from ctsync.cli.param_types import MomentParam
from ctsync.cli.questions.report import MOST_LINES, WINDOW
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.questions.portfolio.watches import followed_trials, require_watch
from ctsync.questions.trial.trial_page import trial_page
from ctsync.record.value_text import counted
from ctsync.report.addresses import day_of
from ctsync.report.report import Window
from ctsync.text import for_terminal
from ctsync.web.site import HEADLINE_WITHIN, PastReport, build_site, headline_of

KEPT_REPORTS = 30


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--watch", help="Only trials of this watch.")
@click.option(
    "--since",
    type=MomentParam(),
    help="Start of the report and the feed: 2026-03-13, 7d (default).",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=KEPT_REPORTS,
    show_default=True,
    help="Days of reports to keep; older ones are deleted.",
)
@pass_app
def site(app: App, *, folder: Path, watch: str | None, since: datetime | None, keep: int) -> None:
    """Write a static site: index, trial pages, reports, feed.

    Run it after each sync. Each file is replaced atomically, so a web server may serve the folder
    meanwhile. Links in the feed need the setting web.url, the address of the site.
    """
    now = app.clock.now()
    start = now - WINDOW if since is None else since
    window = Window(None if start <= MomentParam.BEGINNING else start, now)
    with app.store() as store:
        require_watch(store, watch)
        rates = app.rates(store)
        latest = report_data(
            store,
            ReportQuestion(
                window,
                title=watch or "all watches",
                watch=watch,
                limit=MOST_LINES,
                rates=rates,
            ),
        )
        trials = followed_trials(store, watch=watch)
        stories = (trial_page(store, nct_id, until=now, rates=rates) for nct_id in trials)
        kept = _delete_old_reports(folder, keep - 1, today=f"{now:%Y-%m-%d}")
        past = [PastReport(path, _headline(folder / path)) for path in kept]
        for path, text in build_site(stories, latest, earlier=past, url=app.settings.web.url):
            write_file(folder / path, text)
    pages, reports = counted(len(trials), "trial"), counted(len(kept) + 1, "report")
    tell(for_terminal(f"wrote {folder / 'index.html'}: {pages}, {reports}"))


def _delete_old_reports(folder: Path, keep: int, *, today: str) -> list[str]:
    """Delete all reports before today except the newest `keep`; return the paths of these."""
    found = [path.relative_to(folder).as_posix() for path in folder.glob("reports/*.html")]
    earlier = sorted((path for path in found if (day_of(path) or today) < today), reverse=True)
    for path in earlier[keep:]:
        (folder / path).unlink(missing_ok=True)
    return earlier[:keep]


def _headline(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return headline_of(file.read(HEADLINE_WITHIN))
