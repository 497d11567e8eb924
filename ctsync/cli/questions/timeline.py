"""`timeline`: draw the status, dates and enrollment of a trial over time."""

from __future__ import annotations

import shutil

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import NumberParam, TrialParam
from ctsync.cli.streams import can_show
from ctsync.model import NctId
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.timeline import timeline_row, trial_timeline
from ctsync.questions.trial.unfetched_versions import listed_sentence
from ctsync.report.trial.timeline_terminal import render_timeline


@click.command()
@click.argument("trial", metavar="NCT", type=TrialParam())
@click.option(
    "--width",
    type=NumberParam(least=40, most=1000),
    help="Width in columns (default: the terminal's).",
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write the statuses and date changes as JSON."
)
@pass_app
def timeline(app: App, *, trial: NctId, width: int | None, ascii_only: bool, as_json: bool) -> None:
    """Draw the status, dates and enrollment of a trial over time."""
    with app.store() as store:
        stored_versions(store, trial)
        drawn = trial_timeline(store, trial, until=app.clock.now())
        listed = store.listed.unfetched(trial)
    if listed:
        tell(f"{listed_sentence(listed)}: of these, only the status is known")
    if as_json:
        show_json(timeline_row(drawn))
        return
    columns = width or shutil.get_terminal_size((80, 24)).columns
    text = render_timeline(drawn, width=columns, ascii_only=ascii_only)
    if not can_show(text):
        text = render_timeline(drawn, width=columns, ascii_only=True)
    click.echo(text)
