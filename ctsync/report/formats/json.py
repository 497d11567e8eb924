"""A report as JSON. Does no I/O."""

from __future__ import annotations

from ctsync.report.report import Report
from ctsync.report.rows.report_row import report_row
from ctsync.report.rows.row_json import dump


def render_json(report: Report) -> str:
    """Write the report as one indented JSON object.

    The text is ASCII, so that it cannot control a terminal.
    """
    return dump(report_row(report), indent=True, ascii_only=True).decode() + "\n"
