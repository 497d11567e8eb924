"""Comparisons and records as pages of the server. Does no I/O."""

from __future__ import annotations

import re

from ctsync.model import Level
from ctsync.questions.trial.record_as_of import VersionRecord
from ctsync.report.addresses import Addresses
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.report.comparison.comparison_html import comparison_html
from ctsync.report.comparison.reading import reading_of
from ctsync.report.record_view.record_html import record_html
from ctsync.web.asset_files import STYLE
from ctsync.web.frame import Frame

_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def comparison_document(found: Comparison, *, frame: Frame) -> str:
    """Write the page of a comparison; a comparison holds the unchanged fields too, folded."""
    reading = reading_of(found, ChangeSelection(Level.ROUTINE))
    links = frame.links or Addresses()
    page = comparison_html(reading, trial_page=links.trial(found.after.nct_id))
    return _with_style_sheet(page, links)


def record_document(found: VersionRecord, *, frame: Frame) -> str:
    """Write the page of a record."""
    page = record_html(found.version, found.record)
    return _with_style_sheet(page, frame.links or Addresses())


def _with_style_sheet(page: str, links: Addresses) -> str:
    """Replace the styles in a page by the style sheet, because the server forbids inline styles.

    Remote text cannot contain a tag, so each one found is a style of a template.
    """
    sheet = f'<link rel="stylesheet" href="{links.asset(STYLE)}">'
    return _STYLE.sub("", _STYLE.sub(lambda _: sheet, page, count=1))
