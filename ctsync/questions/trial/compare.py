"""The rows of a comparison of two versions of a trial; pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ctsync.model import MISSING, FieldChange


@dataclass(frozen=True, slots=True)
class FieldChangeRow:
    """One field that differs between two versions of a record."""

    path: str
    """The place in the record; an item of a list is named in brackets."""
    field: str
    """The same place without the names of items."""
    added: bool
    """True if the older version has no such value."""
    removed: bool
    """True if the newer version has no such value."""
    before: Any
    """The value in the older version; null if it has none."""
    after: Any
    """The value in the newer version; null if it has none."""


def field_change_row(change: FieldChange) -> FieldChangeRow:
    """The row of a field change."""
    return FieldChangeRow(
        path=change.path,
        field=change.field,
        added=change.before is MISSING,
        removed=change.after is MISSING,
        before=change.before,
        after=change.after,
    )
