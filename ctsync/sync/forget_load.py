"""Undoes a load whose dataTimestamp was wrong, and derives again the events that depend on it.

An event tells how long a value stood before. That changes with the time of the version, so the
events of each trial with several versions are derived again. If interrupted, the command is to be
run again, and does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctsync.record.rules.rules import Thresholds
from ctsync.store.admin.load_redating import ForgottenLoad, RedatedLoad
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import rederive_events, rewrite


@dataclass(frozen=True, slots=True)
class UndoneLoad:
    """What counts as of another time now."""

    redated: RedatedLoad
    forgotten: ForgottenLoad


def forget_load(
    store: Store, load: datetime, *, now: datetime, thresholds: Thresholds
) -> UndoneLoad | None:
    """Undo a load of the run log; return None if no run saw it. Deletes no version or event.

    1. Its versions and events get the day on which a run first saw it.
    2. The events of trials with several versions are derived again, one transaction per trial.
       Events that differ only in level or words stay.
    3. Runs, watches, trials and scans forget it.
    """
    with store.unit() as unit:
        redated = unit.loads.redate(load, now=now)
    if redated is None:
        return None
    for found in rederive_events(store, thresholds, redated.trials):
        if any(not (one.is_level_only or one.is_wording_only) for one in found.differences):
            with store.unit() as unit:
                rewrite(unit, found)
    with store.unit() as unit:
        forgotten = unit.loads.forget(load, now=now)
    return UndoneLoad(redated, forgotten)
