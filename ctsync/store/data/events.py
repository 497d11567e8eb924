"""Events: stored once per step and path, read with their place in the trial's history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, time
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    func,
    select,
)

from ctsync.dates import PartialDate
from ctsync.errors import UsageError
from ctsync.model import Category, Event, Kind, Level, NctId, StoredEvent
from ctsync.store.data.event_filter import EventFilter, EventPlace, narrowed
from ctsync.store.data.listed_versions import unfetched_between
from ctsync.store.database.access import BATCH, Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import EVENTS, SNAPSHOTS


class EventTexts(NamedTuple):
    """What a reader may search in an event, with the names of its trial in that version."""

    brief_title: str | None
    lead_sponsor: str | None
    label: str
    summary: str
    before: Any
    after: Any


class EventHead(NamedTuple):
    """What places an event in a list. `texts` are read only if asked for.

    `step` is the same number for the events that led to one version of a trial.
    """

    place: EventPlace
    nct_id: NctId
    step: int
    texts: EventTexts | None


EVENT_COLUMNS = tuple(one.name for one in fields(Event) if one.name != "covers")
"""The columns that are fields of Event, in field order. The others place it in a history."""

_read_event = attrgetter(*EVENT_COLUMNS)


def _number_of(snapshot: FromClause) -> Any:
    """Return a version's number as a column, NULL if there is no snapshot."""
    until = SNAPSHOTS.alias()
    count = (
        select(func.nullif(func.count(), 0))
        .select_from(until)
        .where(until.c.nct_id == snapshot.c.nct_id, until.c.position <= snapshot.c.position)
    )
    return count.scalar_subquery()


_HEAD_COLUMNS: tuple[Any, ...] = (
    EVENTS.c.happened,
    EVENTS.c.id,
    EVENTS.c.nct_id,
    EVENTS.c.to_snapshot_id,
)
_HEADS: Select[Any] = select(*_HEAD_COLUMNS)
_PLACE = tuple(one.name for one in fields(StoredEvent) if one.name != "event")


def _with_versions(columns: Iterable[str]) -> Select[Any]:
    """Return a statement for columns of events and of the versions that they lead from and to."""
    newer, older = SNAPSHOTS.alias("newer"), SNAPSHOTS.alias("older")
    elsewhere: dict[str, ColumnElement[Any]] = {
        "event_id": EVENTS.c.id,
        "brief_title": func.coalesce(newer.c.brief_title, older.c.brief_title),
        "lead_sponsor": func.coalesce(newer.c.lead_sponsor, older.c.lead_sponsor),
        "from_version": _number_of(older),
        "to_version": _number_of(newer),
        "from_registry_version": older.c.registry_version,
        "to_registry_version": newer.c.registry_version,
        "unfetched": unfetched_between(older, newer),
    }
    return (
        select(*(elsewhere[name] if name in elsewhere else EVENTS.c[name] for name in columns))
        .select_from(EVENTS)
        .join(newer, newer.c.id == EVENTS.c.to_snapshot_id)
        .outerjoin(older, older.c.id == EVENTS.c.from_snapshot_id)
    )


# built when they are first used: a sync without changes reads no event


@cache
def _placed() -> Select[Any]:
    """Return the statement for the fields of Event, then those of StoredEvent, in their order."""
    return _with_versions((*EVENT_COLUMNS, *_PLACE))


@cache
def _heads_with_texts() -> Select[Any]:
    return _with_versions((*(column.name for column in _HEAD_COLUMNS), *EventTexts._fields))


