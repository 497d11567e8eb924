"""`watch list`: list the watches, one row each."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.model import NctId
from ctsync.questions.portfolio.watches import MemberFacts, member_facts, query_text, watch_row
from ctsync.record.value_text import counted
from ctsync.store.data.watches import Watch, WatchedTrial
from ctsync.text import for_terminal

MOST_NAMED = 3
"""Most trials that a row names."""
NOT_IN_REGISTRY = "not in the registry"


@click.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON array of watches with all their trials."
)
@pass_app
def list_watches(app: App, as_json: bool) -> None:
    """List the watches, one row each.

    TRIALS is the number of trials that the watch follows, NOT FETCHED the number of those that the
    next sync must fetch. `ctsync watch show` lists the trials.
    """
    with app.store() as store:
        watches = store.watches.all()
        facts = member_facts(store, watches)
        if as_json:
            show_json([watch_row(watch, facts) for watch in watches])
            return
        followed = {trial.nct_id for watch in watches for trial in watch.trials}
        stored = store.trials.heads(followed)
    show_table(
        ("WATCH", "FROM", "TRIALS", "NOT FETCHED", "FOLLOWS"),
        [_row(watch, stored, facts) for watch in watches],
        drop=("FROM", "NOT FETCHED"),
    )
    tell(f"{counted(len(watches), 'watch', 'watches')}, {counted(len(followed), 'trial')}")
    if followed:
        tell("the trials of a watch: ctsync watch show NAME")
    pending = [w.name for w in app.settings.watches if w.name not in {x.name for x in watches}]
    if pending:
        named = for_terminal(", ".join(pending))
        tell(f"in the settings file, used from the next sync on: {named}")


def _row(watch: Watch, stored: Collection[NctId], facts: MemberFacts) -> tuple[str, ...]:
    known = {*stored, *facts.unknown}
    missing = sum(trial.nct_id not in known for trial in watch.trials)
    return (
        watch.name,
        watch.origin,
        f"{len(watch.trials):,}",
        f"{missing:,}",
        "; ".join(_follows(watch)) or "nothing",
    )


def _follows(watch: Watch) -> Iterator[str]:
    """Yield what a watch follows: its query, and its first trials that were named."""
    if watch.query is not None:
        yield f"{query_text(watch)} ({members_summary(watch)})"
    by_name = [trial for trial in watch.trials if not trial.by_query]
    if by_name:
        more = len(by_name) - MOST_NAMED
        names = ", ".join(map(_named, by_name[:MOST_NAMED]))
        yield f"{names} and {more:,} more" if more > 0 else names


def _named(trial: WatchedTrial) -> str:
    return f"{trial.nct_id} ({trial.asked_as})" if trial.asked_as else trial.nct_id


def members_summary(watch: Watch) -> str:
    """Return how many trials match the query of a watch, and how many no longer match it."""
    if watch.listed is None:
        return "not listed yet"
    brought = [trial for trial in watch.trials if trial.by_query]
    left = sum(trial.left_at is not None for trial in brought)
    return f"{len(brought) - left:,} matching, {left:,} left"
