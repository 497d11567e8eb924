"""The rows of the history of one field of a trial; pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ctsync.model import MISSING, State
from ctsync.report.trial.field_history import Unshown, ValueSpell


@dataclass(frozen=True, slots=True)
class FieldValueRow:
    """A value that a field had, since when and for how long."""

    path: str
    """The place of the field in the record."""
    value: Any
    """The value; null if there was none, or if the source does not carry the field."""
    carried: bool
    """False if the source of these versions does not carry the field: its value is not known."""
    state: State
    """Whether the registry had a record of the trial."""
    from_version: int
    """The first version with the value."""
    to_version: int
    """The last version with the value."""
    since: date
    """The first day of the value."""
    until: date | None
    """The first day of the next value; null if the value still stands."""
    days: int
    """Number of days that the value stood, up to today if it still does."""


def field_value_row(path: str, spell: ValueSpell) -> FieldValueRow:
    """The row of one value of the field at `path`."""
    is_carried = not isinstance(spell.value, Unshown)
    return FieldValueRow(
        path=path,
        value=spell.value if is_carried else MISSING,
        carried=is_carried,
        state=spell.state,
        from_version=spell.from_version,
        to_version=spell.to_version,
        since=spell.since,
        until=None if spell.is_open else spell.until,
        days=spell.days,
    )
