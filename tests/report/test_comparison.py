"""A comparison of two versions in each format: every change is shown, worst first."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings

from ctsync.model import Category, FieldChange, JsonObject, Level, Record, Source, State, Version
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.report.comparison.comparison import ChangeSelection, Comparison
from ctsync.report.comparison.comparison_markdown import comparison_markdown
from ctsync.report.comparison.comparison_text import comparison_lines
from ctsync.report.comparison.entries import entries_of
from ctsync.report.comparison.reading import ComparisonReading, reading_of
from ctsync.report.comparison.shown_change import shown_change
from ctsync.report.comparison.styled_lines import Style, as_text
from ctsync.text import for_markup, for_terminal
from ctsync.web.pages.compare_page import compare_page
from tests.properties.strategies import pairs_of_studies
from tests.registry_fixtures import make_study
from tests.security.attacks import ATTACKS

ALL = ChangeSelection(Level.ADMINISTRATIVE, is_full=True)
STATUS = "statusModule"


def a_study() -> JsonObject:
    study = make_study("NCT03389919")
    protocol = study["protocolSection"]
    for module in ("eligibilityModule", "contactsLocationsModule", "outcomesModule"):
        protocol.setdefault(module, {})
    outcomes = protocol["outcomesModule"]
    outcomes["primaryOutcomes"] = [{"measure": "Overall survival", "timeFrame": "2 years"}]
    return study


def version_of(record: Record, number: int) -> Version:
    moment = datetime(2026, 1, number, tzinfo=UTC)
    key = key_fields(record.body)
    return Version(
        snapshot_id=number, nct_id=record.nct_id, version=number, registry_version=None,
        source=Source.LIVE, state=State.PRESENT, digest=record.digest, posted=key.posted,
        submitted=key.submitted, observed=moment, fetched=moment, key=key,
    )  # fmt: skip


def comparison_of(before: Record, after: Record, *, between: int = 0) -> Comparison:
    changes = diff(before, after)
    return Comparison(
        version_of(before, 1),
        version_of(after, 2 + between),
        (date(2026, 1, 1), date(2026, 1, 2)),
        tuple(changes),
        tuple(classify(changes, before, after)),
        newer=after,
    )


def read(
    before: JsonObject, after: JsonObject, selection: ChangeSelection | None = None
) -> ComparisonReading:
    pair = comparison_of(canonicalize(before), canonicalize(after))
    return reading_of(pair, selection or ChangeSelection())


def text_of(reading: ComparisonReading, width: int = 100) -> str:
    return "\n".join(map(as_text, comparison_lines(reading, width)))


class Words(HTMLParser):
    """Collects the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def squeezed(text: str) -> str:
    """Drop blanks, marks of edits and Markdown escapes, which stand between the words."""
    return re.sub(r"\[-|-\]|\{\+|\+\}|~~|\*\*|\s", "", text)


def unescaped(markdown: str) -> str:
    plain = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace("**", ""))
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def shown_texts(reading: ComparisonReading) -> dict[str, str]:
    page = Words()
    page.feed(compare_page(reading))
    return {
        "text": squeezed(text_of(reading)),
        "markdown": squeezed(unescaped(comparison_markdown(reading))),
        "html": squeezed("".join(page.found)),
    }


def words_of(change: FieldChange) -> list[str]:
    """Return the words that each format must hold of a change: both values, and the label."""
    shown = shown_change(change)
    if shown.title or shown.parts:
        return [shown.label, shown.title, *(part.text for part in shown.parts)]
    if shown.pieces:
        return [shown.label, *(piece.text for piece in shown.pieces)]
    return [shown.label, *(side for side in (shown.before, shown.after) if side is not None)]


def missing_words(comparison: Comparison) -> list[str]:
    """Return the words of changes that a full reading lacks, by format."""
    found = shown_texts(reading_of(comparison, ALL))
    safe = {"text": for_terminal, "markdown": for_markup, "html": for_markup}
    return [
        f"{form}: {word!r}"
        for change in comparison.changes
        for word in words_of(change)
        for form, text in found.items()
        if squeezed(safe[form](" ".join(word.split()))) not in text
    ]


def entry_changes(comparison: Comparison) -> int:
    return sum(len(entry.values) + len(entry.others) for entry in entries_of(comparison))


@given(pairs_of_studies())
@settings(max_examples=60, deadline=None)
def test_a_full_reading_shows_every_field_change_in_each_format(pair: Any) -> None:
    comparison = comparison_of(*map(canonicalize, pair))

    assert entry_changes(comparison) == len(comparison.changes)
    assert missing_words(comparison) == []


