"""`watch show`: show one watch with its trials."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import NumberParam
from ctsync.cli.terminal_table import show_table
from ctsync.cli.watches.watch_list import NOT_IN_REGISTRY, members_summary
from ctsync.dates import LOAD_TOLERANCE, mark_future
from ctsync.errors import UsageError
from ctsync.model import Head, KeyFields, NctId, State
from ctsync.questions.portfolio.watches import (
    MemberFacts,
    find_watch,
    member_facts,
    query_text,
    watch_row,
)
from ctsync.questions.trial.versions import history_words
from ctsync.record.enum_words import enum_words, phase_words
from ctsync.record.value_text import counted
from ctsync.store.data.history_versions import COMPLETE
from ctsync.store.data.watches import MergedTrial, WatchedTrial
from ctsync.text import for_terminal

SHOWN_TRIALS = 50
MOST_NAMED = 5
_NO_PHASE = "NA"
_BLANK = "-"


@click.command("show")
@click.argument("name", metavar="NAME")
@click.option(
    "--limit",
    type=NumberParam(),
    help=f"Number of trials to list.  [default: {SHOWN_TRIALS}]",
)
@click.option("--all", "every", is_flag=True, help="List all trials.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write the watch and all its trials as a JSON object."
)
@pass_app
def show_watch(app: App, *, name: str, limit: int | None, every: bool, as_json: bool) -> None:
    """Show the query of a watch and the trials it follows."""
    if every and limit is not None:
        raise UsageError("specify --limit or --all, not both")
    now = app.clock.now()
    with app.store() as store:
        found = find_watch(store, name)
        facts = member_facts(store, [found])
        if as_json:
            show_json(watch_row(found, facts))
            return
        shown = found.trials if every else found.trials[: limit or SHOWN_TRIALS]
        ids = [trial.nct_id for trial in shown]
        keys, heads = store.versions.newest_keys(ids), store.trials.heads(ids)
        # a trial that is gone shows the values of its last record
        for nct_id in heads.keys() - keys.keys():
            keys[nct_id] = [*store.versions.earlier_keys(nct_id), KeyFields()][-2]
    show_table(
        ("TRIAL", "STATUS", "PHASE", "SPONSOR", "IN THE WATCH", "TITLE"),
        [
            *(_row(trial, heads, keys, facts, place=_place(trial, now)) for trial in shown),
            *(_merged_row(one, _place(one.trial, now)) for one in found.merged),
        ],
        drop=("SPONSOR", "PHASE"),
        shorten=("SPONSOR", "TITLE"),
    )
    more = len(found.trials) - len(shown)
    tell(counted(len(found.trials), "trial") if not more else _rest(name, len(shown), more))
    for sentence in _about_histories(facts):
        tell(for_terminal(sentence))
    if found.query is not None:
        seen = f", as of {_load_day(found.listed, now)}" if found.listed else ""
        tell(for_terminal(f"query: {query_text(found)}: {members_summary(found)}{seen}"))


def _rest(name: str, shown: int, more: int) -> str:
    return for_terminal(
        f"the first {shown:,} of {counted(shown + more, 'trial')}: "
        f"ctsync watch show {shlex.quote(name)} --all"
    )


def _row(
    trial: WatchedTrial,
    heads: Mapping[NctId, Head],
    keys: Mapping[NctId, KeyFields],
    facts: MemberFacts,
    *,
    place: str,
) -> tuple[str, ...]:
    head, key = heads.get(trial.nct_id), keys.get(trial.nct_id, KeyFields())
    status = enum_words(key.status) if key.status else _BLANK
    if head is None:
        status = NOT_IN_REGISTRY if trial.nct_id in facts.unknown else "not fetched yet"
    elif head.state is not State.PRESENT:
        status = head.state.capitalize()
    phase = phase_words(key.phases) if key.phases and key.phases != _NO_PHASE else _BLANK
    sponsor, title = key.lead_sponsor or _BLANK, key.brief_title or _BLANK
    return trial.nct_id, status, phase, sponsor, place, title


def _merged_row(one: MergedTrial, place: str) -> tuple[str, ...]:
    merged = f"merged into {one.into}"
    return one.trial.nct_id, merged, _BLANK, _BLANK, place, _BLANK


def _about_histories(facts: MemberFacts) -> Iterator[str]:
    """Name the trials whose registry history is not stored in full, by state."""
    by_state: dict[str, list[NctId]] = {}
    for nct_id, state in facts.histories.items():
        if state != COMPLETE:
            by_state.setdefault(history_words(state), []).append(nct_id)
    for state, ids in sorted(by_state.items()):
        more = f" and {len(ids) - MOST_NAMED:,} more (--json lists them)"
        yield f"registry history: {state}: {', '.join(ids[:MOST_NAMED])}" + (
            more if len(ids) > MOST_NAMED else ""
        )


def _place(trial: WatchedTrial, now: datetime) -> str:
    if trial.left_at is not None:
        return f"left {_load_day(trial.left_at, now)}"
    if trial.by_query:
        return f"by query since {_load_day(trial.since, now)}"
    return f"named as {trial.asked_as}" if trial.asked_as else "named"


def _load_day(moment: datetime, now: datetime) -> str:
    return mark_future(moment, now, f"{moment:%Y-%m-%d}", tolerance=LOAD_TOLERANCE)
