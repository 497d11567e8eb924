"""The changes of a window as lines in words, with the trial of each. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from ctsync.model import Kind, NctId, StoredEvent
from ctsync.questions.changes.changes import day_of_change, find_changes
from ctsync.questions.trial.record_facts import read_facts
from ctsync.report.report import ReportLine
from ctsync.report.version_steps import steps_of
from ctsync.report.words.trial_heading import TrialHeading, heading_of_key
from ctsync.store.data.events import EventFilter
from ctsync.store.store import Store


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
    return changes_in_words(store, newest_changes(store, wanted))


def newest_changes(store: Store, wanted: EventFilter) -> list[StoredEvent]:
    """Return the changes of the list, in its order. Reads no record."""
    events = [
        stored
        for stored in find_changes(store, wanted).events
        if stored.event.kind is not Kind.FIRST_SEEN
    ]
    return sorted(events, key=day_of_change, reverse=True)


def changes_in_words(store: Store, events: Sequence[StoredEvent]) -> tuple[ListedChange, ...]:
    """Return the lines of changes that are in the order of the list.

    Reads the record of each trial for its heading. All changes of a trial on a day must be there.
    """
    ids = sorted({stored.nct_id for stored in events})
    headings = read_facts(store, ids, today=None).headings
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