def test_the_length_of_a_status_is_given_for_neighbouring_versions_only() -> None:
    before, after = a_study(), a_study()
    after["protocolSection"]["statusModule"] |= {
        "overallStatus": "TERMINATED",
        "whyStopped": "No funds",
        "lastUpdatePostDateStruct": {"date": "2026-05-13", "type": "ACTUAL"},
    }
    active = deepcopy(after)
    active["protocolSection"]["statusModule"]["overallStatus"] = "ACTIVE_NOT_RECRUITING"
    records = [canonicalize(study) for study in (before, active, after)]

    near = text_of(reading_of(comparison_of(records[0], records[1]), ChangeSelection()))
    far = text_of(reading_of(comparison_of(records[0], records[1], between=1), ChangeSelection()))
    stopped = text_of(
        reading_of(comparison_of(records[0], records[2], between=1), ChangeSelection())
    )

    assert "recorded as recruiting on 2026-01-13" in " ".join(near.split())
    assert "Overall Status: Recruiting → Active, not recruiting\n" in far
    assert 'Terminated; why stopped: "No funds"' in stopped


def test_outcomes_that_changed_in_the_same_way_are_folded_with_their_names() -> None:
    before, after = a_study(), a_study()
    for study, months in ((before, 59), (after, 58)):
        study["protocolSection"]["outcomesModule"]["secondaryOutcomes"] = [
            {"measure": name, "timeFrame": f"Up to approximately {months} months"}
            for name in ("Duration of response", "Overall survival", "Adverse events")
        ]

    reading = read(before, after)
    text = " ".join(text_of(reading).split())

    assert text.count("58 months") == 1
    assert "the same of 2 others: Duration of response; Overall survival" in text
    assert "3 routine changes" in reading.verdict
    for form in shown_texts(reading).values():
        assert "thesameof2others:Durationofresponse;Overallsurvival" in form


def test_a_short_text_is_shown_before_and_after() -> None:
    before, after = a_study(), a_study()
    after["protocolSection"]["statusModule"]["statusVerifiedDate"] = "2026-02"

    assert "Record Verification: 2026-01 → 2026-02" in text_of(read(before, after, ALL))


@pytest.fixture
def slipped() -> tuple[JsonObject, JsonObject]:
    before = a_study()
    after = deepcopy(before)
    status = after["protocolSection"][STATUS]
    status["overallStatus"] = "SUSPENDED"
    status["primaryCompletionDateStruct"] = {"date": "2028-05", "type": "ESTIMATED"}
    before["protocolSection"][STATUS]["primaryCompletionDateStruct"] = {
        "date": "2026-04", "type": "ESTIMATED",
    }  # fmt: skip
    status["statusVerifiedDate"] = "2026-02"
    criteria = "Inclusion: adults, ECOG 0 to 1, life expectancy of 3 months"
    before["protocolSection"]["eligibilityModule"]["eligibilityCriteria"] = criteria
    after["protocolSection"]["eligibilityModule"]["eligibilityCriteria"] = criteria.replace(
        "1, life", "2, life"
    )
    return before, after


def test_the_worst_change_comes_first_with_its_size(slipped: tuple[JsonObject, JsonObject]) -> None:
    text = text_of(read(*slipped))

    assert "Overall Status: Recruiting → Suspended" in text
    assert "2026-04 (estimated) → 2028-05 (estimated); +2.1 years" in text
    assert "[-1-] {+2+}" in text or "[-1-]{+2+}" in text
    levels = re.findall(r"^  (critical|notable|routine|admin)", text, re.MULTILINE)
    assert levels == sorted(levels, key=["critical", "notable", "routine", "admin"].index)


def test_the_verdict_counts_the_levels(slipped: tuple[JsonObject, JsonObject]) -> None:
    reading = read(*slipped)

    assert re.search(
        r"\d+ changes in \d+ categories: \d+ critical, .* \(\d+ values differ\)", reading.verdict
    )


def test_administrative_changes_are_counted_with_the_command_that_shows_them(
    slipped: tuple[JsonObject, JsonObject],
) -> None:
    text = " ".join(text_of(read(*slipped)).split())

    assert "1 administrative change is not shown (Bookkeeping)" in text
    assert text.endswith("Show all changes, in full: ctsync diff NCT03389919 1 2 --all")
    assert "Record Verification" not in text
    assert "Record Verification" in text_of(read(*slipped, ALL))
    assert "not shown" not in text_of(read(*slipped, ALL))


def test_the_page_folds_administrative_changes(slipped: tuple[JsonObject, JsonObject]) -> None:
    page = compare_page(read(*slipped))

    assert "Record Verification" in page.partition('<details class="aside">')[2]
    assert "<del>1</del>" in page
    assert "<ins>2</ins>" in page


def test_a_category_or_a_level_selects(slipped: tuple[JsonObject, JsonObject]) -> None:
    dates = text_of(read(*slipped, ChangeSelection(categories=[Category.DATES])))
    assert "Primary Completion" in dates
    assert "Overall Status" not in dates
    worst = read(*slipped, ChangeSelection(Level.CRITICAL))
    assert {entry.level for one in worst.sections for entry in one.entries} == {Level.CRITICAL}


def test_versions_that_do_not_differ_are_reported_so() -> None:
    assert "The two versions do not differ." in text_of(read(a_study(), a_study()))


