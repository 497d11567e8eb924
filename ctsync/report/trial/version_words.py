"""The changes of a version of a trial, in a few words. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from ctsync.model import Kind, Level, StoredEvent, Version
from ctsync.record.value_text import counted
from ctsync.report.words.net_changes import net_changes
from ctsync.report.words.trial_row import trial_row

_NO_CHANGES = (Kind.ENTERED, Kind.LEFT, Kind.FLAG)


def is_substantive(step: Sequence[StoredEvent]) -> bool:
    """Return whether a change is not administrative, as a cosmetic one is.

    Entering or leaving the query of a watch is not a change of the record, nor is a flag.
    """
    return any(
        stored.event.level is not Level.ADMINISTRATIVE and stored.event.kind not in _NO_CHANGES
        for stored in step
    )


def what_changed(version: Version, step: Sequence[StoredEvent]) -> str:
    """Return the changes that led to a version, worst first; `step` holds their events.

    Administrative changes are only counted.
    """
    if changes := net_changes(step):
        return trial_row(changes)
    if version.version == 1:
        return "first stored version"
    return counted(len(step), "administrative change") if step else "no change reported"
