"""`flags`: list facts about records, such as results that are due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import MomentParam, TrialParam, WordParam
from ctsync.cli.terminal_table import show_table
from ctsync.model import NctId
from ctsync.questions.changes.filters import require_sponsor
from ctsync.questions.portfolio.flags import FlagQuestion, FoundFlags, find_flags
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.flags import FlagId, FlagState
from ctsync.record.value_text import counted
from ctsync.store.data.watched_trials import TrialSelection


@click.command(epilog=f"Flags: {', '.join(FlagId)}.")
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option("--watch", help="Only trials of this watch.")
@click.option(
    "--flag",
    "flag_ids",
    multiple=True,
    type=WordParam(FlagId),
    metavar="FLAG",
    help="Only this flag (listed below); may be repeated.",
)
@click.option("--sponsor", metavar="TEXT", help="Only trials with TEXT in the lead sponsor's name.")
@click.option(
    "--since", type=MomentParam(), help="Only flags that became true on this day or later."
)
@click.option(
    "--all",
    "all_states",
    is_flag=True,
    help="Also flags that are undecided or not known, and results due that are posted.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of flags.")
@pass_app
def flags(
    app: App,
    *,
    trials: Sequence[NctId],
    watch: str | None,
    flag_ids: Sequence[FlagId],
    sponsor: str | None,
    since: datetime | None,
    all_states: bool,
    as_json: bool,
) -> None:
    """List facts about followed trials, such as results that are due.

    ctsync computes them by published rules from the newest record, for the day of the newest
    registry data. They are facts about a record, not a judgement of a trial. A record does not
    show certificates granted elsewhere, sales or exemptions.
    """
    question = FlagQuestion(
        tuple(trials),
        watch,
        tuple(flag_ids),
        sponsor,
        None if since is None or since <= MomentParam.BEGINNING else since.date(),
        all_states,
    )
    with app.store() as store:
        require_watch(store, watch)
        if sponsor is not None:
            require_sponsor(store, sponsor, {}, TrialSelection(question.ids, watch))
        found = find_flags(store, question, today=app.clock.now().date())
    if as_json:
        show_json(found.rows)
    else:
        _show(found)
    _tell_counts(found)


def _show(found: FoundFlags) -> None:
    show_table(
        ("TRIAL", "SINCE", "FLAG", "WHAT", "TITLE"),
        [
            (
                row.nct_id,
                "-" if row.since is None else f"{row.since}",
                row.flag if row.state is FlagState.TRUE else f"{row.flag} ({row.state})",
                row.words,
                row.title or "-",
            )
            for row in found.rows
        ],
        drop=("TITLE",),
        shorten=("TITLE",),
        wrap=("WHAT",),
    )


def _tell_counts(found: FoundFlags) -> None:
    flagged = len({row.nct_id for row in found.rows})
    tell(
        f"{counted(len(found.rows), 'flag')} on {flagged:,} of {counted(found.trials, 'trial')}, "
        f"as of {found.as_of}"
    )
    for nct_id in found.unreadable:
        tell(f"the record of {nct_id} cannot be read; see: ctsync check")
