"""The milestones of a portfolio as a calendar (iCalendar, RFC 5545). Does no I/O.

Each trial has one entry: its next milestone, on an all-day entry. The identity of an entry is the
trial and the milestone, so that a calendar program moves an entry if its day changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from icalendar import Calendar, Event

from ctsync.questions.portfolio.portfolio import PortfolioRow
from ctsync.questions.portfolio.portfolio_trials import Milestone
from ctsync.text import for_markup, shorten

MILESTONE_WORDS = {
    Milestone.START: "Start",
    Milestone.PRIMARY_COMPLETION: "Primary completion",
    Milestone.COMPLETION: "Completion",
    Milestone.RESULTS_DUE: "Results due",
    Milestone.UNKNOWN: "Status becomes Unknown",
}
"""The milestones for people."""

_LONGEST_TITLE = 120


def portfolio_ics(rows: Iterable[PortfolioRow], *, as_of: date) -> str:
    """Write the next milestone of each row that has one."""
    calendar = Calendar()
    calendar.add("prodid", "-//ctsync//portfolio//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Trial milestones")
    for row in rows:
        if row.milestone is not None and row.milestone_on is not None:
            calendar.add_component(_entry(row, row.milestone, row.milestone_on, as_of))
    written: bytes = calendar.to_ical()
    return written.decode()


def _entry(row: PortfolioRow, milestone: Milestone, on: date, as_of: date) -> Event:
    title = shorten(calendar_line(row.title or "no title"), _LONGEST_TITLE)
    entry = Event()
    entry.add("uid", f"{row.nct_id}-{milestone}@ctsync")
    entry.add("dtstamp", datetime.combine(as_of, time(), UTC))
    entry.add("dtstart", on)
    entry.add("dtend", on + timedelta(days=1) if on < date.max else on)
    entry.add("transp", "TRANSPARENT")
    entry.add("summary", f"{MILESTONE_WORDS[milestone]}: {row.nct_id} {title}")
    entry.add(
        "description", calendar_line(f"{row.sponsor or 'no sponsor'}, registry data of {as_of}")
    )
    entry.add("url", row.url)
    return entry


def calendar_line(text: str) -> str:
    """Return remote text as one line of a calendar."""
    # icalendar writes a backslash before a capital N as a line break
    return " ".join(for_markup(text).replace("\\N", "\\ N").split())