def test_sites_are_grouped_with_whole_names_by_country() -> None:
    before = a_study()
    module = before["protocolSection"]["contactsLocationsModule"]
    module["locations"] = [
        {"facility": f"Clinic {n}", "city": f"Town {n}", "country": "Poland",
         "status": "NOT_YET_RECRUITING"}
        for n in range(3)
    ]  # fmt: skip
    after = deepcopy(before)
    sites = after["protocolSection"]["contactsLocationsModule"]["locations"]
    sites[0]["status"] = "RECRUITING"
    sites[2] = {"facility": "Hospital", "city": "Rome", "country": "Italy"}

    text = " ".join(text_of(read(before, after)).split())

    assert "1 removed: Clinic 2, Town 2, Poland" in text
    assert "1 opened: Clinic 0, Town 0, Poland" in text
    assert "1 added: Hospital, Rome, Italy" in text


def many_sites() -> tuple[JsonObject, JsonObject]:
    """Two versions of a trial with sites in 16 countries: 48 opened, 32 removed, 16 added."""
    before = a_study()
    kept, lost, added = (
        [
            {"facility": f"{name} clinic {n}", "city": f"{name} town {n}", "zip": f"{name}{n}",
             "country": f"Country {n % 16:02}", "status": "NOT_YET_RECRUITING"}
            for n in range(count)
        ]
        for name, count in (("Kept", 48), ("Lost", 32), ("Added", 16))
    )  # fmt: skip
    before["protocolSection"]["contactsLocationsModule"]["locations"] = kept + lost
    after = deepcopy(before)
    opened = [{**one, "status": "RECRUITING"} for one in kept]
    after["protocolSection"]["contactsLocationsModule"]["locations"] = opened + added
    return before, after


def test_many_changed_sites_are_a_table_with_one_row_per_country() -> None:
    text = text_of(read(*many_sites()), width=80)
    lines = text.partition("SITES\n")[2].partition("\n\n")[0].splitlines()
    print(f"sites: 96 changed in 16 countries, {len(lines)} lines")

    assert lines[1].split() == ["COUNTRY", "REMOVED", "OPENED", "ADDED"]
    assert [line.split() for line in lines[2:4]] == [
        ["Country", "00", "2", "3", "1"],
        ["Country", "01", "2", "3", "1"],
    ]
    assert lines[12].split() == ["6", "more", "(--all)", "12", "18", "6"]
    assert lines[13].split() == ["all", "16", "countries", "32", "48", "16"]
    assert len({len(line) for line in lines[1:]}) == 1
    assert len(lines) == 14
    assert "Kept clinic 0" in text_of(read(*many_sites(), ALL))


def test_many_changed_sites_are_counted_in_lines_if_a_table_is_too_wide() -> None:
    text = text_of(read(*many_sites()), width=50)

    assert max(map(len, text.splitlines())) <= 50
    assert "COUNTRY" not in text
    assert "48 opened: Country 00 3" in text
    assert "12 more sites elsewhere (--all)" in " ".join(text.split())


def test_an_added_outcome_shows_its_fields_with_labels() -> None:
    before, after = a_study(), a_study()
    outcomes = after["protocolSection"]["outcomesModule"]["primaryOutcomes"]
    outcomes.append({"measure": "Pain", "timeFrame": "12 weeks", "description": "By a scale"})

    text = text_of(read(before, after))

    assert "Primary outcome added: Pain" in text
    assert "time frame: 12 weeks" in text
    assert "description: By a scale" in text


def test_a_long_value_is_cut_after_a_word_with_the_way_to_see_it() -> None:
    before, after = a_study(), a_study()
    after["protocolSection"]["statusModule"]["whyStopped"] = "slow accrual " * 100
    before["protocolSection"]["statusModule"].pop("whyStopped", None)

    text = " ".join(text_of(read(before, after)).split())

    assert re.search(r"(slow|accrual) … \([\d,]+ more words: --all\)", text)
    assert "more words" not in text_of(read(before, after, ALL))


def test_lines_are_no_wider_than_the_terminal(slipped: tuple[JsonObject, JsonObject]) -> None:
    for width in (60, 80, 120):
        assert max(map(len, text_of(read(*slipped), width).splitlines())) <= width


def test_edits_have_a_style_of_their_own(slipped: tuple[JsonObject, JsonObject]) -> None:
    styles = {span.style for line in comparison_lines(read(*slipped), 100) for span in line}
    assert {Style.CRITICAL, Style.REMOVED, Style.ADDED, Style.HEADING} <= styles


@pytest.mark.parametrize("attack", ATTACKS)
def test_remote_text_stays_text(attack: str) -> None:
    before, after = a_study(), a_study()
    before["protocolSection"]["identificationModule"]["briefTitle"] = "A title"
    after["protocolSection"]["identificationModule"]["briefTitle"] = attack
    reading = read(before, after, ALL)

    assert "\x1b" not in text_of(reading)
    page = compare_page(reading)
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
