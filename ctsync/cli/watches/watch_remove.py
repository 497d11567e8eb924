"""`watch remove`: remove a watch, or stop following trials."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.cli.param_types import TrialParam
from ctsync.errors import UsageError
from ctsync.model import NctId
from ctsync.questions.portfolio.watches import find_watch
from ctsync.text import for_terminal


@click.command("remove")
@click.argument("name", metavar="NAME")
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@pass_app
def remove(app: App, name: str, trials: Sequence[NctId]) -> None:
    """Remove a watch, or stop following some of its trials.

    Stored versions and changes stay in the database.
    """
    ids = list(dict.fromkeys(trials))
    with app.writable_store(create=False) as store:
        found = find_watch(store, name)
        if found.origin == "file":
            raise UsageError(f"the watch {name!r} is defined in the settings file; remove it there")
        members = (*found.trials, *(one.trial for one in found.merged))
        known = {trial.nct_id: trial for trial in members}
        absent = [nct_id for nct_id in ids if nct_id not in known]
        if absent:
            raise UsageError(f"the watch {name!r} does not follow {', '.join(absent)}")
        brought = [n for n in ids if known[n].by_query and known[n].left_at is None]
        if brought:
            raise UsageError(
                f"the query of watch {name!r} matches {', '.join(brought)} and would add it again: "
                "remove the watch, and follow a narrower query"
            )
        with store.unit() as unit:
            if ids:
                unit.watches.remove_trials(name, ids)
            else:
                unit.watches.remove(name)
    ended = for_terminal(", ".join(ids) or f"watch {name}")
    tell(f"no longer following {ended}; its history stays")
