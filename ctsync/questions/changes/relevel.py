"""The levels of stored events under other rules, from stored inputs. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ctsync.model import Event, Level, StoredEvent
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.rules.relevel import relevel, relevel_stored
from ctsync.record.rules.rules import Thresholds
from ctsync.report.rows.event_row import EventRow, event_values
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store


@dataclass(frozen=True, slots=True)
class RelevelledEvent:
    """A stored event with its present level, and the same event under the other rules."""

    stored: StoredEvent
    replayed: Event


@dataclass(frozen=True, slots=True)
class RelevelledRow(EventRow):
    """One change with the level that other rules would give it."""

    new_level: Level
    """The level under the other rules."""
    new_rule: str
    """The id of the rule that gives it."""


def relevelled_row(
    found: RelevelledEvent, rates: BaseRates | None = PUBLISHED_RATES
) -> RelevelledRow:
    """The row of an event whose level would differ; it has no context if `rates` is None."""
    values = [*event_values(found.stored, rates), found.replayed.level, found.replayed.rule]
    return RelevelledRow(*values)


@dataclass(frozen=True, slots=True)
class RelevelResult:
    """The number of events examined, and the events whose level would differ."""

    looked_at: int
    differing: tuple[RelevelledEvent, ...]


def relevel_events(
    store: Store,
    wanted: EventFilter,
    *,
    thresholds: Thresholds,
    told_under: Thresholds | None = None,
) -> RelevelResult:
    """Find the wanted events whose level would differ under `thresholds`.

    They are compared with their level under `told_under` (the thresholds of a watch), or without it
    with their stored level. An event that gets the same level from another rule does not differ.
    """
    looked_at = 0
    differing: list[RelevelledEvent] = []
    for stored in store.events.each(wanted):
        looked_at += 1
        current = relevel_stored(stored, told_under)
        replayed = relevel(stored.event, thresholds)
        if replayed.level is not current.event.level:
            differing.append(RelevelledEvent(current, replayed))
    return RelevelResult(looked_at, tuple(differing))


SCHEMAS = {"relevelled_change": RelevelledRow}
