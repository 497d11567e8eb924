"""Trials are found by the words of their records, with and without the text index."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import cycle, permutations, product
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from ctsync.errors import UsageError
from ctsync.model import JsonObject, NctId
from ctsync.questions.portfolio.find import (
    FindQuestion,
    FoundTrial,
    count_found,
    find,
    find_trials,
    scan_note,
)
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.rules.conditions import RECORD_TERMS, read_condition
from ctsync.store.admin.check import check
from ctsync.store.admin.copy import contents, copy_database
from ctsync.store.data.history_versions import HistoryVersion
from ctsync.store.database.tables import BODIES, TEXT_BODIES, TEXT_PLACES, TEXT_VALUES
from ctsync.store.derived import trial_search
from ctsync.store.derived.text_index import MARK, TextDetail
from ctsync.store.derived.text_index_build import build_text_index, drop_text_index
from ctsync.store.derived.word_tables import shares_texts
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.record.studies import study
from tests.registry_fixtures import an_id
from tests.security.attacks import ATTACKS
from tests.sync.histories import FETCHED, keep_history, leave

TODAY = date(2026, 3, 13)
ARMS = "protocolSection__armsInterventionsModule__interventions"
CONDITIONS = "protocolSection__conditionsModule__conditions"
SITES = "protocolSection__contactsLocationsModule__locations"
CRITERIA = "protocolSection__eligibilityModule__eligibilityCriteria"
PARTIES = "protocolSection__sponsorCollaboratorsModule"
TRIALS: list[dict[str, Any]] = [
    {
        CONDITIONS: ["Lung Cancer", "Breast Disease"],
        "protocolSection__conditionsModule__keywords": ["EGFR", "naïve"],
        ARMS: [{"type": "DRUG", "name": "Nivolumab", "otherNames": ["BMS-936558"]}],
        SITES: [
            {"facility": "Charité", "city": "Berlin", "country": "Germany"},
            {"facility": "Hôpital Saint-Louis", "city": "Paris", "country": "France"},
        ],
        CRITERIA: "* ECOG 0 or 1\n* no prior EGFR inhibitor",
        f"{PARTIES}__leadSponsor": {"name": "Novartis", "class": "INDUSTRY"},
        "primary_outcomes": [{"measure": "Overall survival"}],
    },
    {
        CONDITIONS: ["Breast Cancer"],
        ARMS: [{"type": "PROCEDURE", "name": "Surgery"}],
        SITES: [{"facility": "Centre Léon Bérard", "city": "Łódź", "country": "Poland"}],
        CRITERIA: "<p>ECOG: 2</p>",
        f"{PARTIES}__leadSponsor": {"name": "NCI", "class": "NIH"},
        f"{PARTIES}__collaborators": [{"name": "Institut Pasteur", "class": "OTHER"}],
        "protocolSection__outcomesModule__otherOutcomes": [{"measure": "東京 quality of life"}],
    },
    {},
]
EXPECTED = {
    "condition~cancer": [1, 2],
    "condition~breast cancer": [2],
    'condition~"cancer breast"': [],
    "condition=lung-cancer": [1],
    "condition=cancer": [],
    "condition!~lung": [2, 3],
    "condition=none": [3],
    "condition!=none": [1, 2],
    "condition=none|Breast Cancer": [2, 3],
    "keyword~NAIVE": [1],
    "intervention~bms*": [1],
    "intervention~nivolumab|surgery": [1, 2],
    "intervention_type=procedure": [2],
    "intervention_type~drug": [1],
    "collaborator~pasteur": [2],
    "sponsor_class=INDUSTRY": [1],
    "sponsor_class!=nih": [1, 3],
    "country=Germany": [1],
    "country=germany|POLAND": [1, 2],
    "city~lodz": [2],
    "facility~charite": [1],
    'facility~"saint louis"': [1],
    'eligibility~"ecog 0"': [1],
    "eligibility~ecog egfr": [1],
    "eligibility~p": [],
    "outcome~survival": [1],
    "outcome~東京": [2],
    "outcome~東*": [2],
    "outcome~NEAR(overall survival)": [],
    "sponsor~novart": [1],
    "title~trial a": [1, 2, 3],
}


def made(number: int, **values: Any) -> JsonObject:
    return study(**{"protocolSection__identificationModule__nctId": an_id(number), **values})


def keep_trials(store: Store) -> None:
    for number, values in enumerate(TRIALS, 1):
        keep_history(store, [made(number, **values)])


def found(store: Store, *conditions: str, **how: Any) -> list[FoundTrial]:
    return list(find(store, list(map(read_condition, conditions)), today=TODAY, **how))


def numbers(store: Store, *conditions: str, **how: Any) -> list[int]:
    return [int(one.nct_id.removeprefix("NCT")) for one in found(store, *conditions, **how)]


def answers(store: Store) -> dict[str, list[FoundTrial]]:
    return {asked: found(store, asked, ever=True) for asked in EXPECTED}


def test_words_are_found_with_and_without_the_index(store: Store) -> None:
    keep_trials(store)
    assert {asked: numbers(store, asked) for asked in EXPECTED} == EXPECTED
    scanned = answers(store)
    build_text_index(store)
    assert {asked: numbers(store, asked) for asked in EXPECTED} == EXPECTED
    assert answers(store) == scanned
    assert numbers(store, "condition~cancer", "country=France", "status=RECRUITING") == [1]


@pytest.mark.slow
@pytest.mark.parametrize("detail", [TextDetail.WORDS, TextDetail.NAMES])
def test_a_smaller_index_gives_the_same_answers(store: Store, detail: TextDetail) -> None:
    keep_trials(store)
    scanned = answers(store)
    build_text_index(store, detail)
    assert store.texts.detail() is detail
    assert {asked: numbers(store, asked) for asked in EXPECTED} == EXPECTED
    assert answers(store) == scanned
    assert numbers(store, 'eligibility!~"ecog 0"') == [2, 3]
    keep_history(store, [made(4, **{CRITERIA: "no ECOG 0, but 1"}), made(4)])
    assert numbers(store, 'eligibility~"ecog 0"') == [1]
    assert numbers(store, 'eligibility~"ecog 0"', ever=True) == [1, 4]


def test_a_search_says_what_the_index_does_not_have(store: Store) -> None:
    build_text_index(store, TextDetail.NAMES)
    keep_trials(store)
    asked = ("condition~cancer", "eligibility~ecog", "outcome~survival")
    assert numbers(store, *asked) == [1]
    assert scan_note(store, list(map(read_condition, asked))) == (
        "the text index does not have eligibility and outcome: the search reads the records "
        "themselves; build a larger index: ctsync db index-text --detail words"
    )
    assert scan_note(store, [read_condition("facility~charite")]) is None
    build_text_index(store, TextDetail.WORDS)
    assert scan_note(store, list(map(read_condition, asked))) is None


@pytest.mark.slow
def test_an_index_keeps_its_detail_until_another_is_asked_for(
    store: Store, migrated_url: str
) -> None:
    keep_trials(store)
    build_text_index(store, TextDetail.WORDS)
    with store.unit() as unit:
        unit.connection.execute(delete(TEXT_BODIES))
    assert len(check(migrated_url)) == 1
    build_text_index(store)
    assert store.texts.detail() is TextDetail.WORDS
    build_text_index(store, TextDetail.FULL)
    assert store.texts.detail() is TextDetail.FULL
    assert check(migrated_url) == []
    assert {asked: numbers(store, asked) for asked in EXPECTED} == EXPECTED


def test_trials_are_counted_by_the_matches_among_their_versions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for searches with many results: in one statement, with a mark for each version."""
    monkeypatch.setattr(trial_search, "FEW_RECORDS", 0)
    histories = (
        ["France", "Italy", "France"],
        ["France"],
        ["Italy"],
        ["France", "France", "Italy"],
    )
    for number, countries in enumerate(histories, 1):
        keep_history(store, [in_country(number, *one) for one in enumerate(countries, 1)])
    # fetched from the registry history after the newer version: its row comes last
    newest = keep_history(store, [in_country(5, 3, "France")], registry_versions=[1])
    older = canonicalize(in_country(5, 1, "Italy"))
    version = HistoryVersion(0, older, key_fields(older.body), "2020-01-01", FETCHED)
    with store.unit() as unit:
        head = store.trials.heads([newest])[newest].snapshot_id
        unit.histories.insert(newest, version, before=head, room=1, run_id=None)
    build_text_index(store)
    asked = FindQuestion((read_condition("country=France"),))
    days = {"before": date(2019, 12, 31), "in February": date(2020, 2, 15), "now": TODAY}
    counts = {
        "newest": count_found(store, asked, today=TODAY),
        "ever": count_found(store, replace(asked, ever=True), today=TODAY),
        **{name: count_found(store, replace(asked, as_of=day), today=TODAY)
           for name, day in days.items()},
    }  # fmt: skip
    assert counts == {"newest": 3, "ever": 5, "before": 0, "in February": 2, "now": 3}


