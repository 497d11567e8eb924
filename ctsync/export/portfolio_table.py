"""The portfolio as a table for CSV files and workbooks: one row per trial. Does no I/O."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time

from ctsync.dates import PartialDate
from ctsync.questions.portfolio.portfolio import PortfolioRow
from ctsync.record.enum_words import enum_words, phase_words
from ctsync.record.flags import FLAG_LABELS
from ctsync.report.formats.change_table import Column, Value
from ctsync.report.formats.csv import csv_table
from ctsync.report.formats.xlsx import new_workbook, write_sheet

COLUMNS = (
    Column("nct_id", "NCT id", 13),
    Column("title", "brief title", 50),
    Column("sponsor", "lead sponsor", 28),
    Column("phase", "phase in words; empty if phases do not apply", 12),
    Column("study_type", "study type", 16),
    Column("conditions", "conditions, separated by semicolons", 30),
    Column("interventions", "interventions, separated by semicolons", 30),
    Column("countries", "countries of the sites, separated by semicolons", 24),
    Column("status", "overall status in words", 20),
    Column("milestone", "what the trial reaches next", 20),
    Column("milestone_on", "day of that milestone; a month counts as its last day", 12),
    Column("milestone_days", "days from the day of the data to that milestone", 10),
    Column("primary_completion_date", "primary completion date now", 12),
    Column("primary_completion_date_type", "ESTIMATED or ACTUAL", 12),
    Column("slip_days", "days that it moved since the first version; later is positive", 8),
    Column("slip_since", "registration, or first_seen if no earlier version is stored", 12),
    Column("enrollment", "enrollment now", 10),
    Column("enrollment_type", "ESTIMATED or ACTUAL", 12),
    Column("enrollment_target", "the last estimated enrollment", 10),
    Column("flags", "flags that are true, separated by semicolons", 40),
    Column("unknown_on", "day on which the status becomes Unknown without an update", 12),
    Column("has_results", "yes if results are posted", 8),
    Column("changed_on", "day of the last change that is not administrative", 12),
    Column("changed_level", "level of that change", 12),
    Column("change", "that change in words", 50),
    Column("watches", "watches that follow the trial, separated by semicolons", 20),
    Column("url", "page of the trial at the registry", 30, is_link=True),
)
"""The columns in their order. New columns are added at the end."""


def portfolio_csv(rows: Iterable[PortfolioRow]) -> str:
    """Write the rows as CSV; no spreadsheet runs a cell as a formula."""
    return csv_table(COLUMNS, map(portfolio_values, rows))


def portfolio_xlsx(rows: Iterable[PortfolioRow], *, as_of: date) -> bytes:
    """Write the rows as a workbook. Raises UsageError if XlsxWriter is missing."""
    content = io.BytesIO()
    created = datetime.combine(as_of, time(), UTC)
    book = new_workbook(content, f"ctsync portfolio, registry data of {as_of}", created=created)
    write_sheet(book, "Portfolio", COLUMNS, map(portfolio_values, rows))
    book.close()
    return content.getvalue()


def portfolio_values(row: PortfolioRow) -> tuple[Value, ...]:
    """Return the values of a row in the order of COLUMNS."""
    change = row.last_change
    return (
        row.nct_id,
        row.title,
        row.sponsor,
        phase_words("|".join(row.phases)) if row.phases else None,
        _words(row.study_type),
        _joined(row.conditions),
        _joined(row.interventions),
        _joined(row.countries),
        _words(row.status),
        row.milestone and enum_words(row.milestone.value.upper()),
        row.milestone_on,
        row.milestone_days,
        day_or_text(row.primary_completion_date),
        row.primary_completion_date_type,
        row.slip_days,
        row.slip_since,
        row.enrollment,
        row.enrollment_type,
        row.enrollment_target,
        _joined([FLAG_LABELS[flag] for flag in row.flags]),
        row.unknown_on,
        "yes" if row.has_results else "no",
        change.day if change else None,
        change.level.value if change else None,
        change.summary if change else None,
        _joined(row.watches),
        row.url,
    )


def _words(value: str | None) -> str | None:
    return value and enum_words(value)


def _joined(values: Sequence[str]) -> str:
    return "; ".join(values)


def day_or_text(found: PartialDate | None) -> date | str | None:
    """Return a day as a day, and a month or a year as its text."""
    if found is None:
        return None
    return found.first if found.first == found.last else found.text
