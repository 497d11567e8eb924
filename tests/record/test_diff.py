"""Differences between two records, with list items matched by meaning and not by position."""

import random
import time
from functools import partial
from typing import Any

import orjson
import pytest
from deepdiff import DeepDiff

from ctsync.model import MISSING
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import apply, diff, is_order
from tests.record.studies import LOCATIONS, OUTCOMES, outcome, record, site, study


def changed(before, after):
    """Return the changes by path, after checking that applying them gives the other record."""
    changes = diff(before, after)
    assert apply(before, changes).canonical == after.canonical
    return {c.path: (c.before, c.after) for c in changes}


def test_one_value_is_one_change():
    assert changed(record(), record(status="COMPLETED")) == {
        "protocolSection.statusModule.overallStatus": ("RECRUITING", "COMPLETED")
    }


def test_an_added_object_is_one_change_per_leaf():
    before, after = record(start=None), record()
    path = "protocolSection.statusModule.startDateStruct"
    assert changed(before, after) == {
        f"{path}.date": (MISSING, "2019-06-01"),
        f"{path}.type": (MISSING, "ACTUAL"),
    }


@pytest.mark.parametrize("hollow", [{}, []])
def test_an_object_that_replaces_an_empty_value_adds_a_change_for_it(hollow):
    path = "protocolSection.statusModule.startDateStruct"
    assert changed(record(start=hollow), record()) == {
        path: (hollow, MISSING),
        f"{path}.date": (MISSING, "2019-06-01"),
        f"{path}.type": (MISSING, "ACTUAL"),
    }


def test_added_results_are_one_change():
    section = {"participantFlowModule": {"groups": [{"id": "FG000"}]}}
    posted = record(resultsSection=section)
    assert changed(record(), posted) == {"resultsSection": (MISSING, section)}


def test_an_undeclared_part_is_one_change():
    new = record(protocolSection__newModule={"a": [1, 2, {"b": 3}]})
    assert changed(record(), new) == {
        "protocolSection.newModule": (MISSING, {"a": [1, 2, {"b": 3}]})
    }


def test_a_site_at_the_front_of_600_is_one_change():
    sites = [site(f"Hospital {n:03}", zip=str(n)) for n in range(600)]
    new = site("A new one", "Spain", "Madrid")
    found = changed(record(sites=sites), record(sites=[new, *sites]))
    assert found == {f'{LOCATIONS}["A new one | Madrid | Spain"]': (MISSING, new)}


def test_150_edits_among_1500_shuffled_sites_are_150_changes():
    chance = random.Random(1)
    sites = [
        site(f"Hospital {n}", chance.choice(["Poland", "Spain"]), f"City {n % 90}",
             status="RECRUITING", contacts=[{"name": f"Dr {n}", "role": "CONTACT"}])
        for n in range(1500)
    ]  # fmt: skip
    edited = [dict(s) for s in sites]
    for n in chance.sample(range(1500), 150):
        edited[n]["status"] = "COMPLETED"
    chance.shuffle(edited)
    before, after = record(sites=sites), record(sites=edited)
    began = time.perf_counter()
    found = diff(before, after)
    print(f"\n1,500 shuffled sites, 150 edits: {1000 * (time.perf_counter() - began):.0f} ms")
    assert len(found) == 150
    assert {c.field for c in found} == {f"{LOCATIONS}.status"}


def test_sites_with_the_same_name_are_distinguished_by_their_other_fields():
    sites = [site("Research Site", zip=z, status="RECRUITING") for z in ("1", "2", "3")]
    after = [dict(sites[0]), {**sites[1], "status": "COMPLETED"}, dict(sites[2])]
    assert changed(record(sites=sites), record(sites=after)) == {
        f'{LOCATIONS}["Research Site | Warsaw | Poland"].status': ("RECRUITING", "COMPLETED")
    }


def test_a_renamed_site_is_the_same_site():
    before = record(sites=[site("Local Institution - 0071", zip="20162"), site("B", zip="1")])
    after = record(sites=[site("Ospedale Niguarda", zip="20162"), site("B", zip="1")])
    assert changed(before, after) == {
        f'{LOCATIONS}["Local Institution - 0071 | Warsaw | Poland"].facility': (
            "Local Institution - 0071",
            "Ospedale Niguarda",
        )
    }


def test_an_edited_measure_is_not_a_removal_and_an_addition():
    before = record(primary_outcomes=[outcome("Response by RECIST 1.1"), outcome("Survival")])
    after = record(primary_outcomes=[outcome("Response by iRECIST 1.1"), outcome("Survival")])
    path = f'{OUTCOMES}.primaryOutcomes["Response by RECIST 1.1"].measure'
    assert changed(before, after) == {path: ("Response by RECIST 1.1", "Response by iRECIST 1.1")}


