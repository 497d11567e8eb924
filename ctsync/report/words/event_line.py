"""One event as one line of a log; no I/O."""

from __future__ import annotations

from ctsync.dates import format_timestamp
from ctsync.model import StoredEvent
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
    return f"v{stored.from_version}->v{stored.to_version}"
