"""Changes page by page, in the order of `changes`. Writes nothing.

A page reads the events of the days that it shows only, so that a page of a database with a million
events takes little longer than a page of a small one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice

from ctsync.errors import UsageError
from ctsync.model import Level, NctId, StoredEvent
from ctsync.questions.changes.changes import change_order, day_of_change, find_changes, on_day
from ctsync.record.rules.relevel import relevel_stored
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store

TRIALS_AT_ONCE = 200
"""Number of trials whose events are read at once on a day with many events."""
EVENTS_AT_ONCE = 1_000
"""Number of events that are read at once. A day with as many is read by trial: the first load of a
mirror has 600,000 events."""
_DAY = timedelta(days=1)

InOrder = Callable[[Iterable[StoredEvent]], Sequence[StoredEvent]]


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """The place of one change in the order of changes."""

    day: date
    nct_id: NctId
    event_id: int


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some changes in order; `last` is the place of the last one, None if none follows."""

    events: tuple[StoredEvent, ...]
    last: ChangePlace | None


def change_page(
    store: Store, wanted: EventFilter, *, after: ChangePlace | None, most: int
) -> ChangePage:
    """Return up to `most` changes after a place, in the order of `find_changes`.

    Ignores the limit of the filter. Raises UsageError if the change at the place no longer exists.
    """
    found = list(islice(_each_after(store, wanted, after), most + 1))
    events = tuple(found[:most])
    if len(found) <= most:
        return ChangePage(events, None)
    last = events[-1]
    return ChangePage(events, ChangePlace(day_of_change(last), last.nct_id, last.event_id))


def count_changes(store: Store, wanted: EventFilter) -> int:
    """Count the changes of all pages."""
    if _own_thresholds(store, wanted) is None:
        return store.events.count(wanted)
    return find_changes(store, replace(wanted, limit=None)).total


def _each_after(
    store: Store, wanted: EventFilter, after: ChangePlace | None
) -> Iterator[StoredEvent]:
    own = _own_thresholds(store, wanted)
    if own is None:
        yield from _stored_after(store, wanted, after, _in_order)
        return

    def seen_by_its_reader(events: Iterable[StoredEvent]) -> list[StoredEvent]:
        return _in_order(relevel_stored(one, own) for one in events)

    minimum = wanted.minimum_level or Level.ADMINISTRATIVE
    of_any_level = replace(wanted, minimum_level=None)
    for stored in _stored_after(store, of_any_level, after, seen_by_its_reader):
        if stored.event.level.reaches(minimum):
            yield stored


def _stored_after(
    store: Store, wanted: EventFilter, after: ChangePlace | None, ordered: InOrder
) -> Iterator[StoredEvent]:
    start = None if after is None else after.day
    while True:
        events = store.events.oldest(_from(start, wanted), most=EVENTS_AT_ONCE)
        by_day = {day: list(of_day) for day, of_day in groupby(events, day_of_change)}
        is_end = len(events) < EVENTS_AT_ONCE
        last = None if is_end else by_day.popitem()[0]  # some of its events may not be read yet
        for day, of_day in by_day.items():
            yield from _rest(ordered(of_day), after, day)
        if last is None:
            return
        start = last
        if not by_day:
            for of_trials in _by_trial(store, _on(last, wanted), last, after):
                yield from _rest(ordered(of_trials), after, last)
            if last == date.max:
                return
            start = last + _DAY


def _by_trial(
    store: Store, of_day: EventFilter, day: date, after: ChangePlace | None
) -> Iterator[Sequence[StoredEvent]]:
    """Yield the events of a day, those of 200 trials at a time, from the trial of a place on."""
    first = after.nct_id if after is not None and after.day == day else None
    while ids := store.events.trials(of_day, first=first, most=TRIALS_AT_ONCE + 1):
        yield store.events.find(replace(of_day, nct_ids=ids[:TRIALS_AT_ONCE]))
        if len(ids) <= TRIALS_AT_ONCE:
            return
        first = ids[TRIALS_AT_ONCE]


def _in_order(events: Iterable[StoredEvent]) -> list[StoredEvent]:
    return sorted(events, key=change_order)


def _rest(
    ordered: Sequence[StoredEvent], after: ChangePlace | None, day: date
) -> Sequence[StoredEvent]:
    """Return the events after a place, if it is a place of that day and among these trials."""
    if after is None or after.day != day or not ordered or ordered[0].nct_id > after.nct_id:
        return ordered
    for number, stored in enumerate(ordered, 1):
        if stored.event_id == after.event_id:
            return ordered[number:]
    raise UsageError("the last change of the page before no longer exists; start again")


def _from(day: date | None, wanted: EventFilter) -> EventFilter:
    since = None if day is None else datetime.combine(day, time(), UTC)
    times = [one for one in (since, wanted.since) if one is not None]
    return replace(wanted, since=max(times, default=None), limit=None)


def _on(day: date, wanted: EventFilter) -> EventFilter:
    return on_day(day, replace(wanted, limit=None))


def _own_thresholds(store: Store, wanted: EventFilter) -> Thresholds | None:
    return store.watches.own_thresholds().get(wanted.watch) if wanted.watch else None
