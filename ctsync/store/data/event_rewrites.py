"""Rewrites the events of a step as they are derived now. Events keep their identity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from ctsync.model import Event, Kind
from ctsync.store.data.events import EventWrites, event_columns, happened_at, path_key
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.database.access import Writes, batches
from ctsync.store.database.tables import DELIVERIES, EVENTS, SNAPSHOTS

_GONE = "its event was removed when the events of its version were derived again"


class EventRewrites(Writes):
    """Changes stored events."""

    def __init__(self, connection: Connection, *, events: EventWrites) -> None:
        super().__init__(connection)
        self._events = events

    def rewrite(
        self,
        *,
        from_snapshot: int | None,
        to_snapshot: int,
        events: Sequence[Event],
        leave: Sequence[Kind] = (),
        rules_version: int,
        happened: datetime | None = None,
        run_id: int | None = None,
    ) -> None:
        """Make the events of one step these. Events of the kinds in `leave` are not touched.

        - A stored event keeps its id, and so its deliveries, if one of `events` has its path, or
          else if one of its kind is left to take its place.
        - The deliveries of an event that is removed move to another event of the trial. Those not
          sent yet are dropped.
        - An event that is added gets `run_id`, or else the run that stored the version.
        - `happened` is when the step was, if no load showed it. An event that a load did show
          keeps its own time.
        """
        snapshot = self._connection.execute(
            select(SNAPSHOTS).where(SNAPSHOTS.c.id == to_snapshot)
        ).one()
        wanted = {path_key(event.path): event for event in events}
        stored = self._connection.execute(
            select(EVENTS.c.id, EVENTS.c.path_key, EVENTS.c.kind, EVENTS.c.observed)
            .where(EVENTS.c.to_snapshot_id == to_snapshot, EVENTS.c.kind.not_in(leave))
            .order_by(EVENTS.c.id)
        ).all()
        step = {"from_snapshot_id": from_snapshot, "rules_version": rules_version}
        place = _place(snapshot) | ({} if run_id is None else {"run_id": run_id})
        moved: dict[str, Any] = {}
        if happened is not None:
            place |= {"observed": None, "happened": happened}
            moved = {"posted": snapshot.posted, "happened": happened}
        unseen = {row.id for row in stored if row.observed is None}
        successors = dict(_successors(stored, wanted))
        for event_id, key in successors.items():
            values = event_columns(wanted.pop(key)) | step | {"path_key": key}
            values |= moved if event_id in unseen else {}
            self._connection.execute(update(EVENTS).where(EVENTS.c.id == event_id).values(values))
        for key, event in wanted.items():
            row = event_columns(event) | step | place | {"path_key": key}
            self._events.insert(tuple(row), [tuple(row.values())])
        self._remove([row.id for row in stored if row.id not in successors], snapshot)

    def move(self, *, of: int, to: int, paths: Iterable[str]) -> None:
        """Let the events of version `of` that have these paths lead to version `to` of its trial.

        They keep their ids, deliveries and times.
        """
        keys = [path_key(path) for path in paths]
        for batch in batches(keys):
            self._connection.execute(
                update(EVENTS)
                .where(EVENTS.c.to_snapshot_id == of, EVENTS.c.path_key.in_(batch))
                .values(to_snapshot_id=to)
            )

    def mark_observed(
        self, event_ids: Sequence[int], *, run_id: int, observed: datetime, fetched: datetime
    ) -> None:
        """Note that a load has shown events that were known only from the registry's history."""
        seen = {"observed": observed, "happened": observed, "fetched": fetched, "run_id": run_id}
        for batch in batches(event_ids):
            self._connection.execute(update(EVENTS).where(EVENTS.c.id.in_(batch)).values(seen))

    def _remove(self, event_ids: Sequence[int], snapshot: Row[Any]) -> None:
        for event_id in event_ids:
            other = self._connection.scalar(
                select(EVENTS.c.id)
                .join(SNAPSHOTS, SNAPSHOTS.c.id == EVENTS.c.to_snapshot_id)
                .where(
                    EVENTS.c.nct_id == snapshot.nct_id,
                    EVENTS.c.id.not_in(event_ids),
                    SNAPSHOTS.c.position <= snapshot.position,
                )
                .order_by(SNAPSHOTS.c.position.desc(), EVENTS.c.id)
                .limit(1)
            )
            of_event = DELIVERIES.c.event_id == event_id
            unsent = DELIVERIES.c.state.not_in((DeliveryState.SENT, DeliveryState.DROPPED))
            self._connection.execute(
                update(DELIVERIES)
                .where(of_event, unsent)
                .values(state=DeliveryState.DROPPED, last_error=_GONE)
            )
            if other is not None:
                self._connection.execute(update(DELIVERIES).where(of_event).values(event_id=other))
            self._connection.execute(delete(EVENTS).where(EVENTS.c.id == event_id))


def _successors(stored: Iterable[Any], wanted: dict[bytes, Event]) -> Iterator[tuple[int, bytes]]:
    """Which stored event becomes which: the one of its path, else the next one of its kind."""
    left = dict(wanted)
    unmatched: list[Any] = []
    for row in stored:
        if left.pop(bytes(row.path_key), None) is not None:
            yield row.id, bytes(row.path_key)
        else:
            unmatched.append(row)
    for row in unmatched:
        key = next((key for key, event in left.items() if event.kind == row.kind), None)
        if key is not None:
            del left[key]
            yield row.id, key


def _place(snapshot: Row[Any]) -> dict[str, Any]:
    return {
        "nct_id": snapshot.nct_id,
        "to_snapshot_id": snapshot.id,
        "run_id": snapshot.run_id,
        "posted": snapshot.posted,
        "observed": snapshot.observed,
        "fetched": snapshot.fetched,
        "happened": happened_at(snapshot.observed, snapshot.posted, snapshot.fetched),
    }
