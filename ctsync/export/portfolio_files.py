# ruff: noqa: PLC0415 - imported when needed: a CSV file must not wait for the calendar library
"""The file formats of a portfolio, and the choice between their writers. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from ctsync.questions.portfolio.milestones import MilestoneRow
from ctsync.questions.portfolio.portfolio import PortfolioRow
from ctsync.report.rows.row_json import dump


class PortfolioFormat(StrEnum):
    """A file format of the portfolio."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    ICS = "ics"


def portfolio_file(
    rows: Sequence[PortfolioRow],
    form: PortfolioFormat,
    *,
    as_of: date,
    milestones: Sequence[MilestoneRow] = (),
) -> str | bytes:
    """Write rows in one format; a calendar has the `milestones` of these trials.

    Raises UsageError if XlsxWriter is needed and missing.
    """
    match form:
        case PortfolioFormat.CSV:
            from ctsync.export.portfolio_table import portfolio_csv

            return portfolio_csv(rows)
        case PortfolioFormat.XLSX:
            from ctsync.export.portfolio_table import portfolio_xlsx

            return portfolio_xlsx(rows, as_of=as_of)
        case PortfolioFormat.ICS:
            from ctsync.export.milestone_calendar import milestones_ics

            return milestones_ics(milestones).decode()
        case PortfolioFormat.JSON:
            return dump(rows).decode() + "\n"
