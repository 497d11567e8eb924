"""The page of a trial, and the site of HTML files."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.page import render_page
from ctsync.report.trial.site import build_site
from ctsync.report.trial.timeline import trace
from tests.report.examples import SLOW, WINDOW, report, story, timeline, version
from tests.report.test_formats import tags_of
from tests.security.attacks import ATTACKS

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


def test_a_page_draws_the_timeline_for_wide_and_narrow_screens() -> None:
    assert PAGE.count("<svg") == 2
    assert "2013-02 (estimated), said from 2012-03-01, +1.0 years (366 days ±28)" in PAGE


def test_remote_text_adds_no_markup_to_a_page() -> None:
    known = tags_of(PAGE).seen
    foreign = set()
    for text in ATTACKS:
        versions = [version(1, "2011-05-01", status=text), version(2, text[:10], status="A")]
        days = [date(2011, 5, 1), date(2012, 5, 1)]
        drawn = replace(trace(versions, days, until=date(2013, 1, 1)), title=text)
        content = TrialContent(
            versions, [replace(e, brief_title=text) for e in story().events], drawn
        )
        foreign |= tags_of(render_page(content, WINDOW)).seen - known
    print(f"page: {len(ATTACKS)} attacks, {len(foreign)} tags or attributes from data")
    assert not foreign


def test_a_site_has_an_index_one_page_per_trial_reports_and_a_feed() -> None:
    latest = report(timelines={SLOW: timeline()})
    site = list(build_site([story()], latest, earlier=["reports/2019-07-10.html"]))
    files = dict(site)

    assert [path for path, _ in site] == [
        "latest.html",
        "reports/2019-07-17.html",
        f"trials/{SLOW}.html",
        "feed.atom",
        "index.html",
    ]
    assert f'href="trials/{SLOW}.html"' in files["index.html"]
    assert 'href="reports/2019-07-10.html">report of 2019-07-10</a>' in files["index.html"]
    assert 'href="../index.html"' in files[f"trials/{SLOW}.html"]


def test_the_feed_of_a_site_has_one_entry_per_version_and_none_per_report() -> None:
    feed = dict(build_site([story()], report()))["feed.atom"]
    assert feed.count("<entry>") == len(re.findall(r"<id>\S+#v\d+</id>", feed)) > 1
    assert "urn:ctsync:report" not in feed
    assert '<link rel="alternate" href="index.html" />' in feed


def test_every_link_of_a_site_leads_to_its_files_or_to_the_registry() -> None:
    files = dict(build_site([story()], report()))
    broken = [
        (name, link)
        for name, text in files.items()
        if name.endswith(".html")
        for link in tags_of(text).links
        if not link.startswith(("https://clinicaltrials.gov/study/", "#"))
        and link.removeprefix("../") not in files
    ]
    assert not broken
