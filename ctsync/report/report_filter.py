"""The filters of a report. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ctsync.model import Category, Event, KeyFields, Kind, Level
from ctsync.record.enum_words import phase_words

_ANY_LEVEL = Level.ADMINISTRATIVE


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """The filters of a report; None or an empty value does not filter.

    `minimum` is the lowest level. `sponsor` is part of the lead sponsor's name, in any case.
    `phase` is one phase in the registry's form, such as PHASE2; a trial of phases 2 and 3 has
    both. Levels, categories and kinds are those of the net change of a field over the window.
    """

    minimum: Level | None = None
    categories: Collection[Category] = ()
    kinds: Collection[Kind] = ()
    sponsor: str | None = None
    phase: str | None = None

    @property
    def has_filters(self) -> bool:
        """Whether any filter is set."""
        return self.filters_changes or bool(self.sponsor or self.phase)

    @property
    def filters_changes(self) -> bool:
        """Whether some changes of a trial may be shown and others not."""
        return self.minimum is not None or bool(self.categories) or bool(self.kinds)

    @property
    def shows_administrative(self) -> bool:
        """Whether a filter asks for administrative changes; otherwise they are only counted."""
        if self.minimum is not None:
            return self.minimum is _ANY_LEVEL
        return bool(self.categories) or bool(self.kinds)

    def accepts_trial(self, key: KeyFields | None) -> bool:
        """Whether the trial with these key fields is selected."""
        key = key or KeyFields()
        if self.sponsor and self.sponsor.casefold() not in (key.lead_sponsor or "").casefold():
            return False
        return not self.phase or self.phase in (key.phases or "").split("|")

    def accepts(self, change: Event) -> bool:
        """Whether this net change is selected."""
        return (
            (self.minimum is None or change.level.reaches(self.minimum))
            and (not self.categories or change.category in self.categories)
            and (not self.kinds or change.kind in self.kinds)
        )

    def words(self) -> str:
        """The filters in words: "level notable or worse; Phase 2"; empty if none."""
        level = f"level {self.minimum}" if self.minimum else ""
        if self.minimum not in {None, Level.CRITICAL}:
            level += " or worse"
        parts = (
            level,
            f"category {' or '.join(self.categories)}" if self.categories else "",
            f"kind {' or '.join(self.kinds)}" if self.kinds else "",
            f'lead sponsor with "{self.sponsor}"' if self.sponsor else "",
            phase_words(self.phase) if self.phase else "",
        )
        return "; ".join(part for part in parts if part)

    def line(self) -> str:
        """The filters as a line: "Only: level notable or worse; Phase 2"; empty if none."""
        words = self.words()
        return f"Only: {words}" if words else ""


EVERY_CHANGE = ReportFilter()


def read_phase(text: str) -> str | None:
    """The phase in the registry's form: PHASE2 for "2", "phase 2", "Phase II" and "PHASE2".

    None if the text names no phase.
    """
    name = re.sub(r"[\s_-]+", "", text).upper()
    early = name.startswith("EARLY")
    name = name.removeprefix("EARLY").removeprefix("PHASE")
    number = {"I": "1", "II": "2", "III": "3", "IV": "4"}.get(name, name)
    if name in {"NA", "N/A", "NOTAPPLICABLE"} and not early:
        return "NA"
    if number not in {"1", "2", "3", "4"} or (early and number != "1"):
        return None
    return f"EARLY_PHASE{number}" if early else f"PHASE{number}"
