"""Undoes a load whose dataTimestamp was wrong. Deletes no version, event or delivery.

Such a load is dated in the future, so every later load looks older and is refused. The stored rows
are real; only their time is wrong:

- Its runs get the previous load, or none. Their error text notes the forgotten time.
- Its versions and events get the day of the run that first saw the load.
- Trials, watches and scans that it updated get the previous load.
- An absence that it reported is kept only for trials without versions.
- A scan of this load starts over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, or_, select, update

from ctsync.dates import LOAD_TOLERANCE, format_minute
from ctsync.model import NctId
from ctsync.store.data.cursors import CursorWrites
from ctsync.store.database.access import Writes
from ctsync.store.database.tables import (
    CURSORS,
    EVENTS,
    RUNS,
    SNAPSHOTS,
    TRIALS,
    WATCHED_TRIALS,
    WATCHES,
)

_RUN_LOADS = (RUNS.c.load_before, RUNS.c.load_after)


@dataclass(frozen=True, slots=True)
class RedatedLoad:
    """The number of versions and events of a load that are now dated `seen`.

    `trials` have several versions: their events state how long a value was current.
    """

    seen: datetime
    versions: int
    events: int
    trials: tuple[NctId, ...]


@dataclass(frozen=True, slots=True)
class ForgottenLoad:
    """The number of runs that now have the load `before`, or no load if it is None."""

    before: datetime | None
    runs: int


class LoadWrites(Writes):
    """Corrects the rows of a wrong load: first its versions and events, then the rest."""

    def __init__(self, connection: Connection, *, cursors: CursorWrites) -> None:
        super().__init__(connection)
        self._cursors = cursors

    def redate(self, load: datetime, *, now: datetime) -> RedatedLoad | None:
        """Redate the versions and events of a load. Return None if no run saw it.

        A repeated call, after an interruption, returns the same trials.
        """
        runs = self._runs(load)
        if not runs:
            return None
        seen = _seen(runs[0], self._load_before(runs[0], load, now), now)
        self._redate(EVENTS, "happened", load, seen)
        events = self._redate(EVENTS, "observed", load, seen)
        versions = self._redate(SNAPSHOTS, "observed", load, seen)
        other = SNAPSHOTS.alias("other")
        trials = (
            select(SNAPSHOTS.c.nct_id)
            .join(other, and_(other.c.nct_id == SNAPSHOTS.c.nct_id, other.c.id != SNAPSHOTS.c.id))
            .where(SNAPSHOTS.c.observed == seen)
            .distinct()
            .order_by(SNAPSHOTS.c.nct_id)
        )
        found = self._connection.scalars(trials).all()
        return RedatedLoad(seen, versions, events, tuple(map(NctId, found)))

    def forget(self, load: datetime, *, now: datetime) -> ForgottenLoad:
        """Undo the other effects of a load, after `redate`."""
        runs = self._runs(load)
        before = self._load_before(runs[0], load, now)
        seen = _seen(runs[0], before, now)
        self._forget_in_runs(runs, load, before, seen)
        self._forget_absences(load, seen)
        for name in self._connection.scalars(select(CURSORS.c.name).where(CURSORS.c.load == load)):
            self._cursors.end(name, load=None)
        known = before or seen
        self._redate(CURSORS, "done_load", load, known)
        self._redate(TRIALS, "last_seen_load", load, known)
        self._redate(WATCHES, "listed", load, known)
        self._redate(WATCHED_TRIALS, "left_at", load, seen)
        self._redate(WATCHED_TRIALS, "since", load, seen)
        return ForgottenLoad(before, len(runs))

    def _runs(self, load: datetime) -> Sequence[Row[Any]]:
        """Return the runs that saw a load, oldest first."""
        saw = or_(*(one == load for one in _RUN_LOADS))
        return self._connection.execute(select(RUNS).where(saw).order_by(RUNS.c.id)).all()

    def _load_before(self, first: Row[Any], load: datetime, now: datetime) -> datetime | None:
        """Return the newest other load, not in the future, that `first` or an earlier run saw."""
        newest = [
            self._connection.scalar(
                select(func.max(column)).where(
                    RUNS.c.id <= first.id, column != load, column <= now + LOAD_TOLERANCE
                )
            )
            for column in _RUN_LOADS
        ]
        return max((one for one in newest if one is not None), default=None)

    def _forget_in_runs(
        self, runs: Sequence[Row[Any]], load: datetime, before: datetime | None, seen: datetime
    ) -> None:
        note = f"its registry data of {format_minute(load)} was forgotten"
        for run in runs:
            values: dict[str, Any] = {"error": f"{run.error}; {note}" if run.error else note}
            values |= {
                column.name: before for column in _RUN_LOADS if run._mapping[column.name] == load
            }
            if run.notices:
                values["notices"] = [_dated(one, load, seen) for one in run.notices]
            self._connection.execute(update(RUNS).where(RUNS.c.id == run.id).values(values))

    def _forget_absences(self, load: datetime, seen: datetime) -> None:
        """Clear the absences that a load reported, except for trials without versions.

        After an absence, the first version of a trial is a registration. An absence of any other
        trial must be confirmed by a second load, and a wrong load confirms nothing.
        """
        absent = TRIALS.c.absent_since == load
        stored = TRIALS.c.head_snapshot_id.is_not(None)
        gone = update(TRIALS).where(and_(absent, stored)).values(absent_since=None)
        self._connection.execute(gone)
        self._redate(TRIALS, "absent_since", load, seen)

    def _redate(self, table: Table[Any], name: str, load: datetime, by: datetime) -> int:
        column = table.c[name]
        return self._connection.execute(
            update(table).where(column == load).values({name: by})
        ).rowcount


def _seen(first: Row[Any], before: datetime | None, now: datetime) -> datetime:
    """Return the new time of a wrong load's rows.

    It is the day of the load's first run, and later than the load before.
    """
    day = datetime.combine(min(first.started, now).date(), time(), UTC)
    return day if before is None else max(day, before + timedelta(seconds=1))


def _dated(notice: Mapping[str, Any], load: datetime, seen: datetime) -> dict[str, Any]:
    """Return a notice with the new day of the changes in its command."""
    command = str(notice["command"]).replace(f"{load:%Y-%m-%d}", f"{seen:%Y-%m-%d}")
    return {**notice, "command": command}
