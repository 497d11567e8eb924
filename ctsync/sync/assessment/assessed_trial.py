"""An assessed trial: the decision on its answer, and the version to store. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctsync.model import (
    Event,
    Head,
    KeyFields,
    NctId,
    Prepared,
    Record,
    State,
    StoredEvent,
)
from ctsync.record.compare.canonical import key_fields
from ctsync.sync.decide import Decision


@dataclass(frozen=True, slots=True)
class PendingVersion:
    """A version to store after `head`, with the events that lead to it.

    `record` is None if the trial is gone or has moved. `before` is the record it was compared with,
    if both have the same form. `joining` is set if the version continues the registry's history.
    """

    nct_id: NctId
    head: Head | None
    state: State
    record: Record | Prepared | None
    key: KeyFields
    events: tuple[Event, ...]
    moved_to: NctId | None = None
    before: Record | None = None
    joining: HistoryLink | None = None


@dataclass(frozen=True, slots=True)
class HistoryLink:
    """How a live version continues the registry's history, which was fetched earlier.

    - `confirms`: the version is the head itself, now seen live.
    - `is_baseline`: the trial was never seen live before. Only FIRST_SEEN is reported; the other
      events `happened` earlier.
    - `overdue`: events from the history of a trial that was already followed. They are reported
      with this load.
    """

    confirms: bool = False
    is_baseline: bool = False
    overdue: tuple[StoredEvent, ...] = ()
    happened: datetime | None = None


@dataclass(frozen=True, slots=True)
class AssessedTrial:
    """One requested trial: the decision on its answer, and the version to store, if any."""

    asked: NctId
    decision: Decision
    fetched_at: datetime | None
    finding: PendingVersion | None = None


def key_of(record: Record | Prepared) -> KeyFields:
    """Return the key fields of a record. Raises ValueError if it was not prepared completely."""
    if isinstance(record, Record):
        return key_fields(record.body)
    if record.key is None:
        raise ValueError(f"{record.nct_id} was not prepared completely")
    return record.key
