"""Events: written once for each step and path, read with their place in the history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, Text, func, not_, select, type_coerce

from ctsync.dates import PartialDate
from ctsync.model import Category, Event, Kind, Level, NctId, StoredEvent
from ctsync.store.database.access import BATCH, Reads, Writes, batches
from ctsync.store.database.tables import EVENTS, SNAPSHOTS, WATCHED_TRIALS, WATCHES
from ctsync.store.database.types import dump_json


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; what is None or empty asks for nothing.

    `since` is included and `until` is not. Both go by when an event happened: the load it was
    observed in, else the day it was posted, else when it was fetched. `minimum_level` asks for
    that level or worse; `limit` keeps the newest.
    """

    nct_ids: Sequence[NctId] = ()
    event_ids: Sequence[int] = ()
    since: datetime | None = None
    until: datetime | None = None
    kinds: Sequence[Kind] = ()
    levels: Sequence[Level] = ()
    categories: Sequence[Category] = ()
    watch: str | None = None
    run_id: int | None = None
    minimum_level: Level | None = None
    limit: int | None = None


EVENT_COLUMNS = tuple(one.name for one in fields(Event) if one.name != "covers")
"""The columns of an event, less its place in a history: its fields, in their order."""

_read_event = attrgetter(*EVENT_COLUMNS)


def _number_of(snapshot: FromClause) -> Any:
    """A version's number as a column; NULL where there is no snapshot."""
    until = SNAPSHOTS.alias()
    count = (
        select(func.nullif(func.count(), 0))
        .select_from(until)
        .where(until.c.nct_id == snapshot.c.nct_id, until.c.position <= snapshot.c.position)
    )
    return count.scalar_subquery()


_NEWER = SNAPSHOTS.alias("newer")
_OLDER = SNAPSHOTS.alias("older")
_ELSEWHERE: dict[str, ColumnElement[Any]] = {
    "event_id": EVENTS.c.id,
    "brief_title": func.coalesce(_NEWER.c.brief_title, _OLDER.c.brief_title),
    "from_version": _number_of(_OLDER),
    "to_version": _number_of(_NEWER),
    "from_registry_version": _OLDER.c.registry_version,
    "to_registry_version": _NEWER.c.registry_version,
}
_PLACE = tuple(one.name for one in fields(StoredEvent) if one.name != "event")
_PLACED: Select[Any] = (
    select(
        *(EVENTS.c[name] for name in EVENT_COLUMNS),
        *(_ELSEWHERE[name] if name in _ELSEWHERE else EVENTS.c[name] for name in _PLACE),
    )
    .select_from(EVENTS)
    .join(_NEWER, _NEWER.c.id == EVENTS.c.to_snapshot_id)
    .outerjoin(_OLDER, _OLDER.c.id == EVENTS.c.from_snapshot_id)
)
"""Events with their place in the history of their trial: the fields of both, in their order."""


class EventReads(Reads):
    """What is stored of events."""

    def events(self, wanted: EventFilter | None = None) -> list[StoredEvent]:
        """The events asked for, oldest first."""
        wanted = wanted or EventFilter()
        newest_first = (
            _narrowed(_PLACED, wanted)
            .order_by(EVENTS.c.happened.desc(), EVENTS.c.id.desc())
            .limit(wanted.limit)
        )
        with self._reading() as connection:
            return [_stored(row) for row in connection.execute(newest_first)][::-1]

    def each_event(self, wanted: EventFilter | None = None) -> Iterator[StoredEvent]:
        """The same, but for the limit, a few at a time; one view of the database until the end."""
        oldest_first = _narrowed(_PLACED, wanted or EventFilter()).order_by(
            EVENTS.c.happened, EVENTS.c.id
        )
        with self._reading() as connection:
            for row in connection.execute(oldest_first.execution_options(yield_per=BATCH)):
                yield _stored(row)

    def events_of_run(self, run_id: int) -> list[StoredEvent]:
        """The events that a run stored, oldest first."""
        return self.events(EventFilter(run_id=run_id))

    def count_events(self, wanted: EventFilter | None = None) -> int:
        """How many events are asked for, whatever the limit."""
        statement = _narrowed(select(func.count(EVENTS.c.id)), wanted or EventFilter())
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())


