"""The changes of a window as lines in words, with the trial of each. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

from ctsync.model import Kind, NctId, StoredEvent
from ctsync.questions.changes.changes import day_of_change, find_changes, newest_heads, on_day
from ctsync.questions.trial.record_facts import KeepHeading, read_headings
from ctsync.report.report import ReportLine
from ctsync.report.version_steps import steps_of
from ctsync.report.words.trial_heading import TrialHeading, heading_of_key
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.events import EventHead
from ctsync.store.store import Store

NO_CHANGES = (Kind.FIRST_SEEN,)
"""Kinds of events that are no changes: a baseline."""


@dataclass(frozen=True, slots=True)
class ListedChange:
    """One line of the list: a change, its day, its trial, and the watches that follow the trial."""

    day: date
    nct_id: NctId
    heading: TrialHeading
    line: ReportLine
    watches: tuple[str, ...]


def list_changes(store: Store, wanted: EventFilter) -> tuple[ListedChange, ...]:
    """List the changes, newest day first, then by trial, each trial's worst first.

    A baseline is not a change.
    """
    found = find_changes(store, replace(wanted, without_kinds=NO_CHANGES)).events
    return _in_words(store, _newest_day_first(found), lambda _, make: make())


def place_changes(
    store: Store, wanted: EventFilter, *, with_texts: bool = False
) -> list[EventHead]:
    """Return what places the changes of the list, by day and trial in its order. Reads no record.

    The limit of the filter never cuts the changes of a trial on a day: all of the last one follow.
    """
    wanted = replace(wanted, without_kinds=NO_CHANGES)
    heads = newest_heads(store, wanted, with_texts=with_texts)
    if wanted.limit and len(heads) >= wanted.limit:
        day, nct_id = _group(heads[-1])
        others = [one for one in heads if _group(one) != (day, nct_id)]
        whole = on_day(day, replace(wanted, nct_ids=(nct_id,), limit=None))
        heads = others + newest_heads(store, whole, with_texts=with_texts)
    heads.sort(key=lambda one: one.nct_id)
    return sorted(heads, key=lambda one: one.place.happened.date(), reverse=True)


def placed_changes(
    store: Store,
    heads: Sequence[EventHead],
    *,
    watch: str | None = None,
    keep: KeepHeading = lambda _, make: make(),
) -> tuple[ListedChange, ...]:
    """Return the lines of some changes of the list, at the levels that readers of a watch see.

    All changes of a trial on a day must be there. `keep` is that of `read_headings`.
    """
    if not heads:
        return ()
    ids = [one.place.event_id for one in heads]
    of_watch = watch if watch in store.watches.own_thresholds() else None
    found = find_changes(store, EventFilter(event_ids=ids, watch=of_watch)).events
    return _in_words(store, _newest_day_first(found), keep)


def _newest_day_first(events: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
    return sorted(events, key=day_of_change, reverse=True)


def _group(head: EventHead) -> tuple[date, NctId]:
    return head.place.happened.date(), head.nct_id


def _in_words(
    store: Store, events: Sequence[StoredEvent], keep: KeepHeading
) -> tuple[ListedChange, ...]:
    ids = sorted({stored.nct_id for stored in events})
    headings = read_headings(store, ids, keep=keep)
    watches = store.watches.names_by_trial(ids)
    return tuple(
        ListedChange(
            day,
            nct_id,
            headings.get(nct_id) or heading_of_key(None, brief_title=line.stored.brief_title),
            line,
            watches.get(nct_id, ()),
        )
        for day, nct_id, line in _lines(events)
    )


def _lines(events: Sequence[StoredEvent]) -> Iterator[tuple[date, NctId, ReportLine]]:
    """Yield the lines of each trial and day; the events are in this order."""
    for (day, nct_id), found in groupby(events, key=lambda e: (day_of_change(e), e.nct_id)):
        steps = steps_of(list(found), administrative=True, rates=None)
        lines = [line for step in steps for line in step.lines]
        lines.sort(key=lambda line: line.stored.event.level.rank)
        yield from ((day, nct_id, line) for line in lines)
