"""One event as one line of a log; no I/O."""

from __future__ import annotations

from ctsync.dates import format_timestamp
from ctsync.model import StoredEvent
from ctsync.record.value_text import counted
from ctsync.report.words.event_text import sentence
from ctsync.text import for_log


def event_line(stored: StoredEvent) -> str:
    """The event as one line; no remote text can add a second one."""
    event = stored.event
    seen = stored.observed or stored.fetched
    posted = f"posted {stored.posted}" if stored.posted else "no post date"
    return for_log(
        f"{event.level} {stored.nct_id} {_step(stored)} {sentence(event)} "
        f"[{event.rule}] {posted}, seen {format_timestamp(seen)}"
    )


def _step(stored: StoredEvent) -> str:
    if stored.from_version in {None, stored.to_version}:
        return f"v{stored.to_version}"
    gap = f" ({between_words(stored.unfetched)})" if stored.unfetched else ""
    return f"v{stored.from_version}->v{stored.to_version}{gap}"


def between_words(unfetched: int) -> str:
    """Return "3 versions between are not fetched"."""
    verb = "is" if unfetched == 1 else "are"
    return f"{counted(unfetched, 'version')} between {verb} not fetched"


def gap_words(stored: StoredEvent) -> str:
    """Return "v3 -> v7 (3 versions between are not fetched)"; "" if no version is missing.

    The numbers are the registry's if both are known, else "version 2 -> 3".
    """
    if not stored.unfetched:
        return ""
    older, newer = stored.from_registry_version, stored.to_registry_version
    step = f"v{older} -> v{newer}"
    if older is None or newer is None:
        step = f"version {stored.from_version} -> {stored.to_version}"
    return f"{step} ({between_words(stored.unfetched)})"
