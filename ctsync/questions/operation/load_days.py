"""The days on which the registry loaded data that a sync saw. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from ctsync.store.data.runs import SYNC, Run
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class LoadDay:
    """A day with new registry data, and what the syncs of that data found.

    `run` is the newest sync of the data. `changed` and `new` count the trials with a new version,
    and the trials seen for the first time, in all syncs of the data.
    """

    day: date
    load: datetime
    run: Run
    changed: int
    new: int


def load_days(store: Store, *, most: int | None = None) -> tuple[LoadDay, ...]:
    """List the days, newest first, at most the newest `most`."""
    runs = [run for run in store.runs.latest(kind=SYNC) if _load(run) is not None]
    runs.sort(key=lambda run: (_load(run), run.id), reverse=True)
    days = [_day(day, list(found)) for day, found in groupby(runs, key=_day_of)]
    return tuple(days[:most])


def _load(run: Run) -> datetime | None:
    return run.load_after or run.load_before


def _day_of(run: Run) -> date:
    return (_load(run) or run.started).date()


def _day(day: date, runs: Sequence[Run]) -> LoadDay:
    newest = runs[0]
    return LoadDay(
        day=day,
        load=_load(newest) or newest.started,
        run=newest,
        changed=sum(run.changed for run in runs),
        new=sum(run.new for run in runs),
    )
