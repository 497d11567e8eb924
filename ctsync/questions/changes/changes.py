"""What changed: stored events, oldest first. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctsync.model import Level, StoredEvent
from ctsync.record.rules.relevel import relevel_stored
from ctsync.report.rows.event_row import EventRow
from ctsync.store.data.events import EventFilter
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class Changes:
    """The events that a filter selects, oldest first.

    `total` counts them without the filter's limit, which keeps the newest.
    """

    events: tuple[StoredEvent, ...]
    total: int


def find_changes(store: Store, wanted: EventFilter) -> Changes:
    """Select events.

    Each has the level that its reader sees: the stored level, or, if `wanted` names a watch with
    thresholds of its own, the level these give.
    """
    own = store.watches.own_thresholds().get(wanted.watch) if wanted.watch else None
    if own is None:
        events = tuple(store.events.find(wanted))
        return Changes(events, store.events.count(wanted) if wanted.limit else len(events))
    minimum = wanted.minimum_level or Level.ADMINISTRATIVE
    of_any_level = replace(wanted, minimum_level=None)
    reported = tuple(
        stored
        for stored in (relevel_stored(one, own) for one in store.events.each(of_any_level))
        if stored.event.level.reaches(minimum)
    )
    return Changes(reported[-wanted.limit :] if wanted.limit else reported, len(reported))


SCHEMAS = {"change": EventRow}
