"""The page of a trial."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date

import pytest

from ctsync.model import Kind
from ctsync.report.addresses import Addresses
from ctsync.report.formats.html import render_html
from ctsync.report.trial.charts.site_counts import SiteCount
from ctsync.report.trial.content import ForecastLine, RecordParts, TrialContent
from ctsync.report.trial.outcome_course import OutcomeLine, OutcomeNote
from ctsync.report.trial.timeline import trace
from ctsync.web.frame import Frame
from ctsync.web.pages.trial import render_page
from tests.record.studies import events_between, study
from tests.record.studies import outcome as measure
from tests.report.examples import (
    SLOW,
    WINDOW,
    event,
    outcome,
    report,
    stored,
    story,
    timeline,
    version,
)
from tests.report.test_formats import tags_of
from tests.security.attacks import ATTACKS
from tests.web.html_pages import html_faults

PAGE = render_page(story(), WINDOW)


def words_of(page: str) -> str:
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    return re.sub(r" ([;,])", r"\1", words)


def test_a_page_compares_each_version_with_the_version_before() -> None:
    words = words_of(PAGE)

    assert "Field version 4 version 5 " in words
    assert "Recruiting Terminated" in words
    assert "70 (estimated) 46 (actual); -24, -34.3 %" in words
    assert "Response by <del>RECIST</del> 1.1 in" in PAGE
    assert "Response by <ins>iRECIST</ins> 1.1 in" in PAGE


def test_a_page_lists_every_event_and_every_version_newest_first() -> None:
    numbers = re.findall(r'<section id="v(\d+)">', PAGE)

    assert numbers == ["5", "4", "3", "2", "1"]
    assert PAGE.count("R-ADM-01") == 5
    assert "4 administrative changes" in PAGE
    assert "the first version that is stored" in PAGE


def test_a_page_draws_each_chart_for_wide_and_narrow_screens() -> None:
    pictures = re.findall(r'<svg class="chart (on-\w+)"', PAGE)

    # dates, status, enrollment
    assert pictures == ["on-desk", "on-phone"] * 3
    assert "2013-02 (estimated), given 2012-03-01, +1.0 years (366 days ±28)" in PAGE


def parts_of(text: str) -> RecordParts:
    """Return a page's parts of a record whose texts are all one text."""
    note = OutcomeNote(2, date(2012, 5, 1), text, text)
    lines = [OutcomeLine(rank, text, text, text, (note,)) for rank in ("primary", "other")]
    counts = [SiteCount(date(2011, 5, 1), 1, {}), SiteCount(date(2012, 5, 1), 2, {text: 2, "A": 1})]
    return RecordParts(((text, text), ("Phase", text * 2)), tuple(lines), tuple(counts))


@pytest.mark.slow
def test_remote_text_adds_no_markup_to_a_page() -> None:
    harmless = replace(
        story(), parts=parts_of("x"), forecast=[ForecastLine(date(2012, 5, 1), "x", "x")]
    )
    known = tags_of(render_page(harmless, WINDOW)).seen
    foreign = set()
    for text in ATTACKS:
        versions = [version(1, "2011-05-01", status=text), version(2, text[:10], status="A")]
        days = [date(2011, 5, 1), date(2012, 5, 1)]
        drawn = replace(trace(versions, days, until=date(2013, 1, 1)), title=text)
        content = TrialContent(
            versions,
            [replace(e, brief_title=text) for e in story().events],
            drawn,
            parts=parts_of(text),
            forecast=[ForecastLine(days[1], text, text)],
        )
        foreign |= tags_of(render_page(content, WINDOW)).seen - known
    print(f"page: {len(ATTACKS)} attacks, {len(foreign)} tags or attributes from data")
    assert not foreign


def test_the_table_of_versions_says_what_each_version_changed_and_links_to_it() -> None:
    rows = re.findall(r'<td class="what"><a href="(#v\d)">(.*?)</a></td>', PAGE)

    assert [place for place, _ in rows] == ["#v5", "#v4", "#v3", "#v2", "#v1"]
    words = [html.unescape(text) for _, text in rows]
    assert words[0].startswith("status -> Terminated; 46 of 70 enrolled; ")
    assert words[2].startswith("status -> Suspended")
    assert words[4] == "first stored version"


def test_a_version_with_administrative_changes_alone_says_so() -> None:
    content = story()
    only = replace(content, events=[e for e in content.events if e.event.kind is Kind.CONTACT])

    assert ">4 administrative changes</a></td>" in render_page(only, WINDOW)


