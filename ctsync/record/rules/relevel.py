"""Levels of stored events under other thresholds.

An event is stored with its level under the general thresholds. A watch with its own thresholds
shows the same event at the level that those give.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ctsync.model import Event, StoredEvent
from ctsync.record.rules.rules import Thresholds, assign


def thresholds_of(rules: Mapping[str, float]) -> Thresholds | None:
    """Return a watch's thresholds from their stored form; None if it has no own thresholds.

    Ignores unknown names, which another version of ctsync may have stored.
    """
    known = {name: given for name, given in rules.items() if name in Thresholds.__slots__}
    return Thresholds().replace(known) if known else None


def relevel(event: Event, thresholds: Thresholds) -> Event:
    """Return the event with the level and rule under `thresholds`, derived from its inputs."""
    rule, level = assign(event.kind, event.inputs, thresholds)
    if (rule, level) == (event.rule, event.level):
        return event
    return replace(event, rule=rule, level=level)


def relevel_stored(stored: StoredEvent, thresholds: Thresholds | None) -> StoredEvent:
    """Return a stored event at its level under `thresholds`; unchanged if that is None."""
    if thresholds is None:
        return stored
    event = relevel(stored.event, thresholds)
    return stored if event is stored.event else replace(stored, event=event)
