"""One event as JSON and as a log line. Does no I/O."""

from __future__ import annotations

from ctsync.dates import format_timestamp
from ctsync.model import MISSING, JsonObject, StoredEvent
from ctsync.text import for_log


def event_json(stored: StoredEvent) -> JsonObject:
    """The event in the published schema, with its keys in the published order."""
    event = stored.event
    return {
        "nct_id": stored.nct_id,
        "kind": event.kind.value,
        "category": event.category.value,
        "level": event.level.value,
        "rule": event.rule,
        "path": event.path,
        "label": event.label,
        "before": None if event.before is MISSING else event.before,
        "after": None if event.after is MISSING else event.after,
        "before_type": event.before_type,
        "after_type": event.after_type,
        "days": event.days,
        "days_since_first": event.days_since_first,
        "percent": event.percent,
        "percent_since_first": event.percent_since_first,
        "from_version": stored.from_version,
        "to_version": stored.to_version,
        "posted": stored.posted,
        "observed": format_timestamp(stored.observed) if stored.observed else None,
        "fetched": format_timestamp(stored.fetched),
        "summary": event.summary,
        "url": stored.url,
    }


def event_line(stored: StoredEvent) -> str:
    """The event as one line. Remote text cannot add a line break."""
    event = stored.event
    seen = stored.observed or stored.fetched
    posted = f"posted {stored.posted}" if stored.posted else "no post date"
    return for_log(
        f"{event.level} {stored.nct_id} {_step(stored)} {event.summary} "
        f"[{event.rule}] {posted}, seen {format_timestamp(seen)}"
    )


def _step(stored: StoredEvent) -> str:
    if stored.from_version is None:
        return f"v{stored.to_version}"
    return f"v{stored.from_version}->v{stored.to_version}"
