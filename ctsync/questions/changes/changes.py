"""What changed: stored events by day, each trial's worst change first. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from ctsync.model import Level, NctId, StoredEvent
from ctsync.record.rules.relevel import relevel_stored
from ctsync.report.event_order import line_order
from ctsync.report.rows.event_row import EventRow
from ctsync.store.data.event_filter import EventFilter, EventPlace
from ctsync.store.data.events import EventHead, EventTexts
from ctsync.store.store import Store

EVENTS_AT_ONCE = 1_000
"""Number of events that are read at once for a watch with its own thresholds."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The events that a filter selects: oldest day first, then by trial, then worst first.

    `total` counts them without the filter's limit, which keeps the newest. If the limit cuts the
    changes of one trial on one day, the worst of them stay.
    """

    events: tuple[StoredEvent, ...]
    total: int


def find_changes(store: Store, wanted: EventFilter) -> Changes:
    """Select events.

    Each has the level that its reader sees: the stored level, or, if `wanted` names a watch with
    its own thresholds, the level that these give.
    """
    reported = _with_own_levels(store, wanted)
    if reported is None:
        found = store.events.find(wanted)
        if wanted.limit is None:
            return Changes(tuple(sorted(found, key=change_order)), len(found))
        of_cut = store.events.find(_same_group(found[0], wanted)) if found else []
        return Changes(_newest(found, of_cut), store.events.count(wanted))
    newest = reported[-wanted.limit :] if wanted.limit else reported
    of_cut = [one for one in reported if newest and _group(one) == _group(newest[0])]
    return Changes(_newest(newest, of_cut), len(reported))


def newest_changes(
    store: Store, wanted: EventFilter, *, after: int | None, limit: int
) -> list[StoredEvent]:
    """Select a page of the events, newest first: at most `limit` after the one with the id `after`.

    Each has the level that its reader sees, as in `find_changes`. The limit of the filter is
    ignored, and nothing is counted, which takes long in a large database. Raises UsageError if the
    event of that id no longer exists.
    """
    own = store.watches.own_thresholds().get(wanted.watch) if wanted.watch else None
    if own is None:
        return store.events.newest(wanted, after=after, most=limit)
    minimum = wanted.minimum_level or Level.ADMINISTRATIVE
    of_any_level, found = replace(wanted, minimum_level=None), list[StoredEvent]()
    while len(found) < limit:
        events = store.events.newest(of_any_level, after=after, most=EVENTS_AT_ONCE)
        relevelled = (relevel_stored(one, own) for one in events)
        found += [one for one in relevelled if one.event.level.reaches(minimum)]
        if len(events) < EVENTS_AT_ONCE:
            break
        after = events[-1].event_id
    return found[:limit]


def newest_heads(store: Store, wanted: EventFilter, *, with_texts: bool = False) -> list[EventHead]:
    """Return what places the events in a list, newest first, at most the limit of the filter.

    Selects the same events as `find_changes`, which reads all of each event.
    """
    reported = _with_own_levels(store, wanted)
    if reported is None:
        return store.events.heads(wanted, with_texts=with_texts)
    heads = sorted((_head(one) for one in reported), key=lambda one: one.place, reverse=True)
    return heads[: wanted.limit]


def _head(stored: StoredEvent) -> EventHead:
    event, happened = stored.event, stored.happened or stored.observed or stored.fetched
    return EventHead(
        EventPlace(happened, stored.event_id),
        stored.nct_id,
        stored.to_version,
        EventTexts(
            stored.brief_title,
            stored.lead_sponsor,
            event.label,
            event.summary,
            event.before,
            event.after,
        ),
    )


def _with_own_levels(store: Store, wanted: EventFilter) -> list[StoredEvent] | None:
    """Return all wanted events at the levels of the watch's own thresholds; None if it has none."""
    own = store.watches.own_thresholds().get(wanted.watch) if wanted.watch else None
    if own is None:
        return None
    minimum = wanted.minimum_level or Level.ADMINISTRATIVE
    of_any_level = replace(wanted, minimum_level=None)
    relevelled = (relevel_stored(one, own) for one in store.events.each(of_any_level))
    return [stored for stored in relevelled if stored.event.level.reaches(minimum)]


def day_of_change(stored: StoredEvent) -> date:
    """The day on which a change happened, in UTC."""
    return (stored.happened or stored.observed or stored.fetched).date()


def _group(stored: StoredEvent) -> tuple[date, NctId]:
    return day_of_change(stored), stored.nct_id


def change_order(stored: StoredEvent) -> tuple[date, NctId, tuple[int, int, str, int]]:
    """Sort key of changes: by day, then by trial, then the worst first."""
    return *_group(stored), line_order(stored)


def _newest(found: Sequence[StoredEvent], of_cut: Sequence[StoredEvent]) -> tuple[StoredEvent, ...]:
    """Return the events in order; if a limit cuts a trial's day, keep the worst events of it.

    `found` are the newest events by time; the oldest of them may lack other events of its trial
    and day. `of_cut` are all events of that trial and day.
    """
    if not found:
        return ()
    cut = _group(found[0])
    others = [one for one in found if _group(one) != cut]
    worst = sorted(of_cut, key=change_order)[: len(found) - len(others)]
    return tuple(sorted([*worst, *others], key=change_order))


def _same_group(stored: StoredEvent, wanted: EventFilter) -> EventFilter:
    """The filter for all wanted events of the trial and day of one of them."""
    of_trial = replace(wanted, nct_ids=(stored.nct_id,), limit=None)
    return on_day(day_of_change(stored), of_trial)


def on_day(day: date, wanted: EventFilter) -> EventFilter:
    """The filter for the wanted events of one day."""
    since = datetime.combine(day, time(), UTC)
    # the last day of the calendar has no next one
    until = datetime.max.replace(tzinfo=UTC) if day == date.max else since + timedelta(days=1)
    return replace(
        wanted, since=max(since, wanted.since or since), until=min(until, wanted.until or until)
    )


SCHEMAS = {"change": EventRow}
