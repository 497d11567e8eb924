"""Replaces the events of a step with newly derived ones. Matching events keep their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from ctsync.model import Event, Kind, NctId
from ctsync.store.data.events import EventWrites, event_columns, happened_at, path_key
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.database.access import Writes, batches
from ctsync.store.database.tables import DELIVERIES, EVENTS, SNAPSHOTS

_GONE = "its event was removed when the events of its version were derived again"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFlagEvent:
    """The event of a flag, with its version and the load that shows it."""

    event: Event
    snapshot_id: int
    run_id: int | None
    posted: str | None
    observed: datetime
    fetched: datetime


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
        """Replace the events of one step with `events`. Does not touch the kinds in `leave`.

        - A stored event keeps its id, and so its deliveries, if one of `events` has its path, or
          if an unmatched one has its kind.
        - Unsent deliveries of a removed event are dropped. All its deliveries move to another
          event of the trial.
        - An added event gets `run_id`, or by default the run that stored the version.
        - `happened` is the time of the step if no load contained it. A stored event that a load
          contained keeps its own time.
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

    def rewrite_flags(
        self,
        nct_id: NctId,
        events: Sequence[NewFlagEvent],
        *,
        stored: Sequence[int],
        rules_version: int,
    ) -> None:
        """Replace the `stored` flag events of a trial with `events`.

        An event with the same version and path keeps its id, deliveries and times. Deliveries of a
        removed event are treated as in `rewrite`.
        """
        columns = (EVENTS.c.id, EVENTS.c.to_snapshot_id, EVENTS.c.path_key)
        ids = {
            (row.to_snapshot_id, bytes(row.path_key)): row.id
            for batch in batches(stored)
            for row in self._connection.execute(select(*columns).where(EVENTS.c.id.in_(batch)))
        }
        for new in events:
            event_id = ids.pop((new.snapshot_id, path_key(new.event.path)), None)
            if event_id is not None:
                values = event_columns(new.event) | {"rules_version": rules_version}
                of_event = EVENTS.c.id == event_id
                self._connection.execute(update(EVENTS).where(of_event).values(values))
                continue
            self._events.add(
                nct_id,
                from_snapshot=new.snapshot_id,
                to_snapshot=new.snapshot_id,
                events=[new.event],
                run_id=new.run_id,
                posted=new.posted,
                observed=new.observed,
                fetched=new.fetched,
                rules_version=rules_version,
            )
        for (snapshot_id, _), event_id in ids.items():
            version = select(SNAPSHOTS).where(SNAPSHOTS.c.id == snapshot_id)
            self._remove([event_id], self._connection.execute(version).one())

    def move(self, *, of: int, to: int, paths: Iterable[str]) -> None:
        """Move the events of version `of` with these paths to version `to` of the same trial.

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
        """Record that a load contained events that were known only from the registry's history."""
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
    """Match stored events with new ones, by path, else by kind. Yields ids and new path keys."""
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