def test_a_change_that_is_cut_stands_in_full_below_it() -> None:
    long = [f"Criterion {n}: adults with a number of {n}" for n in range(200)]
    before, after = " ".join(long), " ".join([*long[:100], "Women only.", *long[101:]])
    cut = stored(outcome(before, after), from_version=4, to_version=5)
    shown = render_page(replace(story(), events=[cut]), WINDOW)

    (full,) = re.findall(r'<tr class="full">.*?</tr>', shown, flags=re.DOTALL)
    words = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", full)))
    assert "Criterion 99: adults with a number of 99 " in words
    assert "Women only." in words
    assert "Criterion 199" in words
    assert "as before]" not in words
    assert "ctsync diff" not in shown


def test_a_row_about_an_item_of_a_list_names_the_item() -> None:
    detail = 'Primary outcome time frame of "Overall <survival>": "5 years" -> "2 years"'
    edited = event(
        Kind.OUTCOME, label="Primary outcome time frame", before="5 years", after="2 years",
        summary=detail,
    )  # fmt: skip
    shown = render_page(replace(story(), events=[stored(edited)]), WINDOW)

    assert (
        'Primary outcome time frame <span class="item">of &#34;Overall &lt;survival&gt;&#34;</span>'
        in shown
    )
    assert '<tr class="full">' not in shown


def test_a_registered_trial_shows_its_status_in_words() -> None:
    new = event(Kind.REGISTERED, label="Registered", after="NOT_YET_RECRUITING", path="")
    shown = render_page(replace(story(), events=[stored(new)]), WINDOW)

    assert '<span class="now">Not yet recruiting</span>' in shown


def test_a_page_alone_links_to_the_registry_or_to_the_site_of_web_url() -> None:
    assert set(tags_of(PAGE).links) >= {f"https://clinicaltrials.gov/study/{SLOW}"}
    assert "index.html" not in PAGE
    links = Addresses("https://ct.example.org/")
    there = render_page(story(), WINDOW, frame=Frame(links, is_alone=True))
    assert {"https://ct.example.org/index.html", "https://ct.example.org/feed.atom"} <= set(
        tags_of(there).links
    )


def test_a_page_of_a_server_compares_any_two_versions_and_shows_each_record() -> None:
    served = Frame(Addresses("/", {SLOW}, is_served=True))
    page = render_page(story(), WINDOW, frame=served, has_comparisons=True)

    assert html_faults(page) == []
    assert f'action="/trials/{SLOW}/compare" method="get"' in page
    assert f'href="/trials/{SLOW}/compare?from=4&amp;to=5"' in page
    records = re.findall(r'/record\?version=(\d)">record</a>', page)
    assert records == ["5", "4", "3", "2", "1"]


def test_a_page_of_a_site_links_to_comparisons_and_to_the_newest_record() -> None:
    files = Frame(Addresses("../", {SLOW}))
    page = render_page(story(), WINDOW, frame=files, has_comparisons=True)

    assert "<form" not in page
    assert f'href="../trials/{SLOW}-4-5.html"' in page
    assert page.count(f'href="../trials/{SLOW}-record.html">record</a>') == 1
    assert "-record.html" not in render_page(story(), WINDOW, frame=files)


def test_a_page_and_a_report_are_well_formed_with_captions_scopes_and_labelled_pictures() -> None:
    assert html_faults(PAGE) == []
    assert html_faults(render_html(report(timelines={SLOW: timeline()}))) == []


def test_a_fault_of_a_page_is_found() -> None:
    fine = '<table><caption>x</caption><thead><tr><th scope="col">a</th></tr></thead></table>'
    assert html_faults(fine) == []
    for bad in (
        fine.replace(' scope="col"', ""),
        fine.replace("<caption>x</caption>", ""),
        fine.replace("</th>", ""),
        "<p><ul></ul></p>",
        '<p id="a"></p><p id="a"></p>',
        '<svg role="img" aria-labelledby="none"></svg>',
        "<div/>",
    ):
        assert html_faults(bad), bad


def test_a_page_says_why_a_trial_stopped_and_when_an_outcome_changed() -> None:
    before = study(primary_outcomes=[measure("Overall survival", "59 months")])
    after = study(status="TERMINATED", why="Slow accrual in all countries",
                  primary_outcomes=[measure("Overall survival", "58 months")],
                  posted="2020-03-01")  # fmt: skip
    changes = [stored(one) for one in events_between(before, after)]
    page = html.unescape(words_of(render_page(replace(story(), events=changes), WINDOW)))

    assert 'Recruiting Terminated; why stopped: "Slow accrual in all countries"' in page
    assert "59 months 58 months; 9 months (274 days) after the start" in page
