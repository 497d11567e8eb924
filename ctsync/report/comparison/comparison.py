"""Two versions of a trial and their differences. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from ctsync.model import Category, Event, FieldChange, Level, Record, Version
from ctsync.report.trial.version_day import VersionDay


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, the fields that differ, and the events that report these changes.

    `changes` have the order of the record; each is reported by exactly one of `events`. `since`
    holds the first day of each version. `note` says why other versions than the requested ones
    are compared; it is empty if they are the requested ones. `newer` is the record of the newer
    version, for a format that shows what did not change. `versions` are all versions of the trial
    with a record, oldest first.
    """

    before: Version
    after: Version
    since: tuple[date, date]
    changes: tuple[FieldChange, ...]
    events: tuple[Event, ...]
    note: str = ""
    newer: Record | None = field(default=None, repr=False, compare=False)
    versions: tuple[VersionDay, ...] = field(default=(), repr=False, compare=False)

    @property
    def is_one_step(self) -> bool:
        """Whether no version lies between the two: only then is the day of each change known."""
        return self.after.version == self.before.version + 1

    def covered(self, event: Event) -> list[FieldChange]:
        """Return the field changes that an event reports, in the order of the event."""
        by_path = {change.path: change for change in self.changes}
        return [by_path[path] for path in event.covers]


@dataclass(frozen=True, slots=True)
class ChangeSelection:
    """The changes that a reading shows: a level or worse, and some categories or all.

    `is_full` shows each value in full, with the text around each edit.
    """

    level: Level = Level.ROUTINE
    categories: Sequence[Category] = ()
    is_full: bool = False

    def has(self, event: Event) -> bool:
        """Return whether a reading shows the event."""
        is_wanted = not self.categories or event.category in self.categories
        return is_wanted and event.level.reaches(self.level)
