"""The level an event has under thresholds other than those it was stored with; pure, no I/O.

An event is stored with the level of the thresholds for all; a watch with thresholds of its own
sees the same event at the level these give.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ctsync.model import Event, StoredEvent
from ctsync.record.rules import Thresholds, assign


def relevel(event: Event, thresholds: Thresholds) -> Event:
    """The event at the level and by the rule that `thresholds` give; found from its inputs."""
    rule, level = assign(event.kind, event.inputs, thresholds)
    if (rule, level) == (event.rule, event.level):
        return event
    return replace(event, rule=rule, level=level)


def relevel_all(events: Iterable[StoredEvent], thresholds: Thresholds | None) -> list[StoredEvent]:
    """Stored events, each at its level under `thresholds`; None leaves them as they are."""
    if thresholds is None:
        return list(events)
    return [replace(stored, event=relevel(stored.event, thresholds)) for stored in events]