def test_outcomes_with_nothing_in_common_are_removed_and_added():
    before = record(primary_outcomes=[outcome("Severity on the 7-point ordinal scale")])
    after = record(primary_outcomes=[outcome("Time to recovery")])
    assert len(changed(before, after)) == 2


def test_another_order_of_outcomes_is_one_change():
    outcomes = [outcome("A"), outcome("B"), outcome("C")]
    before, after = record(primary_outcomes=outcomes), record(primary_outcomes=outcomes[::-1])
    (change,) = diff(before, after)
    assert is_order(change)
    assert (change.before, change.after) == (["A", "B", "C"], ["C", "B", "A"])
    assert apply(before, [change]) == after


def test_order_edits_additions_and_removals_of_a_list_can_be_combined():
    before = record(primary_outcomes=[outcome(m) for m in "ABCDE"])
    after = record(primary_outcomes=[outcome("E"), outcome("New thing"), outcome("B", "1 week"),
                                     outcome("A")])  # fmt: skip
    assert len(changed(before, after)) == 5


def test_changes_are_in_key_order_and_lists_in_order_edits_removals_additions():
    before = record(primary_outcomes=[outcome(m) for m in "ABCD"], why="x", start=None)
    after = record(primary_outcomes=[outcome("Zzz"), outcome("D", "1 week"), outcome("B")])
    listed = f"{OUTCOMES}.primaryOutcomes"
    assert list(changed(before, after)) == [
        listed,
        f'{listed}["D"].timeFrame',
        f'{listed}["A"]',
        f'{listed}["C"]',
        f'{listed}["Zzz"]',
        "protocolSection.statusModule.startDateStruct.date",
        "protocolSection.statusModule.startDateStruct.type",
        "protocolSection.statusModule.whyStopped",
    ]


def test_a_reference_is_identified_by_its_pmid():
    old = {"pmid": "1", "type": "DERIVED", "citation": "A. Title."}
    new = {**old, "citation": "A. Title. Erratum in: B."}
    added = {"pmid": "0", "type": "DERIVED", "citation": "New."}
    path = "protocolSection.referencesModule.references"
    assert changed(record(references=[old]), record(references=[added, new])) == {
        f'{path}["0"]': (MISSING, added),
        f'{path}["1"].citation': ("A. Title.", "A. Title. Erratum in: B."),
    }


def test_keywords_with_changed_letters_are_edits():
    assert changed(record(keywords=["Lung cancer"]), record(keywords=["lung  Cancer"])) == {
        'protocolSection.conditionsModule.keywords["Lung cancer"]': ("Lung cancer", "lung  Cancer")
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [(20, "20"), (1, 1.0), (1, True), (0, False), (None, ""), ([], None), ({}, []), ("", [""]),
     (0, 0.0), (0.0, -0.0), ({"a": 0.0}, {"a": -0.0}), (1.0, True), ([1], [True]),
     ({"a": 1}, {}), ([1], []), ([[1], [2]], [[2], [1]]), ({"a": {}}, {"a": {"b": {}}}),
     ([{}], [{"a": 1}]), ([None, None], [None]), ("é", "e\u0301")],
)  # fmt: skip
def test_values_of_any_type_are_distinguished_and_applied(before, after):
    for path in ("odd", "protocolSection__statusModule__whyStopped", "sites", "keywords"):
        old, new = study(), study()
        old = study(**{path: before}) if before is not None else {**old, "x": None}
        new = study(**{path: after}) if after is not None else new
        there, back = canonicalize(old), canonicalize(new)
        assert bool(changed(there, back)) == (there != back)
        assert bool(changed(back, there)) == (there != back)


def test_a_text_of_10_megabytes_is_compared_like_any_other():
    long = "line of text\n" * 800_000
    before, after = record(eligibility=long), record(eligibility=long + "more")
    assert len(changed(before, after)) == 1


@pytest.mark.slow
def test_thousands_of_items_with_nothing_in_common_are_removed_and_added():
    chance = random.Random(3)
    old, new = (
        [site("".join(chance.choices("abcdefgh", k=20)), city=f"C{n % 9}") for n in range(3000)]
        for _ in range(2)
    )
    assert len(changed(record(sites=old), record(sites=new))) > 3000
    same_name = [[site("A", zip=str(n + plus)) for n in range(1500)] for plus in (0, 5000)]
    assert len(changed(record(sites=same_name[0]), record(sites=same_name[1]))) == 1500


def test_long_item_names_are_shortened_and_stay_distinct():
    measures = [f"{'long ' * 200}{n}" for n in range(3)]
    before = record(primary_outcomes=[outcome(m, "1 day") for m in measures])
    after = record(primary_outcomes=[outcome(m, "2 days") for m in measures])
    paths = list(changed(before, after))
    assert len(set(paths)) == 3
    assert max(map(len, paths)) < 300


