"""Lists every time column, and finds stored times in the future. Changes nothing.

A wrong clock writes such times: ours, or the registry's with its dataTimestamp. A time in the
future must not block anything until it comes. `STORED_TIMES` states for each column what such a
time means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, exists, func, or_, select, text

from ctsync.dates import CLOCK_TOLERANCE, LOAD_TOLERANCE
from ctsync.model import Verdict
from ctsync.store.data.failures import LONGEST_RETRY
from ctsync.store.data.outbox import LONGEST_CADENCE, LONGEST_LEASE, DeliveryState
from ctsync.store.data.runs import SYNC
from ctsync.store.database.access import Reads
from ctsync.store.database.tables import (
    CURSORS,
    DELIVERIES,
    DICTIONARIES,
    EVENTS,
    FAILURES,
    RUNS,
    SNAPSHOTS,
    TRIALS,
    UNDONE,
    WATCHED_TRIALS,
    WATCHES,
)


class TimeKind(StrEnum):
    """The source of a stored time, and the meaning of a time in the future.

    LOAD: the registry. A time more than a day ahead is refused. If such a time is stored, it blocks
    every sync until `ctsync db forget-load` undoes it.
    PAST: our clock, when something happened. A time in the future is ignored.
    DUE: our clock plus a wait. A time further ahead than the longest wait counts as due.
    """

    LOAD = "load"
    PAST = "past"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class StoredTime:
    """One time column.

    `words` describes it in messages. `longest` is the longest wait of a DUE time.
    """

    table: Table[Any]
    name: str
    kind: TimeKind
    words: str
    longest: timedelta = timedelta()

    @property
    def column(self) -> Any:
        """The column."""
        return self.table.c[self.name]

    def ahead(self, now: datetime) -> ColumnElement[bool]:
        """Return the condition that the time is in the future."""
        is_load = self.kind is TimeKind.LOAD
        tolerance = LOAD_TOLERANCE if is_load else CLOCK_TOLERANCE
        later: ColumnElement[bool] = self.column > now + tolerance + self.longest
        return later


_LOAD, _PAST, _DUE = TimeKind.LOAD, TimeKind.PAST, TimeKind.DUE
STORED_TIMES = (
    StoredTime(RUNS, "started", _PAST, "start of a run"),
    StoredTime(RUNS, "finished", _PAST, "end of a run"),
    StoredTime(RUNS, "load_before", _LOAD, "registry data at the start of a run"),
    StoredTime(RUNS, "load_after", _LOAD, "registry data at the end of a run"),
    StoredTime(TRIALS, "absent_since", _LOAD, "registry data without a trial"),
    StoredTime(TRIALS, "last_seen_load", _LOAD, "registry data with a trial"),
    StoredTime(TRIALS, "history_asked", _PAST, "request for a history"),
    StoredTime(TRIALS, "history_retry", _DUE, "next request for a history", LONGEST_RETRY),
    StoredTime(DICTIONARIES, "created", _PAST, "creation of a dictionary"),
    StoredTime(SNAPSHOTS, "observed", _LOAD, "registry data of a version"),
    StoredTime(SNAPSHOTS, "fetched", _PAST, "request for a version"),
    StoredTime(EVENTS, "observed", _LOAD, "registry data of a change"),
    StoredTime(EVENTS, "happened", _LOAD, "day of a change"),
    StoredTime(EVENTS, "fetched", _PAST, "request for a change"),
    StoredTime(WATCHES, "created", _PAST, "creation of a watch"),
    StoredTime(WATCHES, "listed", _LOAD, "registry data of a query"),
    StoredTime(WATCHED_TRIALS, "since", _PAST, "start of following a trial"),
    StoredTime(WATCHED_TRIALS, "left_at", _LOAD, "registry data in which a trial left"),
    StoredTime(FAILURES, "first_at", _PAST, "first failure of a trial"),
    StoredTime(FAILURES, "last_at", _PAST, "last failure of a trial"),
    StoredTime(FAILURES, "next_try", _DUE, "next request for a trial in quarantine", LONGEST_RETRY),
    StoredTime(CURSORS, "load", _LOAD, "registry data of a scan"),
    StoredTime(CURSORS, "done_load", _LOAD, "registry data of a complete scan"),
    StoredTime(DELIVERIES, "created", _PAST, "creation of a delivery"),
    StoredTime(DELIVERIES, "not_before", _DUE, "due time of a delivery", LONGEST_CADENCE),
    StoredTime(DELIVERIES, "lease_until", _DUE, "lease of a delivery", LONGEST_LEASE),
    StoredTime(DELIVERIES, "sent_at", _PAST, "sending of a delivery"),
)
"""Every time column. A new one is added here, and its readers must respect its kind."""


@dataclass(frozen=True, slots=True)
class FutureTime:
    """The times in the future of one column: their number, and the furthest of them."""

    kind: TimeKind
    words: str
    furthest: datetime
    count: int


class StoredTimeReads(Reads):
    """Finds stored times in the future."""

    def ahead(self, now: datetime) -> list[FutureTime]:
        """Return the times in the future of every column. Reads every table."""
        return list(self._found(now, {}))

    def in_force(self, now: datetime) -> list[FutureTime]:
        """Return the times in the future that still have an effect.

        These are the times of syncs since the last successful one, of waiting retries and
        deliveries, and the loads of runs.
        """
        return list(self._found(now, self._conditions(now)))

    def loads_ahead(self, now: datetime) -> list[datetime]:
        """Return the loads of runs that are more than a day ahead of our clock, oldest first."""
        loads = (RUNS.c.load_before, RUNS.c.load_after)
        with self._reading() as connection:
            return sorted(
                {
                    load
                    for column in loads
                    for load in connection.scalars(
                        select(column).where(column > now + LOAD_TOLERANCE).distinct()
                    )
                    if load is not None
                }
            )

    def _found(
        self, now: datetime, conditions: Mapping[tuple[str, str], ColumnElement[bool]]
    ) -> Iterator[FutureTime]:
        with self._reading() as connection:
            for one in STORED_TIMES:
                place = (one.table.name, one.name)
                if conditions and place not in conditions:
                    continue
                statement = select(func.count(), func.max(one.column)).where(one.ahead(now))
                if conditions:
                    statement = statement.where(conditions[place])
                count, furthest = connection.execute(statement).one()
                if count:
                    yield FutureTime(one.kind, one.words, furthest, count)

    def _conditions(self, now: datetime) -> dict[tuple[str, str], ColumnElement[bool]]:
        """Return the condition of the rows that still have an effect, by table and column."""
        newer = RUNS.alias("newer")
        right = and_(
            newer.c.kind == SYNC,
            newer.c.verdict == Verdict.OK,
            newer.c.started <= now + CLOCK_TOLERANCE,
            newer.c.finished <= now + CLOCK_TOLERANCE,
        )
        newest = select(func.coalesce(func.max(newer.c.id), 0)).where(right).scalar_subquery()
        run = and_(RUNS.c.kind == SYNC, RUNS.c.id > newest)
        # IN: a mirror has many more trials than it follows
        followed = TRIALS.c.nct_id.in_(select(WATCHED_TRIALS.c.nct_id))
        history = and_(followed, TRIALS.c.history_retry.is_not(None))
        # EXISTS: with IN, SQLite would list all followed trials, once per column
        failure = exists().where(WATCHED_TRIALS.c.nct_id == FAILURES.c.nct_id)
        waiting = (DeliveryState.PENDING, DeliveryState.CLAIMED)
        delivery = and_(text(UNDONE), DELIVERIES.c.state.in_(waiting))
        any_run = or_(RUNS.c.load_before.is_not(None), RUNS.c.load_after.is_not(None))
        return {
            ("runs", "started"): run,
            ("runs", "finished"): run,
            ("runs", "load_before"): any_run,
            ("runs", "load_after"): any_run,
            ("trials", "history_asked"): history,
            ("trials", "history_retry"): history,
            ("failures", "last_at"): failure,
            ("failures", "first_at"): failure,
            ("failures", "next_try"): failure,
            ("deliveries", "created"): delivery,
            ("deliveries", "not_before"): delivery,
            ("deliveries", "lease_until"): delivery,
        }
