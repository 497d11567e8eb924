"""`watch list`: list the watches and the trials they follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.model import Head, NctId
from ctsync.query import Query
from ctsync.questions.portfolio.watches import MemberFacts, member_facts, watch_row
from ctsync.record.value_text import counted
from ctsync.store.data.watches import Watch
from ctsync.text import for_terminal

NOT_IN_REGISTRY = "not in the registry"


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of watches.")
@pass_app
def list_watches(app: App, as_json: bool) -> None:
    """List the watches and the trials they follow.

    Trials found by a query are counted; `ctsync watch show` lists them.
    """
    with app.store() as store:
        watches = store.watches.all()
        heads = store.trials.heads([trial.nct_id for watch in watches for trial in watch.trials])
        facts = member_facts(store, watches)
    if as_json:
        show_json([watch_row(watch, facts) for watch in watches])
        return
    rows = [row for watch in watches for row in _rows(watch, heads, facts)]
    show_table(("WATCH", "FROM", "TRIAL", "ASKED AS", "STORED"), rows, wrap=("ASKED AS",))
    followed = {trial.nct_id for watch in watches for trial in watch.trials}
    tell(f"{counted(len(watches), 'watch', 'watches')}, {counted(len(followed), 'trial')}")
    pending = [w.name for w in app.settings.watches if w.name not in {x.name for x in watches}]
    if pending:
        named = for_terminal(", ".join(pending))
        tell(f"in the settings file, used from the next sync on: {named}")


def _rows(
    watch: Watch, heads: Mapping[NctId, Head], facts: MemberFacts
) -> Iterator[tuple[str, ...]]:
    if watch.query is not None:
        yield watch.name, watch.origin, "(query)", query_text(watch), members_summary(watch)
    for trial in watch.trials:
        if not trial.by_query:
            head = heads.get(trial.nct_id)
            lacking = NOT_IN_REGISTRY if trial.nct_id in facts.unknown else "not fetched yet"
            stored = f"version {head.version}" if head is not None else lacking
            yield watch.name, watch.origin, trial.nct_id, trial.asked_as or "-", stored


def query_text(watch: Watch) -> str:
    """Return the query of a watch in the form that `--query` takes."""
    return str(Query(dict(watch.query or {})))


def members_summary(watch: Watch) -> str:
    """Say how many trials the query of a watch matches, and how many have left."""
    if watch.listed is None:
        return "not listed yet"
    inside, left = _counts(watch)
    return f"{inside:,} in, {left:,} left"


def _counts(watch: Watch) -> tuple[int, int]:
    brought = [trial for trial in watch.trials if trial.by_query]
    left = sum(trial.left_at is not None for trial in brought)
    return len(brought) - left, left
