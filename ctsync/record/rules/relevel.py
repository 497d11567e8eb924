"""The level an event has under thresholds other than those it was stored with; pure, no I/O.

An event is stored with the level of the thresholds for all; a watch with thresholds of its own
sees the same event at the level these give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ctsync.model import Event, StoredEvent
from ctsync.record.rules.rules import Thresholds, assign


def thresholds_of(rules: Mapping[str, float]) -> Thresholds | None:
    """The thresholds of a watch from what is stored of them; None where it has none of its own.

    A name that these rules do not know, left by another ctsync, counts for nothing.
    """
    known = {name: given for name, given in rules.items() if name in Thresholds.__slots__}
    return Thresholds().replace(known) if known else None


def relevel(event: Event, thresholds: Thresholds) -> Event:
    """The event at the level and by the rule that `thresholds` give; found from its inputs."""
    rule, level = assign(event.kind, event.inputs, thresholds)
    if (rule, level) == (event.rule, event.level):
        return event
    return replace(event, rule=rule, level=level)


def relevel_stored(stored: StoredEvent, thresholds: Thresholds | None) -> StoredEvent:
    """A stored event at its level under `thresholds`; None leaves it as it is."""
    if thresholds is None:
        return stored
    event = relevel(stored.event, thresholds)
    return stored if event is stored.event else replace(stored, event=event)
