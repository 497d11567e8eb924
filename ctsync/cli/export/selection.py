"""Options shared by the `export` commands: the trials to export, and the output file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ctsync.cli.app import App
from ctsync.cli.output import tell
from ctsync.cli.param_types import TrialParam
from ctsync.errors import UnknownTrial
from ctsync.model import NctId
from ctsync.questions.portfolio.flags import FlagQuestion, FoundFlags, find_flags
from ctsync.questions.portfolio.watches import require_watch
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store


def takes_trials(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument and option that choose trials: by name, by watch, or all."""
    trials = click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
    return trials(click.option("--watch", help="Only trials of this watch.")(command))


def selected(store: Store, trials: Sequence[NctId], watch: str | None) -> Selection:
    """Select the trials to export; raises UnknownTrial or UsageError if one is not stored."""
    require_watch(store, watch)
    for nct_id in sorted(set(trials) - set(store.bulk.trial_ids(Selection(trials)))):
        raise UnknownTrial(
            f"no version of {nct_id} is stored; follow it: ctsync watch add {nct_id}"
        )
    return Selection(tuple(trials), watch)


def selected_flags(app: App, store: Store, selection: Selection) -> FoundFlags:
    """Find the flags of the selected trials that are followed or named; name unreadable records."""
    question = FlagQuestion(tuple(selection.nct_ids), selection.watch)
    found = find_flags(store, question, today=app.clock.now().date())
    for nct_id in found.unreadable:
        tell(f"the record of {nct_id} cannot be read; see: ctsync check")
    return found


def takes_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that chooses the output: a file or standard output."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        help="Write to a file, replaced atomically (default: stdout).",
    )(command)