class EventReads(Reads):
    """Reads events."""

    def find(self, wanted: EventFilter | None = None) -> list[StoredEvent]:
        """Return the events that pass the filter, oldest first."""
        wanted = wanted or EventFilter()
        newest_first = (
            narrowed(_placed(), wanted)
            .order_by(EVENTS.c.happened.desc(), EVENTS.c.id.desc())
            .limit(wanted.limit)
        )
        with self._reading() as connection:
            # all at once: fetched one by one, thousands of rows take a third longer
            return [_stored(row) for row in connection.execute(newest_first).all()][::-1]

    def heads(self, wanted: EventFilter, *, with_texts: bool = False) -> list[EventHead]:
        """Return what places these events in a list, newest first.

        Reads the index and few columns: a list of thousands takes a few milliseconds.
        """
        statement = (
            narrowed(_heads_with_texts() if with_texts else _HEADS, wanted)
            .order_by(EVENTS.c.happened.desc(), EVENTS.c.id.desc())
            .limit(wanted.limit)
        )
        with self._reading() as connection:
            return [
                EventHead(
                    EventPlace(happened, event_id),
                    nct_id,
                    step,
                    EventTexts(*texts) if with_texts else None,
                )
                for happened, event_id, nct_id, step, *texts in connection.execute(statement).all()
            ]

    def place(self, event_id: int) -> EventPlace | None:
        """Return the place of an event in order of time; None if there is no such event."""
        statement = select(EVENTS.c.happened).where(EVENTS.c.id == event_id)
        with self._reading() as connection:
            happened = connection.scalar(statement)
        return None if happened is None else EventPlace(happened, event_id)

    def oldest(self, wanted: EventFilter, *, most: int) -> list[StoredEvent]:
        """Return up to `most` of these events, oldest first; the limit of the filter is ignored."""
        oldest_first = EVENTS.c.happened, EVENTS.c.id
        statement = narrowed(_placed(), wanted).order_by(*oldest_first).limit(most)
        with self._reading() as connection:
            return [_stored(row) for row in connection.execute(statement).all()]

    def newest(self, wanted: EventFilter, *, after: int | None, most: int) -> list[StoredEvent]:
        """Return up to `most` of these events, newest first; the limit of the filter is ignored.

        With `after`, they come after the event with this id. Raises UsageError if there is none.
        """
        if after is None:
            return self.find(replace(wanted, limit=most))[::-1]
        newest_first = EVENTS.c.happened.desc(), EVENTS.c.id.desc()
        statement = narrowed(_placed(), wanted).order_by(*newest_first)
        with self._reading() as connection:
            place = connection.scalar(select(EVENTS.c.happened).where(EVENTS.c.id == after))
            if place is None:
                raise UsageError(f"the change {after} no longer exists; start without a cursor")
            # two statements: with OR, a load of 600,000 events is read up to the place
            same_time = statement.where(EVENTS.c.happened == place, EVENTS.c.id < after)
            found = [_stored(row) for row in connection.execute(same_time.limit(most))]
            if len(found) < most:
                earlier = statement.where(EVENTS.c.happened < place).limit(most - len(found))
                found += [_stored(row) for row in connection.execute(earlier)]
        return found

    def each(self, wanted: EventFilter | None = None) -> Iterator[StoredEvent]:
        """Iterate over the same events in the same order, ignoring `limit`.

        Holds a few rows in memory, and one view of the database until the end.
        """
        oldest_first = narrowed(_placed(), wanted or EventFilter()).order_by(
            EVENTS.c.happened, EVENTS.c.id
        )
        with self._reading() as connection:
            for row in connection.execute(oldest_first.execution_options(yield_per=BATCH)):
                yield _stored(row)

    def each_inputs(self, wanted: EventFilter) -> Iterator[tuple[NctId, Mapping[str, Any]]]:
        """Iterate over the trial and the inputs of each event, in no order, ignoring `limit`.

        Much faster than `each`, because it does not number the versions.
        """
        statement = narrowed(select(EVENTS.c.nct_id, EVENTS.c.inputs), wanted)
        with self._reading() as connection:
            for nct_id, inputs in connection.execute(statement.execution_options(yield_per=BATCH)):
                yield NctId(nct_id), inputs

    def of_run(self, run_id: int) -> list[StoredEvent]:
        """Return the events that a run stored, oldest first."""
        return self.find(EventFilter(run_id=run_id)) if self.runs_with_events([run_id]) else []

    def runs_with_events(self, run_ids: Iterable[int]) -> list[int]:
        """Return those of these runs that stored an event, in the order of their ids.

        Most runs stored none, and this statement is far smaller than that of `find`.
        """
        statement = select(EVENTS.c.run_id).where(EVENTS.c.run_id.in_(run_ids)).distinct()
        with self._reading() as connection:
            return sorted(connection.scalars(statement))

    def newest_id(self) -> int:
        """Return the highest id of an event; 0 if there are none."""
        with self._reading() as connection:
            return connection.scalar(select(func.max(EVENTS.c.id))) or 0

    def trials(self, wanted: EventFilter, *, first: NctId | None, most: int) -> list[NctId]:
        """Return up to `most` trials with such events in order of their ids, from `first` on."""
        statement = narrowed(select(EVENTS.c.nct_id).distinct(), wanted)
        if first is not None:
            statement = statement.where(EVENTS.c.nct_id >= first)
        with self._reading() as connection:
            found = connection.scalars(statement.order_by(EVENTS.c.nct_id).limit(most))
            return [NctId(nct_id) for nct_id in found]

    def count(self, wanted: EventFilter | None = None) -> int:
        """Count the events that pass the filter, ignoring `limit`."""
        statement = narrowed(select(func.count(EVENTS.c.id)), wanted or EventFilter())
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())