def listen(monkeypatch):
    """Return a list that collects each pair of objects given to DeepDiff, with its options."""
    calls = []

    def listening(*sides, **options):
        calls.append((sides, options))
        return DeepDiff(*sides, **options)

    monkeypatch.setattr("deepdiff.DeepDiff", listening)
    return calls


def test_deepdiff_is_called_once_and_never_with_ignore_order(monkeypatch):
    calls = listen(monkeypatch)
    before = record(sites=[site(f"{n}", status="RECRUITING") for n in range(50)])
    after = record(sites=[site(f"{n}", status="COMPLETED") for n in range(50)], why="x")
    assert len(diff(before, after)) == 51
    assert len(calls) == 1
    assert not calls[0][1].get("ignore_order")
    assert diff(before, before) == []
    assert len(calls) == 1


def test_deepdiff_receives_the_equal_fields_beside_a_changed_one(monkeypatch):
    calls = listen(monkeypatch)
    assert len(diff(record(), record(status="COMPLETED"))) == 1
    (((before, after), _),) = calls
    path = "protocolSection.statusModule"
    equal = {
        (path, "statusVerifiedDate"): "2020-01",
        (path, "studyFirstSubmitDate"): "2019-05-01",
        (path, "lastUpdateSubmitDate"): "2020-01-10",
    }
    assert before == {**equal, (path, "overallStatus"): "RECRUITING"}
    assert after == {**equal, (path, "overallStatus"): "COMPLETED"}


def test_deepdiff_receives_items_by_name_and_as_bytes_if_added_or_removed(monkeypatch):
    calls = listen(monkeypatch)
    kept, gone, new = site("Kept", status="RECRUITING"), site("Gone"), site("New", city="Lodz")
    edited = {**kept, "status": "COMPLETED", "contacts": [{"name": "Dr X"}]}
    before, after = record(sites=[gone, kept]), record(sites=[edited, new])
    assert len(diff(before, after)) == 4
    (((before, after), _),) = calls
    as_bytes = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)
    item = f'{LOCATIONS}["Kept | Warsaw | Poland"]'
    equal = {(item, name): kept[name] for name in ("facility", "city", "country")}
    assert before == {
        **equal,
        (item, "status"): "RECRUITING",
        (LOCATIONS, "Gone | Warsaw | Poland"): as_bytes(gone),
    }
    assert after == {
        **equal,
        (item, "status"): "COMPLETED",
        (f"{item}.contacts", "Dr X"): as_bytes({"name": "Dr X"}),
        (LOCATIONS, "New | Lodz | Poland"): as_bytes(new),
    }


def test_a_deepdiff_that_finds_nothing_leaves_no_change(monkeypatch):
    before = record(sites=[site("A"), site("B")], why=None, primary_outcomes=[outcome("A"),
                    outcome("B")], keywords=["x"])  # fmt: skip
    after = record(sites=[site("B", status="COMPLETED"), site("C", "Spain")], why="x", start=None,
                   primary_outcomes=[outcome("B"), outcome("A")], keywords=["X"],
                   resultsSection={"a": 1}, newModule={"b": 2})  # fmt: skip
    assert len(diff(before, after)) == 10
    monkeypatch.setattr("deepdiff.DeepDiff", lambda *_, **__: {})
    assert diff(before, after) == []


@pytest.mark.parametrize(
    "name", ["__private", "", "it's", 'a"]["b', "'both\"", "1", "b'x'", "root"]
)
def test_a_key_with_any_characters_is_compared(name):
    for before, after in (({name: 1}, {name: 2}), ({}, {name: 1}), ({"x": 1}, {name: 1})):
        old, new = (study(newModule={"same": 1, **fields}) for fields in (before, after))
        assert len(changed(canonicalize(old), canonicalize(new))) == len({*before, *after})
        assert len(changed(canonicalize({**study(), **before}), canonicalize({**study(), **after})))


def test_one_value_under_190_objects_is_one_change():
    before: Any = 1
    after: Any = 2
    for _ in range(190):
        before, after = {"a": before, "same": "x"}, {"a": after, "same": "x"}
    assert len(changed(record(newModule=before), record(newModule=after))) == 1


def test_deepdiff_makes_no_line_diff_of_a_text(monkeypatch):
    calls = listen(monkeypatch)
    for text in ("line\nline", "word " * 100):
        assert len(diff(record(eligibility=text), record(eligibility=f"{text}é\n"))) == 1
        (before, after), _ = calls.pop()
        values = [value for side in (before, after) for value in side.values()]
        assert values == [orjson.dumps(text), orjson.dumps(f"{text}é\n")]


def test_changes_do_not_share_objects_with_the_applied_record():
    before, after = record(), record(sites=[site("A")])
    changes = diff(before, after)
    result = apply(before, changes)
    assert orjson.dumps(after.body) == after.canonical
    assert result.body["protocolSection"]["contactsLocationsModule"]["locations"][0] is not (
        changes[0].after
    )
