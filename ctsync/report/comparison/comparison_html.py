"""A comparison as one HTML page without scripts, images or external files. Does no I/O."""

from __future__ import annotations

from ctsync.report.comparison.comparison_text import LONGEST
from ctsync.report.comparison.reading import ComparisonReading, others_in, overview
from ctsync.report.comparison.shown_change import shortened
from ctsync.report.html_templates import fill
from ctsync.report.record_view.shown_record import RecordSection, record_sections

_SELDOM_READ = ("resultsSection", "derivedSection")


def comparison_html(
    reading: ComparisonReading, *, has_unchanged: bool = True, trial_page: str = ""
) -> str:
    """Write the page. Long values are folded, never cut.

    With `has_unchanged`, the fields that did not change are folded at the end. `trial_page` is the
    address of the page of the trial, if there is one.
    """
    return fill(
        "comparison.html.j2",
        reading=reading,
        overview=list(overview(reading)) if reading.has_overview else [],
        shortened=shortened,
        others_in=others_in,
        longest=LONGEST,
        links=None,
        trial_page=trial_page,
        unchanged=unchanged_sections(reading) if has_unchanged else [],
    )


def unchanged_sections(reading: ComparisonReading) -> list[RecordSection]:
    """Return the fields that are equal in both versions; without results and derived terms."""
    newer = reading.comparison.newer
    if newer is None:
        return []
    changed = {change.field for change in reading.comparison.changes}
    return record_sections(newer.body, without={*changed, *_SELDOM_READ})
