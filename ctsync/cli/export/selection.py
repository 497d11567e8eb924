"""What an export takes and where it writes: shared by the `export` commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ctsync.cli.param_types import TrialParam
from ctsync.errors import UnknownTrial
from ctsync.model import NctId
from ctsync.questions.portfolio.known_watches import require_watch
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store


def takes_trials(command: Callable[..., Any]) -> Callable[..., Any]:
    """The trials to export: those named, those of a watch, or all."""
    trials = click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
    return trials(click.option("--watch", help="Only the trials of this watch.")(command))


def selected(store: Store, trials: Sequence[NctId], watch: str | None) -> Selection:
    """The trials to export; raises UnknownTrial and UsageError if one is not stored."""
    require_watch(store, watch)
    for nct_id in sorted(set(trials) - set(store.ids_of(Selection(trials)))):
        raise UnknownTrial(f"nothing is stored of {nct_id}; see: ctsync watch add")
    return Selection(tuple(trials), watch)


def takes_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where to: a file, or standard output."""
    return click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        help="Write into a file, replaced in one step (default: to stdout).",
    )(command)
