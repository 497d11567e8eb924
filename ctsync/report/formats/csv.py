"""A report as CSV: a header, then one row per change. Does no I/O.

Any CSV reader can read it. No spreadsheet runs a cell as a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date, datetime

from ctsync.dates import format_timestamp
from ctsync.report.formats.change_table import COLUMNS, Column, Value, change_rows
from ctsync.report.report import Report
from ctsync.text import for_csv


def render_csv(report: Report) -> str:
    """Write the changes of a report; no value is cut. Dates are ISO 8601, times are UTC."""
    return csv_table(COLUMNS, (row.values for row in change_rows(report)))


def csv_table(columns: Iterable[Column], rows: Iterable[Iterable[Value]]) -> str:
    """Write a header and rows, whose values are in the order of the columns."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: Value) -> str | int | float:
    match value:
        case None:
            return ""
        case datetime():
            return format_timestamp(value)
        case date():
            return value.isoformat()
        case str():
            return for_csv(value)
        case _:
            return value
