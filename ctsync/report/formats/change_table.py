"""The changes of a report as a table: one row per change, nothing cut. Does no I/O.

CSV files and workbooks show the same columns, described in `COLUMNS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from ctsync.dates import PartialDate
from ctsync.model import StoredEvent
from ctsync.record.context import ContextNote, shown_context
from ctsync.report.report import Report, ReportStep, ReportTrial
from ctsync.report.words.event_text import detail, is_measured, move, move_since_first, short, sides
from ctsync.report.words.flag_line import brief_flag, ordered_flags

Value = str | int | float | date | datetime | None

_CUT = re.compile(r"… \(\+\d+ characters?\)")


class Column(NamedTuple):
    """A column of the table, its meaning, and how a workbook shows it.

    `is_link` is only for URLs that ctsync builds itself.
    """

    name: str
    meaning: str
    width: int
    is_link: bool = False


COLUMNS = (
    Column("nct_id", "NCT id", 13),
    Column("title", "brief title", 40),
    Column("acronym", "acronym", 14),
    Column("sponsor", "lead sponsor", 24),
    Column("phase", "phase in words; empty if phases do not apply", 10),
    Column("conditions", "conditions, separated by semicolons", 26),
    Column("trial_level", "level of the worst change of the trial", 11),
    Column("level", "level of this change", 11),
    Column("category", "part of the record", 13),
    Column("kind", "kind of change", 22),
    Column("label", "name of the field", 24),
    Column("what", "the change in words", 50),
    Column("before", "value before, in words; for a list, the items removed", 30),
    Column("after", "value after, in words; for a list, the items added", 30),
    Column("move", "how far a date or count moved, in words", 24),
    Column("days", "days that a date moved; positive if it is now later", 8),
    Column("percent", "percent by which a count changed", 8),
    Column("since_registration", "move since the first version, in words", 24),
    Column("days_since_registration", "days that the date moved since the first version", 10),
    Column(
        "percent_since_registration", "percent that the count changed since the first version", 10
    ),
    Column("version", "number of the version in ctsync, from 1", 8),
    Column("posted", "day on which the registry posted the version", 12),
    Column("observed", "data refresh in which ctsync saw it (UTC); empty if from history", 17),
    Column("fetched", "when ctsync fetched it (UTC)", 17),
    Column("rule", "id of the rule that gave the level", 11),
    Column("path", "place in the record", 40),
    Column("compare_url", "page of the registry that compares both versions", 20),
    Column("url", "page of the trial at the registry", 20),
    Column("context", "the past of the trial and its sponsor, and base rates, separated by |", 50),
    Column("flags", "flags of the trial on the day of the report, with semicolons between", 40),
    Column("unfetched", "number of versions before it that are not fetched", 10),
)
"""The columns in their order. New columns are added at the end."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change; `values` are in the order of COLUMNS."""

    values: tuple[Value, ...]

    def __getitem__(self, name: str) -> Value:
        """The value of the column of this name."""
        return self.values[_NAMES.index(name)]


_NAMES = tuple(column.name for column in COLUMNS)


def change_rows(report: Report) -> Iterator[ChangeRow]:
    """Yield one row per change in the report, trials worst first, versions oldest first."""
    for trial in report.trials:
        for step in trial.steps:
            for line in step.lines:
                for stored in line.events:
                    # each row has all its notes, because rows may be sorted and filtered
                    notes = shown_context(stored.event, report.rates, sponsor=stored.lead_sponsor)
                    yield ChangeRow(_values(trial, step, stored, context=notes))


def _values(
    trial: ReportTrial,
    step: ReportStep,
    stored: StoredEvent,
    *,
    context: Iterable[ContextNote],
) -> tuple[Value, ...]:
    event, heading = stored.event, trial.heading
    before, after = sides(event)
    posted = PartialDate.parse(step.posted)
    return (
        trial.nct_id,
        trial.title,
        heading.acronym,
        heading.sponsor,
        heading.phase,
        "; ".join(heading.conditions),
        trial.level.value,
        event.level.value,
        event.category.value,
        event.kind.value,
        event.label,
        change_in_words(stored),
        before,
        after,
        move(event),
        event.days,
        event.percent,
        move_since_first(event),
        event.days_since_first,
        event.percent_since_first,
        step.to_version,
        posted.first if posted and posted.first == posted.last else step.posted,
        step.observed,
        step.fetched,
        event.rule,
        event.path,
        step.compare_url,
        trial.url,
        " | ".join(note.text for note in context),
        "; ".join(map(brief_flag, ordered_flags(trial.flags))),
        stored.unfetched,
    )


def change_in_words(stored: StoredEvent) -> str:
    """Return the change in words; a summary that was cut is replaced by shorter words."""
    event = stored.event
    if is_measured(event):
        before, after = sides(event)
        moved = move(event)
        return f"{before} -> {after}; {moved}" if moved else f"{before} -> {after}"
    for words in (detail(event), short(event)):
        if not _CUT.search(words):
            return words
    return f"{event.label} changed"
