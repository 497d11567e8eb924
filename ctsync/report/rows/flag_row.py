"""The row of a flag beside its trial, which every format and channel writes as JSON. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ctsync.record.flags import FLAG_LABELS, Flag, FlagId


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A fact about the record of a trial on a day."""

    flag: FlagId
    """The id of the flag."""
    label: str
    """The name of the flag for people."""
    since: date | None
    """The first day on which the flag is true; null if that is not known."""
    words: str
    """The flag in words, with its dates."""
    inputs: Mapping[str, str | int | bool | None]
    """The values that the rule read."""
    source: str
    """Where the rule is published."""


def trial_flag_rows(flags: tuple[Flag, ...]) -> tuple[FlagRow, ...]:
    """Return the rows of the flags of one trial, in their order."""
    return tuple(
        FlagRow(one.id, FLAG_LABELS[one.id], one.since, one.words, one.inputs, one.source)
        for one in flags
    )
