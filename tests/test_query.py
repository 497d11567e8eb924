"""Queries: checked before any request, with all problems reported together."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.errors import BadQuery
from ctsync.query import PARAMETERS, STATUSES, exactly, phrase, read_query

GOOD: dict[str, Any] = {
    "cond": "(head OR neck) AND pain",
    "term": "AREA[LastUpdatePostDate]RANGE[2023-01-15,MAX]",
    "locn": "Moscow",
    "titles": '"graft failure"',
    "intr": r"anti\-CD20 \"rituximab\"",
    "outc": "survival",
    "spons": "National Research Center for Hematology",
    "lead": "Pfizer",
    "id": "BM-MSC-01",
    "patient": "leukemia",
    "overallStatus": "RECRUITING|NOT_YET_RECRUITING",
    "geo": "distance(39.0035707,-77.1013313,50mi)",
    "ids": "NCT04852770,nct 01728545",
    "advanced": "AREA[MinimumAge]RANGE[MIN, 16 years] AND AREA[MaximumAge]RANGE[16 years, MAX]",
    "synonyms": "ConditionSearch:1651367,BasicSearch:2013558",
    "aggFilters": "status:not rec,sex:f,healthy:y",
    "geoDecay": "func:linear,scale:100km,offset:10km,decay:0.1",
}


def problems(**given: Any) -> list[str]:
    with pytest.raises(BadQuery) as caught:
        read_query({name.replace("__", "."): value for name, value in given.items()})
    return caught.value.problems


def test_every_selecting_parameter_is_accepted_by_short_and_long_name() -> None:
    assert GOOD.keys() == PARAMETERS.keys()
    short = read_query(GOOD)
    assert short == read_query({PARAMETERS[name]: value for name, value in GOOD.items()})
    assert list(short.params) == list(PARAMETERS.values())
    assert short.params["filter.ids"] == "NCT04852770|NCT01728545"


def test_a_list_of_values_equals_the_joined_values() -> None:
    for statuses in (["RECRUITING", "UNKNOWN"], "RECRUITING,UNKNOWN", "RECRUITING | UNKNOWN"):
        asked = read_query({"overallStatus": statuses})
        assert asked.params == {"filter.overallStatus": "RECRUITING|UNKNOWN"}
    assert str(asked) == "overallStatus=RECRUITING|UNKNOWN"
    assert problems(cond=["a", "b"]) == ["cond: must be a text"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("condition", "x", "there is no such parameter; did you mean cond?"),
        ("Cond", "x", "there is no such parameter; did you mean cond?"),
        ("filter__phase", "x", "there is no such parameter; known: advanced, "),
        ("query__overallStatus", "x", "there is no such parameter; known: cond, "),
        ("overalStatus", "x", "there is no such parameter; did you mean overallStatus?"),
        ("pageSize", "5", "does not select trials"),
        ("fields", "NCTId", "does not select trials"),
        ("postFilter__ids", "NCT1", "has the effect of filter.*; write ids"),
        ("overallStatus", "recruiting", "there is no status 'recruiting'; did you mean RECRUITING"),
        ("overallStatus", "RECRUITING,OPEN", "there is no status 'OPEN'; known: "),
        ("geo", "distance(39.0,-77.1)", "is not a place; write distance("),
        ("geo", "distance(-77.1,391.0,50mi)", "is not a position"),
        ("ids", "NCT01728545|NTC04852770", "'NTC04852770' is not an NCT id"),
        ("ids", "nct1728545", "did you mean NCT01728545?"),
        ("aggFilters", "phase:NA", "'phase:NA' is not a facet; write"),
        ("synonyms", "1651367", "is not a synonym; write"),
        ("geoDecay", "linear", "is not a decay; write"),
        ("cond", "", "must not be empty"),
        ("cond", "a\x1bb", "contains an unprintable character"),
        ("cond", 5, "must be a text"),
        ("cond", 'lung" OR AREA[NCTId]NCT1', 'has a " without a closing one'),
        ("cond", "(lung OR liver", "has a ( without a closing one"),
        ("cond", "lung) AND (x", "has a ) without an opening one"),
        ("cond", "lung (a]", "has a ] without an opening one"),
        ("cond", "lung\\", "ends in a backslash"),
        ("advanced", "AREA[StartDate", "has a [ without a closing one"),
        ("term", "NCT04852770", "contains only NCT ids, and then the registry ignores every"),
        ("id", "nct04852770, NCT01728545", "contains only NCT ids"),
        ("id", "nct4852770", "contains only NCT ids"),
    ],
)  # fmt: skip
def test_a_query_that_the_registry_would_misread_is_refused_with_a_correction(
    name: str, value: Any, message: str
) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{name.replace('__', '.')}: ")
    assert message in problem


def test_all_problems_of_a_query_are_reported_together() -> None:
    found = problems(condition="x", overallStatus="OPEN,SHUT", geo="here", pageSize="1")
    assert len(found) == 5


def test_contradicting_or_missing_parameters_are_refused() -> None:
    assert "a query needs a parameter" in problems()[0]
    assert "a query needs a parameter" in problems(geoDecay=GOOD["geoDecay"])[0]
    assert problems(cond="x", geoDecay=GOOD["geoDecay"]) == ["geoDecay: needs geo"]
    assert "4,001 characters" in problems(cond="x" * 4001)[0]
    assert problems(cond="x", query__cond="y") == ["query.cond: given twice"]


@given(st.text(max_size=60))
def test_exactly_makes_one_phrase_of_any_name(name: str) -> None:
    text = exactly(name)
    assert text.count('"') == 2
    if phrase(name).isprintable() and phrase(name):
        read_query({"spons": text, "overallStatus": STATUSES[0]})


@given(st.dictionaries(st.sampled_from([*PARAMETERS, "x"]), st.text(max_size=30), max_size=4))
def test_any_text_is_checked_without_an_error_and_checking_again_changes_nothing(
    given_: dict[str, str],
) -> None:
    with suppress(BadQuery):
        query = read_query(given_)
        assert read_query(query.params) == query