def in_country(number: int, month: int, country: str) -> JsonObject:
    day = f"2020-0{month}-01"
    return made(number, **{SITES: [{"country": country}], "posted": day, "submitted": day})


@pytest.mark.slow
def test_the_count_is_that_of_the_results_and_pages_leave_out_none(store: Store) -> None:
    keep_trials(store)
    keep_history(
        store, [made(4, posted=f"2020-0{1 + n}-01", **one) for n, one in enumerate(TRIALS)]
    )
    keep_history(store, [made(5, posted=f"2020-0{1 + n}-01", **TRIALS[n % 2]) for n in range(4)])
    asked = ("condition~cancer", "condition!~lung", 'eligibility~"ecog 0"', "sponsor~novart")
    ways: list[dict[str, Any]] = [{}, {"ever": True}, {"as_of": date(2020, 2, 15)}]
    for detail in (None, *TextDetail):
        if detail is not None:
            build_text_index(store, detail)
        for text_asked, way in product(asked, ways):
            question = FindQuestion([read_condition(text_asked)], **way)
            rows = list(find_trials(store, question, today=TODAY))
            assert count_found(store, question, today=TODAY) == len(rows) > 0
            for number, row in enumerate(rows, 1):
                rest = replace(question, after=(row.nct_id, row.from_version))
                assert list(find_trials(store, rest, today=TODAY)) == rows[number:]


