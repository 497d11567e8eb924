"""The pages of changes, watches, runs, deliveries and rules."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import date

from ctsync.model import Verdict
from ctsync.questions.changes.rules import rule_table_row
from ctsync.record.rules.rules import RULES, Thresholds
from ctsync.web.asset_files import asset_files
from ctsync.web.pages.changes import ChangePeriod, changes_page
from ctsync.web.pages.deliveries import deliveries_page, without_names
from ctsync.web.pages.rules import rules_page
from ctsync.web.pages.runs import runs_page
from ctsync.web.pages.watches import watches_page
from tests.web.contents import DAY, an_id, deliveries_of, frame, listed, runs_of, watch_of
from tests.web.test_days_page import words_of

HERE = frame(an_id(1))
TEXTS = ("first text", "second text", "third text")


def test_each_row_of_the_changes_has_the_values_that_the_filters_select() -> None:
    page = changes_page(HERE, list(listed(TEXTS)), ChangePeriod(DAY, DAY, older="changes/x.html"))

    rows = re.findall(r"<tr data-filter-level=\"(\w+)\" data-filter-category=\"(\w+)\"", page)
    assert rows == [("notable", "status"), ("routine", "status")] * 3
    for name in ("kind", "watch", "sponsor", "day"):
        assert page.count(f"data-filter-{name}=") == len(rows)
    assert page.count("data-text=") == len(rows)
    assert 'data-filter-watch="[&#34;second text&#34;]"' in page
    assert '<option value="second text">second text</option>' in page
    assert "6 changes from 2019-07-17 to 2019-07-17" in words_of(page)
    assert f'href="trials/{an_id(1)}.html#v5"' in page
    assert page.count('href="changes/x.html"') == 2


def test_days_without_a_change_say_so_and_have_no_filter() -> None:
    page = changes_page(HERE, [], ChangePeriod(date(2019, 7, 8), DAY))
    assert "No change in these days." in page
    assert "<form" not in page


def test_a_watch_says_why_each_trial_is_in_it_or_left_it() -> None:
    words = words_of(watches_page(HERE, [watch_of(["a"] * 7, "oncology")]))

    assert "oncology 8 trials: 3 matching the query, 1 left it, 4 named" in words
    assert "cond=a" in words
    assert words.index("left the query on 2019-07-17") < words.index("matches the query")
    assert "named as a" in words
    assert "not in the registry as of 2019-07-17" in words
    assert "merged into NCT00000001" in words


def test_a_long_watch_names_the_list_of_all_its_trials() -> None:
    watch = watch_of(["a"] * 7, "oncology & more")
    page = watches_page(HERE, [replace(watch, listed=watch.listed[:3])])

    assert "4 more trials: list all of them" in words_of(page)
    assert 'href="trials.html?watch=oncology+%26+more"' in page
    assert an_id(7) not in page


def test_runs_are_listed_with_their_verdict_and_error() -> None:
    found = runs_of(TEXTS)
    found[0] = replace(found[0], verdict=Verdict.OK, error=None, notices=())
    page = runs_page(HERE, found, 7)

    assert '<span class="mark good">ok</span>' in page
    assert page.count('<span class="mark bad">failed</span>') == 2
    assert "second text" in page
    assert "of 7; all: ctsync runs --limit 7" in re.sub("</?code>", "", page)


def test_deliveries_are_counted_by_recipient_without_names_of_people() -> None:
    rows = deliveries_of(["anna.b@example.org"] * 3)
    page = deliveries_page(HERE, [*rows, *deliveries_of(["hook"])])

    assert "anna" not in page
    assert page.count("a…@example.org") == 3  # channel, recipient and error of this example
    assert words_of(page).count("parked") >= 2
    assert "Nothing waits to be sent." in deliveries_page(HERE, [])


def test_mail_addresses_are_shortened_everywhere_in_a_text() -> None:
    assert without_names("550 <anna@example.org>: no, bob.c@x.example") == (
        "550 <a…@example.org>: no, b…@x.example"
    )
    assert without_names("no address") == "no address"


def test_the_rules_have_a_place_each_and_the_thresholds_in_force() -> None:
    own = {"mine": asdict(Thresholds(slip_notable_days=10.0)), "same": asdict(Thresholds())}
    page = rules_page(HERE, rule_table_row(Thresholds(slip_critical_days=400)), own)
    words = words_of(page)

    assert re.findall(r'<tr id="([\w-]+)">', page) == [rule.id for rule in RULES]
    assert "slip_critical_days 400" in words
    mine = words.partition("Watch mine")[2].partition("Watch same")[0]
    assert "slip_notable_days 10" in mine
    assert "start_slip_notable_days" not in mine


def test_the_style_sheet_loads_nothing_and_marks_the_focus() -> None:
    style = asset_files()["style.css"]
    assert not re.search(r"url\(|@import|https?:", style)
    assert ":focus-visible" in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
