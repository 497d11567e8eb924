"""The row of an event, which every format and channel writes as JSON. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ctsync.model import Category, Kind, Level, NctId, StoredEvent
from ctsync.record.context import PUBLISHED_RATES, BaseRates, ContextNote, context_of


@dataclass(frozen=True, slots=True)
class EventRow:
    """One change of one trial, with the rule that gave its level."""

    nct_id: NctId
    """The NCT id of the trial."""
    kind: Kind
    """What changed."""
    category: Category
    """The part of the record that changed."""
    level: Level
    """How much the change matters."""
    rule: str
    """The id of the rule that gave the level; `ctsync rules` lists them."""
    path: str
    """The place of the change in the record; empty if it concerns the entire record. For a flag
    that became true or was cleared, `flag:`, its id, `@` and the day of the data refresh:
    `flag:results_overdue@2026-03-15`."""
    label: str
    """The name of the field for people."""
    before: Any
    """The value before; for a list, the items removed. Null if there was none. For a flag, whether
    it was true before: `false` if it became true."""
    after: Any
    """The value after; for a list, the items added. Null if there is none. For a flag, whether it
    is true: `false` if it was cleared."""
    before_type: str | None
    """ESTIMATED or ACTUAL, for the date or count before."""
    after_type: str | None
    """ESTIMATED or ACTUAL, for the date or count after."""
    days: int | None
    """Days that a date moved in this version; positive if it is now later."""
    days_since_first: int | None
    """Days that the date moved since the first known version."""
    percent: float | None
    """Percent by which a count changed in this version."""
    percent_since_first: float | None
    """Percent by which the count changed since the first known version."""
    from_version: int | None
    """The ctsync version before the change; null for a first version. The event of a flag belongs
    to one version, so it equals `to_version`."""
    to_version: int
    """The ctsync version that has the change."""
    posted: str | None
    """The date on which the registry posted the version."""
    observed: datetime | None
    """The data refresh in which ctsync saw the version; null if it came from registry history."""
    fetched: datetime
    """The time at which ctsync fetched the version."""
    summary: str
    """The change in one sentence."""
    url: str
    """The page of the trial at the registry."""
    context: tuple[ContextNote, ...]
    """The trial's own past, the base rates that apply and the sponsor's past; may be empty. For a
    flag that became true, its rule, since when it is true, and its base rate."""
    unfetched: int
    """Number of versions between both that the registry lists and that are not fetched: the change
    may have come with any of them."""


def event_values(stored: StoredEvent, rates: BaseRates | None = PUBLISHED_RATES) -> tuple[Any, ...]:
    """The values of an EventRow in the order of its fields, for it and the rows that extend it.

    `rates` are the base rates of the context; with None the row has no context.
    """
    # By position: passing 24 keywords would make an export of events a fifth slower.
    event = stored.event
    return (
        stored.nct_id,
        event.kind,
        event.category,
        event.level,
        event.rule,
        event.path,
        event.label,
        event.before,
        event.after,
        event.before_type,
        event.after_type,
        event.days,
        event.days_since_first,
        event.percent,
        event.percent_since_first,
        stored.from_version,
        stored.to_version,
        stored.posted,
        stored.observed,
        stored.fetched,
        event.summary,
        stored.url,
        context_of(event, rates, sponsor=stored.lead_sponsor),
        stored.unfetched,
    )


def event_row(stored: StoredEvent, rates: BaseRates | None = PUBLISHED_RATES) -> EventRow:
    """The row of a stored event; it has no context if `rates` is None."""
    return EventRow(*event_values(stored, rates))
