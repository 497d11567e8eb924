"""Levels of stored events under other thresholds.

An event is stored with its level under the general thresholds. A watch with its own thresholds
shows the same event at the level that those give. A recipient of several watches gets an event
once, at the worst of its levels in those watches.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def relevel_worst(event: Event, watches: Sequence[Thresholds | None]) -> Event:
    """Return the event at its worst level in these watches.

    None stands for a watch without thresholds of its own, where the stored level counts. If two
    watches give the same level, the first decides the rule. Without watches, the stored level
    counts.
    """
    levelled = [event if own is None else relevel(event, own) for own in watches]
    return min(levelled, key=lambda one: one.level.rank, default=event)


def relevel_worst_stored(stored: StoredEvent, watches: Sequence[Thresholds | None]) -> StoredEvent:
    """Return a stored event at its worst level in these watches, as `relevel_worst` does."""
    event = relevel_worst(stored.event, watches)
    return stored if event is stored.event else replace(stored, event=event)
