"""`watch`: what is followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.cli.watches.watch_add import add
from ctsync.errors import UsageError
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ctsync.model import Head, JsonObject, NctId
    from ctsync.store.data.watches import Watch, WatchedTrial
    from ctsync.store.store import Store


@click.group()
def watch() -> None:
    """Say which trials are followed."""


watch.add_command(add)


@watch.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of watches.")
@pass_app
def list_watches(app: App, as_json: bool) -> None:
    """List the watches, where each comes from, and the trials they follow.

    The trials that a query brought are counted; `ctsync watch show` lists them.
    """
    from ctsync.record.value_text import counted

    with app.store() as store:
        watches = store.watches()
        heads = store.heads([trial.nct_id for watch in watches for trial in watch.trials])
    if as_json:
        show_json([_watch_json(watch) for watch in watches])
        return
    rows = [row for watch in watches for row in _rows(watch, heads)]
    show_table(("WATCH", "FROM", "TRIAL", "ASKED AS", "STORED"), rows)
    followed = {trial.nct_id for watch in watches for trial in watch.trials}
    tell(f"{counted(len(watches), 'watch', 'watches')}, {counted(len(followed), 'trial')}")
    pending = [w.name for w in app.settings.watches if w.name not in {x.name for x in watches}]
    if pending:
        named = for_terminal(", ".join(pending))
        tell(f"in the settings file, taken up by the next sync: {named}")


def _rows(watch: Watch, heads: Mapping[NctId, Head]) -> Iterator[tuple[str, ...]]:
    if watch.query is not None:
        yield watch.name, watch.origin, "(query)", query_text(watch), _standing(watch)
    for trial in watch.trials:
        if not trial.by_query:
            head = heads.get(trial.nct_id)
            stored = f"version {head.version}" if head is not None else "not yet pulled"
            yield watch.name, watch.origin, trial.nct_id, trial.asked_as or "-", stored


def query_text(watch: Watch) -> str:
    """The query of a watch as `--query` takes it."""
    from ctsync.query import Query

    return str(Query(dict(watch.query or {})))


def _standing(watch: Watch) -> str:
    if watch.listed is None:
        return "not yet listed"
    inside, left = _counts(watch)
    return f"{inside:,} in, {left:,} left"


def _counts(watch: Watch) -> tuple[int, int]:
    brought = [trial for trial in watch.trials if trial.by_query]
    left = sum(trial.left_at is not None for trial in brought)
    return len(brought) - left, left


def _watch_json(watch: Watch) -> JsonObject:
    inside, left = _counts(watch)
    return {
        "name": watch.name,
        "origin": watch.origin,
        "query": None if watch.query is None else dict(watch.query),
        "listed": _stamp(watch.listed),
        "in": inside,
        "left": left,
        "trials": [
            {
                "nct_id": trial.nct_id,
                "asked_as": trial.asked_as or None,
                "by_query": trial.by_query,
                "left_at": _stamp(trial.left_at),
            }
            for trial in watch.trials
        ],
    }


def _stamp(moment: object) -> str | None:
    from datetime import datetime

    from ctsync.dates import format_timestamp

    return format_timestamp(moment) if isinstance(moment, datetime) else None


@watch.command("show")
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="The watch with its trials, an object.")
@pass_app
def show_watch(app: App, name: str, as_json: bool) -> None:
    """Show one watch: its query, and every trial it follows, with those that left."""
    with app.store() as store:
        found = _find(store, name)
        if as_json:
            show_json(_watch_json(found))
            return
        keys = {trial.nct_id: store.past(trial.nct_id)[-1:] for trial in found.trials}
    rows = [
        (
            trial.nct_id,
            keys[trial.nct_id][0].status or "-" if keys[trial.nct_id] else "not yet pulled",
            _place(trial),
            keys[trial.nct_id][0].brief_title or "-" if keys[trial.nct_id] else "-",
        )
        for trial in found.trials
    ]
    show_table(("TRIAL", "STATUS", "IN THE WATCH", "TITLE"), rows)
    if found.query is not None:
        seen = f", as of {found.listed:%Y-%m-%d}" if found.listed else ""
        tell(for_terminal(f"query: {query_text(found)}: {_standing(found)}{seen}"))


def _place(trial: WatchedTrial) -> str:
    if trial.left_at is not None:
        return f"left {trial.left_at:%Y-%m-%d}"
    if trial.by_query:
        return f"by query since {trial.since:%Y-%m-%d}"
    return f"named as {trial.asked_as}" if trial.asked_as else "named"


def _find(store: Store, name: str) -> Watch:
    found = next((one for one in store.watches() if one.name == name), None)
    if found is None:
        raise UsageError(f"there is no watch {name!r}; see: ctsync watch list")
    return found


@watch.command("remove")
@click.argument("name", metavar="NAME")
@click.argument("trials", metavar="[NCT...]", nargs=-1)
@pass_app
def remove(app: App, name: str, trials: Sequence[str]) -> None:
    """End a watch, or stop following some of its trials; what is stored stays stored."""
    from ctsync.model import parse_nct_id

    ids = [parse_nct_id(text) for text in trials]
    with app.store() as store:
        found = _find(store, name)
        if found.origin == "file":
            raise UsageError(f"the watch {name!r} stands in the settings file; remove it there")
        known = {trial.nct_id: trial for trial in found.trials}
        absent = [nct_id for nct_id in ids if nct_id not in known]
        if absent:
            raise UsageError(f"the watch {name!r} does not follow {', '.join(absent)}")
        brought = [n for n in ids if known[n].by_query and known[n].left_at is None]
        if brought:
            raise UsageError(
                f"the query of watch {name!r} brought {', '.join(brought)} and would again: "
                "end the watch, and follow a narrower query"
            )
        with store.unit() as unit:
            if ids:
                unit.remove_trials(name, ids)
            else:
                unit.remove_watch(name)
    ended = for_terminal(", ".join(ids) or f"watch {name}")
    tell(f"no longer following {ended}; its history stays")


COMMANDS = [watch]
