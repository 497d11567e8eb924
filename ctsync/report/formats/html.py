"""A report as one HTML file without scripts, images or links to fetch. Does no I/O."""

from __future__ import annotations

from ctsync.report.html_templates import fill
from ctsync.report.report import Fold, Report
from ctsync.report.sentences import (
    about_line,
    coverage_line,
    fold_title,
    left_out_sentence,
    welcomes_left_out_sentence,
    window_line,
)


def render_html(report: Report, *, pictures: bool = True) -> str:
    """Write the report; `pictures=False` is for mail programs, which do not show SVG."""
    return fill(
        "report.html.j2",
        report=report,
        about=about_line(report),
        window=window_line(report),
        coverage=coverage_line(report),
        left_out=left_out_sentence(report),
        welcomes_left_out=welcomes_left_out_sentence(report),
        pictures=pictures,
        folds=[(fold_title(report, f), trials) for f in Fold if (trials := report.folded(f))],
    )
