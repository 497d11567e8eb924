"""`watch show`: show one watch with its trials."""

from __future__ import annotations

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.cli.watches.watch_list import members_summary, query_text
from ctsync.questions.portfolio.watches import find_watch, watch_row
from ctsync.record.enum_words import enum_words
from ctsync.store.data.watches import WatchedTrial
from ctsync.text import for_terminal


@click.command("show")
@click.argument("name", metavar="NAME")
@click.option(
    "--json", "as_json", is_flag=True, help="Write the watch and its trials as a JSON object."
)
@pass_app
def show_watch(app: App, name: str, as_json: bool) -> None:
    """Show the query of a watch and the trials it follows."""
    with app.store() as store:
        found = find_watch(store, name)
        if as_json:
            show_json(watch_row(found))
            return
        keys = {
            trial.nct_id: store.versions.earlier_keys(trial.nct_id)[-1:] for trial in found.trials
        }
    rows = [
        (
            trial.nct_id,
            enum_words(keys[trial.nct_id][0].status or "-")
            if keys[trial.nct_id]
            else "not fetched yet",
            _place(trial),
            keys[trial.nct_id][0].brief_title or "-" if keys[trial.nct_id] else "-",
        )
        for trial in found.trials
    ]
    rows += [
        (one.trial.nct_id, f"merged into {one.into}", _place(one.trial), "-")
        for one in found.merged
    ]
    show_table(("TRIAL", "STATUS", "IN THE WATCH", "TITLE"), rows, shorten=("TITLE",))
    if found.query is not None:
        seen = f", as of {found.listed:%Y-%m-%d}" if found.listed else ""
        tell(for_terminal(f"query: {query_text(found)}: {members_summary(found)}{seen}"))


def _place(trial: WatchedTrial) -> str:
    if trial.left_at is not None:
        return f"left {trial.left_at:%Y-%m-%d}"
    if trial.by_query:
        return f"by query since {trial.since:%Y-%m-%d}"
    return f"named as {trial.asked_as}" if trial.asked_as else "named"
