"""The page of a record of a day or a version."""

from __future__ import annotations

import html
import re
from datetime import date

import pytest

from ctsync.questions.trial.record_as_of import VersionRecord
from ctsync.record.compare.canonical import canonicalize
from ctsync.report.addresses import Addresses
from ctsync.report.trial.version_day import VersionDay
from ctsync.web.frame import Frame
from ctsync.web.pages.record_page import record_page
from ctsync.web.site_trials import record_file
from tests.report.test_record_view import RICH, version_of
from tests.web.html_pages import html_faults

RECORD = canonicalize(RICH)
VERSION = version_of(RECORD)  # version 3
TRIAL = VERSION.nct_id
VERSIONS = tuple(VersionDay(n, date(2026, 1, n)) for n in (1, 3, 4))
FILES = Frame(Addresses("../", {TRIAL}), "all watches")
SERVED = Frame(Addresses("/", {TRIAL}, is_served=True), "all watches")


def page_in(frame: Frame | None, as_of: date | None = None) -> str:
    return record_page(VERSION, RECORD, frame=frame, versions=VERSIONS, as_of=as_of)


@pytest.mark.parametrize("frame", [FILES, SERVED, None])
def test_a_page_in_any_frame_has_no_fault_and_the_raw_record(frame: Frame | None) -> None:
    page = page_in(frame)

    assert html_faults(page) == []
    assert ("<style" in page) == (frame is None)
    assert ('<link rel="stylesheet"' in page) == (frame is not None)
    assert '"newSection": {' in html.unescape(page)


def test_a_page_names_its_version_and_the_day_for_which_it_was_found() -> None:
    assert "The record as of version 3, " in page_in(FILES)
    assert "The record as of 2026-02-10: version 3, " in page_in(SERVED, as_of=date(2026, 2, 10))


def test_a_page_links_to_its_trial_and_to_what_changed() -> None:
    page = page_in(FILES)

    assert f'<a href="../trials/{TRIAL}.html">this trial</a>' in page
    assert f'<a href="../trials/{TRIAL}-1-3.html">what changed in this version</a>' in page
    assert "<form" not in page
    assert '<a rel="prev"' not in page  # a site has only the newest record


def test_the_file_of_a_site_has_no_json_but_a_link_to_it() -> None:
    path, page = record_file(VersionRecord(VERSION, RECORD, VERSIONS), FILES)

    assert f"../{path}" == Addresses("../", {TRIAL}).record(TRIAL)
    assert f'<a href="https://clinicaltrials.gov/api/v2/studies/{TRIAL}">JSON' in page
    assert "<pre" not in page
    assert html_faults(page) == []


def test_a_served_page_leads_to_any_version_and_any_day() -> None:
    page = page_in(SERVED)
    address = f"/trials/{TRIAL}/record"

    assert re.findall(r'<a rel="(\w+)" href="([^"]*)"', page) == [
        ("prev", f"{address}?version=1"), ("next", f"{address}?version=4"),
    ]  # fmt: skip
    assert page.count(f'action="{address}" method="get"') == 2
    assert '<option value="3" selected>3, from 2026-01-03</option>' in page
    assert '<input type="date" name="as_of" required>' in page
