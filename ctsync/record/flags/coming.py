"""The flags that a record will have by time alone, if nobody updates it. Pure, does no I/O."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from ctsync.record.flags.flag import Flag, FlagId
from ctsync.record.flags.record_values import StudyValues

BY_TIME = frozenset(
    {
        FlagId.RESULTS_DUE,
        FlagId.RESULTS_OVERDUE,
        FlagId.VERIFICATION_STALE,
        FlagId.OPEN_PAST_COMPLETION,
        FlagId.RECRUITING_PAST_PRIMARY_COMPLETION,
    }
)
"""The flags that become true by time alone."""


def flags_after(
    study: StudyValues, after: date, shown_on: Callable[[date], tuple[Flag, ...]]
) -> tuple[Flag, ...]:
    """Return the flags that become true after a day, each as it reads on its first day.

    `shown_on` returns the flags to show for a day. They are asked for on the last day there is,
    and on the day of completion: with posted results, a verification is not stale after that day.
    """
    ends = [study.completion.last] if study.completion else []
    first_days = {
        (flag.id, flag.since)
        for day in (*ends, date.max)
        for flag in shown_on(day)
        if flag.id in BY_TIME and flag.since is not None and flag.since > after
    }
    found = [
        flag
        for day in sorted({since for _, since in first_days})
        for flag in shown_on(day)
        if (flag.id, day) in first_days
    ]
    return tuple(found)
