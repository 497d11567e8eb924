# ruff: noqa: PLC0415 - imported when needed: a text report must not wait for the template library
"""The formats of a report, and the choice between their writers. Does no I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from ctsync.report.report import Report


class ReportFormat(StrEnum):
    """A format of a report."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    CSV = "csv"
    ATOM = "atom"


def render(report: Report, form: ReportFormat) -> str:
    """Write `report` in one format. All formats have the same content."""
    match form:
        case ReportFormat.TEXT:
            from ctsync.report.formats.plain_text import render_text

            return render_text(report)
        case ReportFormat.MARKDOWN:
            from ctsync.report.formats.markdown import render_markdown

            return render_markdown(report)
        case ReportFormat.HTML:
            from ctsync.report.formats.html import render_html

            return render_html(report)
        case ReportFormat.JSON:
            from ctsync.report.formats.json import render_json

            return render_json(report)
        case ReportFormat.CSV:
            from ctsync.report.formats.csv import render_csv

            return render_csv(report)
        case ReportFormat.ATOM:
            from ctsync.report.formats.feed import render_atom

            return render_atom(report)
        case _:
            assert_never(form)
