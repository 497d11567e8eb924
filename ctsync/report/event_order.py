"""The order of events among those of one trial, or of one day. Does no I/O."""

from __future__ import annotations

from ctsync.model import Kind, StoredEvent
from ctsync.report.words.event_text import is_overall_status

_KIND_ORDER = {kind: position for position, kind in enumerate(Kind)}


def line_order(stored: StoredEvent) -> tuple[int, int, str, int]:
    """Sort key of lines: worst level first; for one path, the newest version first."""
    event = stored.event
    kind = Kind.OTHER if event.kind is Kind.STATUS and not is_overall_status(event) else event.kind
    return event.level.rank, _KIND_ORDER[kind], event.path, -stored.to_version