def _stored(row: Row[Any]) -> StoredEvent:
    # by position: a week's report reads thousands, and access by name takes ten times as long
    kind, category, level, *rest = row[: len(EVENT_COLUMNS)]
    event_id, nct_id, brief_title, *place = row[len(EVENT_COLUMNS) :]
    event = Event(Kind(kind), Category(category), Level(level), *rest)
    return StoredEvent(event_id, NctId(nct_id), brief_title, event, *place)


class EventWrites(Writes):
    """Writes events."""

    def add(
        self,
        nct_id: NctId,
        *,
        from_snapshot: int | None,
        to_snapshot: int,
        events: Sequence[Event],
        run_id: int | None,
        posted: str | None,
        observed: datetime | None,
        fetched: datetime,
        rules_version: int | None = None,
        happened: datetime | None = None,
    ) -> list[int]:
        """Store the events of one step, and return their ids in the given order.

        `happened` overrides the time derived from the other times. An event whose path is already
        stored for this step is not changed. Raises ValueError if two events have the same path,
        which is their identity.
        """
        step = {
            "nct_id": nct_id,
            "from_snapshot_id": from_snapshot,
            "to_snapshot_id": to_snapshot,
            "rules_version": rules_version,
            "run_id": run_id,
            "posted": posted,
            "observed": observed,
            "fetched": fetched,
            "happened": happened or happened_at(observed, posted, fetched),
        }
        rows = {path_key(event.path): event_columns(event) | step for event in events}
        if len(rows) < len(events):
            raise ValueError(f"{nct_id}: two events of one step have the same path")
        columns = (*EVENT_COLUMNS, *step, "path_key")
        values = [(*row.values(), key) for key, row in rows.items()]
        self.insert(columns, values, unless_there=True)
        ids: dict[bytes, int] = {}
        for batch in batches(list(rows)):
            statement = select(EVENTS.c.path_key, EVENTS.c.id).where(
                EVENTS.c.to_snapshot_id == to_snapshot, EVENTS.c.path_key.in_(batch)
            )
            ids.update((bytes(row.path_key), row.id) for row in self._connection.execute(statement))
        return [ids[key] for key in rows]

    def insert(
        self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]], *, unless_there: bool = False
    ) -> None:
        """Insert rows of `events`. `unless_there` skips rows whose step already has their path."""
        insert_rows(self._connection, EVENTS, columns, rows, unless_there=unless_there)

    def ids_by_path(self, to_snapshot: int) -> dict[str, int]:
        """Return the ids of the events that lead to a version, by path."""
        statement = select(EVENTS.c.path, EVENTS.c.id).where(EVENTS.c.to_snapshot_id == to_snapshot)
        return {row.path: row.id for row in self._connection.execute(statement)}

    def ids_by_path_key(self, snapshot_ids: Iterable[int]) -> dict[int, dict[bytes, int]]:
        """Return the ids of the events that lead to each version, by `path_key`."""
        found: dict[int, dict[bytes, int]] = {}
        for batch in batches(list(snapshot_ids)):
            statement = select(EVENTS.c.to_snapshot_id, EVENTS.c.path_key, EVENTS.c.id).where(
                EVENTS.c.to_snapshot_id.in_(batch)
            )
            for row in self._connection.execute(statement):
                found.setdefault(row.to_snapshot_id, {})[bytes(row.path_key)] = row.id
        return found


def path_key(path: str) -> bytes:
    """Hash a path for the index. Paths contain remote text and can have any length."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()[:16]


def event_columns(event: Event) -> dict[str, Any]:
    """Return the columns of an event's row that are fields of Event, in field order."""
    columns = dict(zip(EVENT_COLUMNS, _read_event(event), strict=True))
    columns["inputs"] = dict(event.inputs)
    return columns


def happened_at(observed: datetime | None, posted: str | None, fetched: datetime) -> datetime:
    """Return when changes happened: the load's time, else the day posted, else the fetch time."""
    if observed is not None:
        return observed
    day = PartialDate.parse(posted)
    return fetched if day is None else datetime.combine(day.last, time(), UTC)
