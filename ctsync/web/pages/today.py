"""The page with the changes of a day, or of some days. Does no I/O."""

from __future__ import annotations

from ctsync.report.report import Report
from ctsync.report.sentences import coverage_line, window_line
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page


def today_page(frame: Frame, latest: Report) -> str:
    """Write the page."""
    return fill_page(
        "today.html.j2",
        frame=frame,
        report=latest,
        window=window_line(latest),
        coverage=coverage_line(latest),
    )
