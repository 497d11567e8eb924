"""The page that compares two versions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from ctsync.model import JsonObject, NctId
from ctsync.record.compare.canonical import canonicalize
from ctsync.report.addresses import Addresses
from ctsync.report.comparison.comparison import Comparison
from ctsync.report.comparison.reading import reading_of
from ctsync.report.trial.version_day import VersionDay
from ctsync.web.frame import Frame
from ctsync.web.pages.compare_page import compare_page
from ctsync.web.site_trials import comparison_file
from tests.report.test_comparison import ALL, STATUS, a_study, comparison_of, read
from tests.web.html_pages import html_faults

TRIAL = NctId("NCT03389919")
FILES = Frame(Addresses("../", {TRIAL}), "all watches")
SERVED = Frame(Addresses("/", {TRIAL}, is_served=True), "all watches")


def with_sites(*sites: JsonObject) -> JsonObject:
    study = a_study()
    study["protocolSection"]["contactsLocationsModule"]["locations"] = list(sites)
    return study


GDANSK = {"facility": "Clinic", "city": "Gdańsk", "country": "Poland", "status": "RECRUITING"}
MADRID = {"facility": "Hospital", "city": "Madrid", "country": "Spain", "status": "RECRUITING"}
PERU = {"facility": "Centre", "city": "Lima", "country": "Peru", "status": "RECRUITING"}


def test_the_page_has_a_row_per_changed_site() -> None:
    page = compare_page(
        read(with_sites(GDANSK, MADRID), with_sites(GDANSK | {"status": "COMPLETED"}, PERU))
    )
    rows = re.findall(r"<tr class=\"(?:came|went|)\">(.*?)</tr>", page)
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]

    assert cells == [
        ["removed", "Spain", "Hospital, Madrid", "Recruiting", ""],
        ["status changed", "Poland", "Clinic, Gdańsk", "Recruiting", "Completed"],
        ["added", "Peru", "Centre, Lima", "", "Recruiting"],
    ]


def test_each_change_of_the_page_has_a_stable_link() -> None:
    before, after = with_sites(GDANSK, MADRID), with_sites(GDANSK, PERU)
    after["protocolSection"][STATUS]["overallStatus"] = "TERMINATED"
    pages = [compare_page(read(before, after)) for _ in range(2)]
    anchors = re.findall(r'<li id="(change-[0-9a-f]{10})">', pages[0])

    assert len(anchors) == len(set(anchors)) >= 2
    assert re.findall(r'href="#(change-[0-9a-f]{10})"', pages[1]) == anchors


def test_the_page_shows_a_text_inline_and_side_by_side() -> None:
    before, after = a_study(), a_study()
    old = "Overall survival of all patients who took at least one dose"
    for study, text in ((before, old), (after, old.replace("one dose", "two doses"))):
        study["protocolSection"]["descriptionModule"] = {"briefSummary": text}
    page = compare_page(read(before, after))

    assert 'id="view-inline" checked' in page
    inline = re.search(r'<div class="inline">(.*?)</div>', page, flags=re.DOTALL)
    sides = re.search(r'<div class="sides"><div>(.*?)</div><div>(.*?)</div>', page)
    assert inline
    assert "<del>" in inline[1]
    assert "<ins>" in inline[1]
    assert sides
    assert "<ins>" not in sides[1]
    assert "<del>" not in sides[2]


def test_the_page_folds_the_fields_that_did_not_change() -> None:
    before, after = a_study(), a_study()
    after["protocolSection"][STATUS]["overallStatus"] = "TERMINATED"
    reading = read(before, after)
    page = compare_page(reading)
    unchanged = page.partition("<b>Unchanged</b>")[2]

    assert "Overall survival" in unchanged
    assert "Overall Status" not in unchanged
    assert "<b>Unchanged</b>" not in compare_page(reading, has_unchanged=False)


def test_a_page_of_a_comparison_has_no_fault() -> None:
    page = compare_page(read(with_sites(GDANSK, MADRID), with_sites(GDANSK, PERU)))

    assert html_faults(page) == []


def versions(number: int) -> tuple[VersionDay, ...]:
    return tuple(VersionDay(n, date(2026, 1, n)) for n in range(1, number + 1))


def compared(older: int, newer: int, number: int) -> Comparison:
    """Return the comparison of two of a number of versions."""
    pair = comparison_of(canonicalize(a_study()), canonicalize(with_sites(GDANSK)))
    before, after = (
        replace(one, version=n) for one, n in ((pair.before, older), (pair.after, newer))
    )
    return replace(pair, before=before, after=after, versions=versions(number))


def steps_of(page: str) -> list[tuple[str, str]]:
    """Return the links to other comparisons, with their words."""
    (nav,) = re.findall(r'aria-label="Other comparisons of this trial">(.*?)</nav>', page)
    return re.findall(r'href="([^"]*)">(.*?)</a>', nav)


def test_a_page_links_to_the_steps_beside_it() -> None:
    page = compare_page(reading_of(compared(2, 3, 5), ALL), frame=FILES)

    assert steps_of(page) == [
        ("../trials/NCT03389919-1-2.html", "Previous step: version 1 to 2"),
        ("../trials/NCT03389919-3-4.html", "Next step: version 3 to 4"),
        ("../trials/NCT03389919.html#versions", "All versions"),
    ]


def test_the_newest_step_of_a_site_links_to_the_first_and_the_last_version() -> None:
    page = compare_page(reading_of(compared(4, 5, 5), ALL), frame=FILES)

    assert steps_of(page) == [
        ("../trials/NCT03389919-3-4.html", "Previous step: version 3 to 4"),
        ("../trials/NCT03389919-1-5.html", "First and last: version 1 to 5"),
        ("../trials/NCT03389919.html#versions", "All versions"),
    ]
    assert 'href="../trials/NCT03389919-record.html">record of version 5' in page


def test_a_comparison_over_several_steps_links_to_its_first_and_last_step() -> None:
    page = compare_page(reading_of(compared(1, 5, 5), ALL), frame=FILES)

    assert [words for _, words in steps_of(page)] == [
        "First step: version 1 to 2", "Last step: version 4 to 5", "All versions",
    ]  # fmt: skip


def test_a_new_version_leaves_the_page_of_an_older_step_unchanged() -> None:
    """A site writes again only the comparisons beside the new version."""
    before, after = (
        compare_page(reading_of(compared(1, 2, number), ALL), frame=FILES) for number in (3, 9)
    )
    assert before == after


def test_a_served_page_has_a_form_that_compares_any_two_versions() -> None:
    page = compare_page(reading_of(compared(2, 3, 5), ALL), frame=SERVED)

    assert '<form class="choose screen-only" action="/trials/NCT03389919/compare" method="get"' in (
        page
    )
    chosen = re.findall(r'<option value="(\d)" selected>', page)
    assert chosen == ["2", "3"]
    assert len(re.findall(r"<option ", page)) == 2 * 5
    assert ("/trials/NCT03389919/compare?from=1&amp;to=5", "First and last: version 1 to 5") in (
        steps_of(page)
    )
    assert "/trials/NCT03389919/record?version=3" in page


@pytest.mark.parametrize("frame", [FILES, SERVED, None])
def test_a_page_in_any_frame_has_no_fault(frame: Frame | None) -> None:
    page = compare_page(reading_of(compared(2, 3, 5), ALL), frame=frame)

    assert html_faults(page) == []
    assert ("<style" in page) == (frame is None)
    assert ('<link rel="stylesheet"' in page) == (frame is not None)


def test_the_file_of_a_comparison_has_the_address_to_which_the_trial_links() -> None:
    path, page = comparison_file(compared(1, 2, 2), FILES)

    assert f"../{path}" == Addresses("../", {TRIAL}).compare(TRIAL, 1, 2)
    assert path == "trials/NCT03389919-1-2.html"
    assert '<a href="../trials/NCT03389919.html">this trial</a>' in page
    assert "<b>Unchanged</b>" not in page
