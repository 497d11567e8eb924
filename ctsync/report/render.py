"""One report, many forms: the format is an enum and the factory a match; no I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from ctsync.report.render_json import render_json
from ctsync.report.render_text import render_text
from ctsync.report.values import Report


class ReportFormat(StrEnum):
    """A form a report can take."""

    TEXT = "text"
    JSON = "json"


def render(report: Report, form: ReportFormat) -> str:
    """Write `report` in one format; every format has the same content."""
    match form:
        case ReportFormat.TEXT:
            return render_text(report)
        case ReportFormat.JSON:
            return render_json(report)
        case _:
            assert_never(form)
