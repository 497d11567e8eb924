"""Undoes a load with a wrong dataTimestamp, and derives the events that depend on it again.

An event records how long the old value was current. This depends on the times of the versions, so
the events of each trial with several versions are derived again. If interrupted, run the command
again to complete it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ctsync.model import Kind, NctId
from ctsync.record.rules.rules import Thresholds
from ctsync.store.admin.load_redating import ForgottenLoad, RedatedLoad
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import rederive_events, rewrite


@dataclass(frozen=True, slots=True)
class UndoneLoad:
    """The stored rows whose load or time was changed.

    `removed_flags` is the number of events of flags that only the wrong day of the load explained.
    """

    redated: RedatedLoad
    forgotten: ForgottenLoad
    removed_flags: int


def forget_load(
    store: Store, load: datetime, *, now: datetime, thresholds: Thresholds
) -> UndoneLoad | None:
    """Undo a load of the run log; return None if no run saw it. Deletes no version.

    1. Give its versions and events the day on which a run first saw it.
    2. Derive the events of trials with several versions again, in one transaction per trial.
       Events that differ only in level or wording are not changed.
    3. Remove the load from runs, watches, trials and scans.
    4. Derive the flags again that changed in this load: they depend on its day. An event of a flag
       that had not changed on the right day is deleted; all other events stay.
    """
    with store.unit() as unit:
        redated = unit.loads.redate(load, now=now)
    if redated is None:
        return None
    _derive_again(store, redated.trials, thresholds)
    with store.unit() as unit:
        forgotten = unit.loads.forget(load, now=now)
    flags = _flags_of(redated.seen)
    found = store.events.find(flags)
    _derive_again(store, sorted({stored.nct_id for stored in found}), thresholds)
    return UndoneLoad(redated, forgotten, removed_flags=len(found) - store.events.count(flags))


def _derive_again(store: Store, trials: Sequence[NctId], thresholds: Thresholds) -> None:
    for found in rederive_events(store, thresholds, trials):
        if any(not (one.is_level_only or one.is_wording_only) for one in found.differences):
            with store.unit() as unit:
                rewrite(unit, found)


def _flags_of(seen: datetime) -> EventFilter:
    """Return what finds the events of flags in the load that is now dated `seen`."""
    return EventFilter(kinds=(Kind.FLAG,), since=seen, until=seen + timedelta(microseconds=1))