def _narrowed(statement: Select[Any], wanted: EventFilter) -> Select[Any]:
    among: tuple[tuple[Any, Sequence[Any]], ...] = (
        (EVENTS.c.nct_id, wanted.nct_ids),
        (EVENTS.c.id, wanted.event_ids),
        (EVENTS.c.kind, wanted.kinds),
        (EVENTS.c.level, wanted.levels),
        (EVENTS.c.level, _reaching(wanted.minimum_level)),
        (EVENTS.c.category, wanted.categories),
    )
    for column, values in among:
        if values:
            statement = statement.where(column.in_(list(values)))
    if wanted.since is not None:
        statement = statement.where(EVENTS.c.happened >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(EVENTS.c.happened < wanted.until)
    if wanted.run_id is not None:
        statement = statement.where(EVENTS.c.run_id == wanted.run_id)
    if wanted.watch is not None:
        watched = (
            select(WATCHED_TRIALS.c.nct_id)
            .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
            .where(WATCHES.c.name == wanted.watch)
        )
        # what enters or leaves another watch is not told by this one
        after, before = type_coerce(EVENTS.c.after, Text), type_coerce(EVENTS.c.before, Text)
        is_elsewhere = EVENTS.c.kind.in_((Kind.ENTERED, Kind.LEFT)) & (
            func.coalesce(after, before) != dump_json(wanted.watch)
        )
        statement = statement.where(EVENTS.c.nct_id.in_(watched), not_(is_elsewhere))
    return statement


def _reaching(minimum: Level | None) -> list[Level]:
    return [] if minimum is None else [level for level in Level if level.reaches(minimum)]


def _stored(row: Row[Any]) -> StoredEvent:
    # by position: a report of a week makes thousands, and a name takes ten times as long
    kind, category, level, *rest = row[: len(EVENT_COLUMNS)]
    event_id, nct_id, brief_title, *place = row[len(EVENT_COLUMNS) :]
    event = Event(Kind(kind), Category(category), Level(level), *rest)
    return StoredEvent(event_id, NctId(nct_id), brief_title, event, *place)


class EventWrites(Writes):
    """What a unit does to events."""

    def add_events(
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
        """Store the events of one step, and give their ids in the order they came.

        `happened` says when that was, where it is better known than from the other times.
        An event whose path is stored for this step already is left as it is. Raises
        ValueError where two of them share a path, which is their identity.
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
        self._insert_new(EVENTS, [row | {"path_key": key} for key, row in rows.items()])
        ids: dict[bytes, int] = {}
        for batch in batches(list(rows)):
            statement = select(EVENTS.c.path_key, EVENTS.c.id).where(
                EVENTS.c.to_snapshot_id == to_snapshot, EVENTS.c.path_key.in_(batch)
            )
            ids.update((bytes(row.path_key), row.id) for row in self._connection.execute(statement))
        return [ids[key] for key in rows]


def path_key(path: str) -> bytes:
    """What a path is indexed by: paths carry remote text and may be of any length."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()[:16]


def event_columns(event: Event) -> dict[str, Any]:
    """An event as the columns of its row, less its place in a history."""
    columns = dict(zip(EVENT_COLUMNS, _read_event(event), strict=True))
    columns["inputs"] = dict(event.inputs)
    return columns


def happened_at(observed: datetime | None, posted: str | None, fetched: datetime) -> datetime:
    """When what a version shows happened, as far as is known."""
    if observed is not None:
        return observed
    day = PartialDate.parse(posted)
    return fetched if day is None else datetime.combine(day.last, time(), UTC)
