"""A report as JSON, for programs; no I/O."""

from __future__ import annotations

from ctsync.report.report import Report
from ctsync.report.row_json import dump
from ctsync.report.rows import report_row


def render_json(report: Report) -> str:
    """Write the report as one indented JSON object.

    In ASCII, so that no character in it can steer a terminal.
    """
    return dump(report_row(report), indent=True, ascii_only=True).decode() + "\n"
