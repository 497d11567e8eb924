"""A report as CSV: a header, then one row per change. Does no I/O.

Any CSV reader can read it. No spreadsheet runs a cell as a formula.
"""

from __future__ import annotations

import csv
import io
from datetime import date, datetime

from ctsync.dates import format_timestamp
from ctsync.report.formats.change_table import COLUMNS, Value, change_rows
from ctsync.report.report import Report
from ctsync.text import for_csv


def render_csv(report: Report) -> str:
    """Write the changes of a report; no value is cut. Dates are ISO 8601, times are UTC."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([column.name for column in COLUMNS])
    for row in change_rows(report):
        writer.writerow([_cell(value) for value in row.values])
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
