"""The flags of a trial in a few words, for a report. Does no I/O.

A report names the flags that matter most and counts the others; `ctsync flags` and the page of the
trial show all of them with their rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from ctsync.record.flags import FLAG_LABELS, Flag, FlagId

MOST_NAMED = 3
"""Most flags that a line names."""

_ORDER = (
    FlagId.RESULTS_OVERDUE,
    FlagId.RESULTS_DUE,
    FlagId.OPEN_PAST_COMPLETION,
    FlagId.RECRUITING_PAST_PRIMARY_COMPLETION,
    FlagId.VERIFICATION_STALE,
    FlagId.ZERO_ENROLLMENT,
    FlagId.IMPLAUSIBLE_ENROLLMENT,
    FlagId.RETROACTIVELY_PROSPECTIVE,
    FlagId.LATE_CERTIFICATE,
    FlagId.REPORTED_LATE,
    FlagId.REGISTERED_LATE,
    FlagId.RETROSPECTIVE,
)
"""What somebody can still change comes first, then what happened once."""

_SAME_FACT: Mapping[FlagId, FlagId] = MappingProxyType(
    {
        FlagId.RESULTS_DUE: FlagId.RESULTS_OVERDUE,
        FlagId.RETROSPECTIVE: FlagId.REGISTERED_LATE,
    }
)
"""A flag that says nothing new beside another one."""

_ON_ONE_DAY = frozenset(
    {
        FlagId.LATE_CERTIFICATE,
        FlagId.REPORTED_LATE,
        FlagId.REGISTERED_LATE,
        FlagId.RETROSPECTIVE,
    }
)
"""Flags whose first day is the day of an act."""

_DETAILS: Mapping[FlagId, str] = MappingProxyType(
    {
        FlagId.RESULTS_OVERDUE: "by 42 CFR 11.44",
        FlagId.RESULTS_DUE: "by 42 CFR 11.44, submitted but not posted",
    }
)


def ordered_flags(flags: Sequence[Flag]) -> Sequence[Flag]:
    """Return the flags in the order of a report: those that matter most come first."""
    return sorted(flags, key=lambda flag: _ORDER.index(flag.id))


def brief_flag(flag: Flag) -> str:
    """Return the flag in a few words: "open past completion since 2024-11-01"."""
    label = FLAG_LABELS[flag.id]
    words = [label[0].lower() + label[1:], _DETAILS.get(flag.id, "")]
    text = " ".join(filter(None, words))
    if flag.since is None:
        return text
    return f"{text}, {flag.since}" if flag.id in _ON_ONE_DAY else f"{text} since {flag.since}"


def flag_words(flags: Sequence[Flag]) -> tuple[tuple[str, ...], int]:
    """Return the flags to name, in a few words each, and the number of the others.

    A flag that says nothing new beside another one is neither named nor counted.
    """
    ids = {flag.id for flag in flags}
    distinct = [one for one in ordered_flags(flags) if _SAME_FACT.get(one.id) not in ids]
    # "and 1 more" would be about as long as the flag
    named = distinct if len(distinct) <= MOST_NAMED + 1 else distinct[:MOST_NAMED]
    return tuple(map(brief_flag, named)), len(distinct) - len(named)


def flag_line(flags: Sequence[Flag], day: date | None, *, more_at: str = "") -> str:
    """Return one line with the flags of a day; empty if there are none.

    `more_at` is the command or address that shows the flags that are only counted.
    """
    return "".join(_parts(flags, day, more_at))


def _parts(flags: Sequence[Flag], day: date | None, more_at: str) -> Iterator[str]:
    named, more = flag_words(flags)
    if not named:
        return
    yield f"Flags{f' on {day}' if day else ''}: {'; '.join(named)}"
    if more:
        yield f"; {more} more"
        yield f": {more_at}" if more_at else ""
