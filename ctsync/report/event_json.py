"""One event as JSON values, for callers that do not write rows yet; no I/O."""

from __future__ import annotations

from ctsync.model import JsonObject, StoredEvent
from ctsync.report.row_json import to_json
from ctsync.report.rows import event_row


def event_json(stored: StoredEvent) -> JsonObject:
    """The JSON of `event_row`."""
    return to_json(event_row(stored))
