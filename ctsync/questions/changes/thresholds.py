"""The thresholds in force: those of the settings, and those of a watch. Writes nothing."""

from __future__ import annotations

from ctsync.config.settings import Settings
from ctsync.questions.portfolio.known_watches import require_watch
from ctsync.record.rules.rules import Thresholds
from ctsync.store.store import Store


def thresholds_in_force(settings: Settings) -> Thresholds:
    """The thresholds of the settings."""
    return Thresholds().replace(settings.rules)


def watch_thresholds(settings: Settings, store: Store, name: str) -> Thresholds | None:
    """The thresholds of a watch, or None if it has none of its own.

    The settings file goes before what the last sync stored of it. Raises UsageError if there
    is no such watch.
    """
    listed = {watch.name: watch.rules for watch in settings.watches}
    if name in listed:
        return thresholds_in_force(settings).replace(listed[name]) if listed[name] else None
    require_watch(store, name)
    return store.own_thresholds().get(name)
