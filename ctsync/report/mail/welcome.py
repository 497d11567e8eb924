"""The words of a welcome: how many trials a recipient follows now, and their status.

Does no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

from ctsync.dates import PartialDate
from ctsync.model import KeyFields, NctId
from ctsync.record.enum_words import enum_words
from ctsync.record.flags.upkeep import OPEN
from ctsync.record.value_text import counted, said
from ctsync.report.report import Report, StatusTotal

NO_STATUS = "No status"
ANY_CHANGE = "You get a mail when one of these trials changes."

ORDER = "Open trials come first, by their next date: start, primary completion or completion."
"""The order of the trials in words."""


def in_order(keys: Mapping[NctId, KeyFields], today: date) -> list[tuple[NctId, KeyFields]]:
    """Return the trials, open ones first, by the next date of each; then the newest first."""
    newest_first = sorted(keys.items(), reverse=True)
    return sorted(newest_first, key=lambda one: _place(one[1], today))


def _place(key: KeyFields, today: date) -> tuple[bool, date]:
    if key.status not in OPEN:
        return True, date.max
    dates = map(
        PartialDate.parse, (key.start_date, key.primary_completion_date, key.completion_date)
    )
    return False, min((day.last for day in dates if day and day.last >= today), default=date.max)


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
