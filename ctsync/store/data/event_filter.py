"""Which events to read: the conditions of a filter, as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, func, not_, or_, type_coerce

from ctsync.model import Category, Kind, Level, NctId
from ctsync.store.data.watched_trials import trials_of_watch
from ctsync.store.database.tables import EVENTS
from ctsync.store.database.types import dump_json


class EventPlace(NamedTuple):
    """The place of an event among all events in order of time; the id orders those of one time."""

    happened: datetime
    event_id: int


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events to read. A field that is None or empty does not filter.

    `since` is inclusive, `until` is exclusive. Both refer to the time when an event happened: the
    load it was observed in, else the day it was posted, else the time it was fetched.
    `minimum_level` means that level or worse. `newest_id` leaves out events with a higher id, which
    were stored later. `before` leaves out the event at that place and all later ones. `limit` keeps
    the newest events.
    """

    nct_ids: Sequence[NctId] = ()
    event_ids: Sequence[int] = ()
    since: datetime | None = None
    until: datetime | None = None
    kinds: Sequence[Kind] = ()
    without_kinds: Sequence[Kind] = ()
    levels: Sequence[Level] = ()
    categories: Sequence[Category] = ()
    watch: str | None = None
    run_id: int | None = None
    minimum_level: Level | None = None
    newest_id: int | None = None
    before: EventPlace | None = None
    limit: int | None = None


def narrowed(statement: Select[Any], wanted: EventFilter) -> Select[Any]:
    """Return a statement for events with the conditions of a filter; its limit is ignored."""
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
    if wanted.without_kinds:
        statement = statement.where(EVENTS.c.kind.not_in(list(wanted.without_kinds)))
    if wanted.since is not None:
        statement = statement.where(EVENTS.c.happened >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(EVENTS.c.happened < wanted.until)
    if wanted.run_id is not None:
        statement = statement.where(EVENTS.c.run_id == wanted.run_id)
    if wanted.newest_id is not None:
        statement = statement.where(EVENTS.c.id <= wanted.newest_id)
    if wanted.before is not None:
        happened, event_id = wanted.before
        # the first condition alone lets the index find the place
        statement = statement.where(
            EVENTS.c.happened <= happened,
            or_(EVENTS.c.happened < happened, EVENTS.c.id < event_id),
        )
    if wanted.watch is not None:
        # `entered` and `left` events name their watch: leave out the events of other watches
        after, before = type_coerce(EVENTS.c.after, Text), type_coerce(EVENTS.c.before, Text)
        is_elsewhere = EVENTS.c.kind.in_((Kind.ENTERED, Kind.LEFT)) & (
            func.coalesce(after, before) != dump_json(wanted.watch)
        )
        is_watched = EVENTS.c.nct_id.in_(trials_of_watch(wanted.watch))
        statement = statement.where(is_watched, not_(is_elsewhere))
    return statement


def _reaching(minimum: Level | None) -> list[Level]:
    return [] if minimum is None else [level for level in Level if level.reaches(minimum)]
