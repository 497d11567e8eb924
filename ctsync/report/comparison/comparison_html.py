"""A comparison as one HTML page without scripts, images or external files. Does no I/O."""

from __future__ import annotations

from ctsync.report.comparison.comparison_text import LONGEST
from ctsync.report.comparison.reading import ComparisonReading, others_in, overview
from ctsync.report.comparison.shown_change import shortened
from ctsync.report.html_templates import fill


def comparison_html(reading: ComparisonReading) -> str:
    """Write the page. Long values are folded, never cut."""
    return fill(
        "comparison.html.j2",
        reading=reading,
        overview=list(overview(reading)) if reading.has_overview else [],
        shortened=shortened,
        others_in=others_in,
        longest=LONGEST,
        links=None,
    )
