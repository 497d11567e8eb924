"""`page`: the history of a trial as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell, write_document, write_file
from ctsync.cli.param_types import TrialParam
from ctsync.model import NctId
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.trial_page import trial_page
from ctsync.record.value_text import counted
from ctsync.report.addresses import Addresses
from ctsync.report.report import Window
from ctsync.text import for_terminal
from ctsync.web.frame import Frame
from ctsync.web.pages.trial import render_page


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file, replaced atomically (default: stdout).",
)
@pass_app
def page(app: App, *, trial: NctId, output: Path | None) -> None:
    """Write the whole history of a trial as one HTML page.

    The page shows the timeline, and each version next to the version before it. It is one file and
    needs no network. If web.url is set, it links to your site.
    """
    now = app.clock.now()
    url = app.settings.web.url
    with app.store() as store:
        count = len(stored_versions(store, trial))
        text = render_page(
            trial_page(store, trial, until=now, rates=app.rates(store)),
            Window(None, now),
            frame=Frame(Addresses(f"{url}/"), is_alone=True) if url else None,
        )
    if output is None:
        write_document(text)
        return
    write_file(output, text)
    tell(for_terminal(f"wrote {output}: {trial}, {counted(count, 'version')}"))
