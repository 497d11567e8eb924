"""Stored and listed versions of a trial in one order, each with its first day. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ctsync.model import ListedVersion, State, Version


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """A stored version, or one that is only listed, and its first day."""

    what: Version | ListedVersion
    day: date

    @property
    def status(self) -> str:
        """The overall status; the state of the trial if the registry had no record."""
        if isinstance(self.what, ListedVersion):
            return self.what.status
        if self.what.state is State.PRESENT:
            return self.what.key.status or "(no status)"
        return self.what.state.value.upper()