@pytest.mark.slow
def test_the_count_of_many_results_is_that_of_the_results(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many records are counted trial by trial in the database, a few by their own rows."""
    keep_trials(store)
    days = ("2020-01-01", "2020-02-01", "2020-02-01", "2020-02", "2020-02-31", "2020-03-01")
    for number, order in enumerate(permutations(range(3)), 4):
        posted = cycle(days[number % 3 :])
        history = [made(number, posted=next(posted), **TRIALS[n]) for n in (*order, *order[:1])]
        keep_history(store, history)
    leave(store, NctId(an_id(5)))
    build_text_index(store)
    asked = (
        ["condition~cancer"], ["condition!~lung"], ["country=none"], ["country!=none"],
        ["condition~cancer", "eligibility~ecog"], ["condition~cancer", "sponsor~novart"],
        ["condition~cancer", "status=RECRUITING"], ["condition~cancer", "state=gone"],
    )  # fmt: skip
    before, second, third = date(2019, 12, 15), date(2020, 2, 15), date(2020, 3, 15)
    ways: list[dict[str, Any]] = [{}, {"ever": True}]
    ways += [{"as_of": day} for day in (before, second, third)]
    ways.append({"newest_id": store.search.newest_id() - 9})
    ways.append({"ever": True, "as_of": third, "newest_id": store.search.newest_id() - 9})
    compared = 0
    for typed, way in product(asked, ways):
        question = FindQuestion(list(map(read_condition, typed)), **way)
        rows = list(find_trials(store, question, today=TODAY))
        with monkeypatch.context() as patched:
            for few in (10_000, 0):
                patched.setattr(trial_search, "FEW_RECORDS", few)
                assert count_found(store, question, today=TODAY) == len(rows), (typed, way, few)
                assert list(find_trials(store, question, today=TODAY)) == rows
        compared += len(rows)
    print(f"{len(asked) * len(ways)} searches: {compared} results, counted in both ways")
    assert compared > 0


@pytest.mark.slow
def test_the_answer_has_the_texts_that_match_and_no_criteria(store: Store) -> None:
    keep_trials(store)
    asked = ("condition~cancer|breast", "eligibility~ecog", "country!=Italy", "status=RECRUITING")
    scanned = [one.values for one in found(store, *asked)]
    build_text_index(store)
    assert [one.values for one in found(store, *asked)] == scanned
    assert scanned[0] == {
        "status": "RECRUITING",
        "condition": ["Breast Disease", "Lung Cancer"],
        "country": [],
    }


@pytest.mark.slow
def test_every_version_counts_on_its_own_day_and_the_first_match_is_named(store: Store) -> None:
    countries = ["France", "Germany", "Germany", "Italy", "Germany"]
    keep_history(
        store,
        [
            made(1, **{SITES: [{"country": country}], "posted": f"2020-0{month}-01"})
            for month, country in enumerate(countries, 1)
        ],
    )
    for _ in range(2):
        runs = found(store, "country=Germany", ever=True)
        assert [(one.from_version, one.to_version, one.first_match) for one in runs] == [
            (2, 3, 2),
            (5, 5, 2),
        ]
        assert numbers(store, "country=Germany", as_of=date(2020, 3, 15)) == [1]
        assert numbers(store, "country=Germany", as_of=date(2020, 4, 15)) == []
        assert found(store, "country=Germany")[0].first_match is None
        build_text_index(store)


def test_an_index_in_use_is_kept_up_by_each_version(store: Store) -> None:
    build_text_index(store)
    keep_trials(store)
    assert scan_note(store, [read_condition("country=Poland")]) is None
    assert {asked: numbers(store, asked) for asked in EXPECTED} == EXPECTED
    leave(store, NctId(an_id(2)))
    assert numbers(store, "country=Poland") == []
    assert numbers(store, "country=Poland", ever=True) == [2]


def test_each_view_of_an_open_store_finds_the_versions_stored_before_it(store: Store) -> None:
    """The records of a search are kept for its next pages, and only for the same data."""
    build_text_index(store)
    for number, values in enumerate(TRIALS, 1):
        keep_history(store, [made(number, **values)])
        seen = [one for one in EXPECTED["condition~cancer"] if one <= number]
        for _ in range(2):
            with store.one_view() as view:
                assert numbers(view, "condition~cancer") == seen
                assert numbers(view, "condition!~lung") == [2, 3][: number - 1]


def test_a_failed_unit_leaves_nothing_in_the_index(store: Store) -> None:
    build_text_index(store)
    before = store.counts()
    lost = canonicalize(made(1, **{CONDITIONS: ["Never stored"]}))
    with suppress(ZeroDivisionError), store.unit() as unit:
        unit.bodies.add(lost, beside=None)
        raise ZeroDivisionError
    assert store.counts() == before
    keep_trials(store)
    assert numbers(store, "condition~never") == []


def test_a_database_without_the_index_has_no_row_of_it(store: Store) -> None:
    keep_trials(store)
    counts = store.counts()
    assert [counts[name] for name in ("text_bodies", "text_values", "text_places")] == [0, 0, 0]
    note = scan_note(store, [read_condition("country=Poland")])
    assert note == (
        "no text index: the search reads the records themselves; build it: ctsync db index-text"
    )
    assert scan_note(store, [read_condition("sponsor~x")]) is None


@pytest.mark.slow
def test_a_dropped_index_leaves_no_row_and_can_be_built_again(store: Store) -> None:
    keep_trials(store)
    before = store.counts(), contents(store)
    first = build_text_index(store)
    assert (first.records, first.damaged) == (3, 0)
    assert drop_text_index(store)
    assert not drop_text_index(store)
    assert (store.counts(), contents(store)) == before
    again = build_text_index(store)
    assert (again.records, again.texts) == (first.records, first.texts)


@pytest.mark.slow
def test_an_unfinished_build_is_not_used_and_is_continued(store: Store) -> None:
    keep_trials(store)
    with store.unit() as unit:
        detail = unit.texts.create()
        unit.texts.add(unit.texts.missing("0:", limit=1), detail)
    assert not store.texts.is_in_use()
    assert numbers(store, "condition~cancer") == [1, 2]
    assert build_text_index(store).records == 3
    assert numbers(store, "condition~cancer") == [1, 2]


@pytest.mark.slow
def test_an_index_of_another_form_is_not_used_and_is_built_from_nothing(store: Store) -> None:
    keep_trials(store)
    build_text_index(store)
    with store.unit() as unit:
        unit.marks.set(MARK, "0")
        unit.connection.execute(delete(TEXT_PLACES))
    assert numbers(store, "condition~cancer") == [1, 2]
    build_text_index(store)
    assert numbers(store, "condition~cancer") == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["places", "words", "table", "shared"])
def test_a_damaged_index_is_reported_and_built_again(
    store: Store, migrated_url: str, damage: str
) -> None:
    keep_trials(store)
    build_text_index(store)
    assert check(migrated_url) == []
    with store.unit() as unit:
        match damage:
            case "places":
                unit.connection.execute(delete(TEXT_BODIES))
            case "words":
                unit.connection.execute(delete(TEXT_VALUES).where(TEXT_VALUES.c.id == 2))
            case "shared" if not shares_texts(unit.connection):
                return  # PostgreSQL has no such table
            case "shared":
                unit.connection.execute(text("DROP TABLE text_shared"))
            case _:
                unit.connection.execute(text("DROP TABLE text_words"))
    (problem,) = check(migrated_url)
    assert str(problem).startswith("text index: text_words: it")
    assert str(problem).endswith("build it again: ctsync db index-text")
    build_text_index(store)
    assert check(migrated_url) == []
    assert {asked: numbers(store, asked) for asked in EXPECTED} == EXPECTED


@pytest.mark.slow
def test_a_damaged_record_hides_no_other_trial(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keep_trials(store)
    digest = store.versions.of(NctId(an_id(1)))[0].digest
    with store.unit() as unit:
        damaged = update(BODIES).where(BODIES.c.digest == digest).values(data=b"x")
        unit.connection.execute(damaged)
    assert numbers(store, "condition~cancer") == [2]
    assert f"{an_id(1)}: a damaged record was left out" in caplog.text
    size = build_text_index(store)
    assert (size.records, size.damaged) == (2, 1)
    assert numbers(store, "condition~cancer") == [2]


@pytest.mark.slow
def test_a_copy_has_no_index_until_it_is_built_there(
    store: Store, migrated_url: str, tmp_path: Any
) -> None:
    keep_trials(store)
    build_text_index(store)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    copy_database(migrated_url, target, clock=StillClock())
    with open_store(target, clock=StillClock()) as copied:
        assert not copied.texts.is_in_use()
        assert copied.counts()["text_values"] == 0
        assert numbers(copied, "condition~cancer") == [1, 2]
        build_text_index(copied)
        assert numbers(copied, "condition~cancer") == [1, 2]


def test_too_many_conditions_are_refused_in_one_line(store: Store) -> None:
    keep_trials(store)
    with pytest.raises(UsageError, match="51 conditions; a search takes 50"):
        found(store, *["country=Poland"] * 51)
    assert numbers(store, *["country=Poland"] * 50) == [2]
    assert numbers(store, "country=" + "|".join(["Poland"] * 100)) == [2]


HOSTILE = (
    '"', '""', '"a', "*", "a*", "**", "NEAR(", "NEAR(a b, 3)", ":", "a:b", "words:a", "-a", "a -b",
    "^a", "a AND", "AND", "a OR b", "NOT a", "(a", "a)", "{words} : a", "a + b", "'", "''", "a'b",
    "\\", "a\\", "&", "a & b", "a|b", "!a", "<->", "a <-> b", "a:*", "a:ABCD", "%", "_", "\0",
    "a\0b", "\ud800", "; DROP TABLE text_words; --", "' OR 1=1 --", "$1", "?", ":number", "%s",
    "{}", "a" * 1000, "a " * 49, "都" * 300, "́", "\u202eabc", "<b>a</b>", "&lt;",
)  # fmt: skip


@pytest.mark.slow
def test_any_typed_text_is_words_or_a_clear_error(store: Store) -> None:
    keep_trials(store)
    build_text_index(store)
    before = store.counts()
    asked, refused = 0, list[str]()
    for attack in (*HOSTILE, *ATTACKS[:20]):
        conditions = []
        for term, operator in product(RECORD_TERMS[::3], ("~", "!~", "=")):
            try:
                conditions.append(read_condition(f"{term.name}{operator}{attack}"))
            except UsageError as error:
                refused.append(str(error))
        if conditions:
            asked += len(conditions)
            list(find(store, conditions, today=TODAY, ever=True))
            list(find(store, conditions[:1], today=TODAY))
    assert store.counts() == before
    assert all(len(said.splitlines()) == 1 for said in refused)
    print(f"hostile words: {asked} searched as words, {len(refused)} refused, no database error")
