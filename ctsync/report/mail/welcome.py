"""The words of a welcome: how many trials a recipient follows now, and their status.

Does no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ctsync.model import KeyFields
from ctsync.record.enum_words import enum_words
from ctsync.record.value_text import counted, said
from ctsync.report.report import Report, StatusTotal

NO_STATUS = "No status"
ANY_CHANGE = "You get a mail when one of these trials changes."


def status_of(key: KeyFields) -> str:
    """Return the overall status in words."""
    return said(enum_words(key.status), 40) if key.status else NO_STATUS


def status_totals(keys: Iterable[KeyFields]) -> tuple[StatusTotal, ...]:
    """Count the trials by overall status, the most frequent status first."""
    counts = Counter(map(status_of, keys))
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return tuple(StatusTotal(status, trials) for status, trials in ranked)


def heading(report: Report) -> str:
    """Return "Now following 572 trials: melanoma, sponsor"."""
    return f"Now following {counted(report.welcomed, 'trial')}: {report.title}"


def totals_line(report: Report) -> str:
    """Return the totals by status as one line."""
    return ", ".join(f"{total.trials:,} {total.status}" for total in report.statuses)


def more_line(report: Report) -> str:
    """Return the number of trials that are not listed; empty if none."""
    more = report.welcomed - len(report.welcomes)
    return f"and {counted(more, 'more trial')}" if more else ""
