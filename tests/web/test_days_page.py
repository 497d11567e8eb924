"""The first page: cards, new trials, folded changes, and why the other trials are not there."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from ctsync.model import Kind, Level, NctId, StoredEvent, Verdict
from ctsync.questions.operation.health import Health, HealthState
from ctsync.report.addresses import Addresses
from ctsync.report.report import UncheckedTrial
from ctsync.web.pages.today import days_page
from tests.report.examples import (
    LOAD,
    QUICK,
    SEED,
    SLOW,
    contact,
    coverage,
    enrollment,
    event,
    report,
    status,
    stored,
    timeline,
)
from tests.web.contents import LOAD_DAY, RUN, an_id, days_content, frame

HERE = frame(SLOW, QUICK, SEED)


def words_of(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def stopped(number: int, level: Level = Level.CRITICAL) -> StoredEvent:
    title = f"Trial {number}"
    return stored(status("RECRUITING", "TERMINATED", level), an_id(number), brief_title=title)


def arrived(kind: Kind, number: int) -> StoredEvent:
    what = event(kind, path="", label="Registered", after="RECRUITING", rule="R-NEW-02")
    return stored(what, an_id(number), brief_title=f"New {number}")


def test_a_card_says_what_happened_why_it_matters_and_links_to_the_page_of_the_trial() -> None:
    page = days_page(HERE, days_content(report()))
    words = words_of(page)

    assert "A trial of something" in words
    assert "70 (estimated) → 46 (actual) ; -24, -34.3 %" in words
    assert "Why critical: stopped: terminated, withdrawn or suspended R-STA-01" in words
    assert 'href="rules.html#R-STA-01"' in page
    assert f'<a href="trials/{SLOW}.html">A trial of something</a>' in page
    assert "2 trials changed: 2 critical" in words
    assert "Registry data of 2019-07-17 09:00Z" in words
    assert "Last sync 2019-07-17 10:00Z, complete" in words


def test_at_most_seven_cards_are_shown_and_the_rest_is_counted_with_a_link() -> None:
    events = [*map(stopped, range(1, 6)), *(stopped(n, Level.NOTABLE) for n in range(6, 12))]
    page = days_page(HERE, days_content(report(events, watched=20)))

    assert page.count("<article") == 7
    assert re.search(
        r'<a href="changes.html#d2019-07-17">4 more trials changed: 4 notable</a>', page
    )
    assert "11 trials changed: 5 critical, 6 notable" in page


def test_a_card_draws_a_planned_date_that_moved() -> None:
    page = days_page(HERE, days_content(report(timelines={SLOW: timeline()})))

    assert page.count('<div class="card-chart">') == 1
    assert "primary completion first 2012-02 (estimated), now 2014-05" in words_of(page)
    assert "card-chart" not in days_page(HERE, days_content(report()))


def test_a_routine_card_gives_no_reason() -> None:
    page = days_page(HERE, days_content(report([stopped(1, Level.ROUTINE)])))
    assert page.count("<article") == 1
    assert "Why routine" not in words_of(page)


def test_new_trials_of_a_query_have_a_section_and_no_card() -> None:
    events = [stopped(1), arrived(Kind.ENTERED, 2), arrived(Kind.REGISTERED, 3)]
    page = days_page(HERE, days_content(report(events)))

    assert page.count("<article") == 1
    assert "1 trial changed: 1 critical; 2 new" in page
    section = page.partition('id="arrivals"')[2].partition("</section>")[0]
    assert "New 2" in section
    assert "New 3" in section
    assert "Trial 1" not in section


def test_administrative_changes_are_folded() -> None:
    page = days_page(HERE, days_content(report([stored(contact(), QUICK)])))
    assert page.count("<article") == 0
    assert "<summary>1 trial changed administrative fields only</summary>" in page
    assert "Nothing important: 1 trial changed in small ways" in page


def test_a_page_with_few_rows_still_counts_every_trial_with_a_link_to_the_list() -> None:
    events = [
        *map(stopped, range(1, 12)),
        *(stopped(number, Level.NOTABLE) for number in range(12, 15)),
        *(arrived(Kind.ENTERED, number) for number in range(21, 26)),
        *(stored(contact(), an_id(number)) for number in range(31, 34)),
    ]
    whole = days_page(HERE, days_content(report(events, watched=40)))
    short = days_page(HERE, days_content(report(events, watched=40, most_rows=2)))

    for page in (whole, short):
        assert "14 trials changed: 11 critical, 3 notable; 5 new" in page
        assert "<summary>3 trials changed administrative fields only</summary>" in page
        assert 'New in your watches <span class="soft">5 trials</span>' in page
        assert "left out for size" not in page
    link = '<a href="changes.html#d2019-07-17">'
    assert f"{link}7 more trials changed: 4 critical, 3 notable</a>" in whole
    assert (whole.count("<article"), short.count("<article")) == (7, 2)
    assert f"{link}12 more trials changed: 9 critical, 3 notable</a>" in short
    assert f"{link}3 more new trials in the list of changes</a>" in short
    assert f"{link}1 more trial in the list of changes</a>" in short


FAILED = (UncheckedTrial(NctId("NCT00000009"), "timed out"),)
P12 = {
    "no update": (report([]), "No update posted: 4 of 4 trials."),
    "administrative": (
        report([stored(contact(), QUICK)]), "Updated, only administrative fields: 1 of 4 trials.",
    ),
    "not checked": (
        report([], coverage=coverage(3, failed=FAILED)),
        "Could not check: 1 of 4 trials; this run has no data on them.",
    ),
    "not refreshed": (
        report([], coverage=coverage(refreshed=False)),
        "Registry data not refreshed since 2019-07-17 09:00Z: nothing new could be seen for 4 of",
    ),
}  # fmt: skip
SENTENCE = re.compile(
    r"No update posted|Updated, only administrative|Could not check|Registry data not refreshed"
)


@pytest.mark.parametrize("name", P12)
def test_each_of_the_four_sentences_stands_only_where_it_is_true(name: str) -> None:
    of_report, sentence = P12[name]
    words = words_of(days_page(HERE, days_content(of_report)))

    assert sentence in words
    expected = {"administrative": 2, "not checked": 2}.get(name, 1)
    assert len(SENTENCE.findall(words)) == expected, words
    assert ("NCT00000009 timed out" in words) == (name == "not checked")


def test_an_earlier_day_says_what_its_own_sync_checked() -> None:
    run = replace(
        RUN, asked=9, answered=8, failed=1, verdict=Verdict.PARTIAL, error="one timed out"
    )
    content = days_content(report([stopped(1)]), day=replace(LOAD_DAY, run=run), is_newest=False)
    words = words_of(days_page(HERE, replace(content, days=())))

    assert "Synced 2019-07-17 10:00Z, partial: one timed out" in words
    assert "8 of 9 trials checked" in words
    assert "No update posted: 7 of 9 trials." in words
    assert "Could not check: 1 of 9 trials." in words
    assert "Last sync" not in words


def test_a_quiet_day_says_so() -> None:
    page = days_page(HERE, days_content(report([])))
    assert "<h1>No change in 4 trials</h1>" in page
    assert "<article" not in page


def test_what_is_wrong_with_ctsync_stands_at_the_top_and_only_then() -> None:
    reasons = ("no sync has been complete since 2019-07-10",)
    ill = days_content(report(), health=Health(HealthState.STALE, reasons))
    well = days_content(report(), health=Health(HealthState.OK, reasons))

    assert "No sync has been complete since 2019-07-10" in days_page(HERE, ill)
    assert "No sync has been" not in days_page(HERE, well)


def test_the_newest_page_links_to_other_days_and_periods() -> None:
    days = [
        replace(LOAD_DAY, day=date(2019, 7, 17) - timedelta(days=n), changed=n, new=0)
        for n in range(12)
    ]
    page = days_page(HERE, days_content(report(), days=days))

    assert page.count("data-day=") == 12
    assert 'href="days/2019-07-06.html" data-day="2019-07-06"' in page
    assert 'href="days/last-7.html"' in page
    assert '<input type="date" name="day" min="2019-07-06" max="2019-07-17">' in page


def test_the_same_page_has_routes_of_a_server() -> None:
    links = Addresses("/", {SLOW}, is_served=True)
    page = days_page(
        replace(HERE, links=links), days_content(report([stored(enrollment(70, 46, -34.3))]))
    )

    assert f'href="/trials/{SLOW}"' in page
    assert f'href="/?day={LOAD:%Y-%m-%d}"' in page
    assert 'href="/assets/style.css"' in page
