"""Flags: each rule at its first day, what cannot be decided, and records of any shape."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.model import JsonObject
from ctsync.record.flags import (
    FLAG_LABELS,
    Flag,
    FlagId,
    FlagState,
    applicable,
    coming_flags,
    flags_of,
    results_due_date,
    shown_flags,
    true_ids,
)
from ctsync.report.words.flag_line import flag_line, ordered_flags
from tests.properties.strategies import build_study, hostile_json
from tests.record.studies import study

DAY = date(2026, 3, 13)
HELD: JsonObject = {
    "oversightModule": {"isFdaRegulatedDrug": True},
    "designModule": {
        "studyType": "INTERVENTIONAL",
        "phases": ["PHASE3"],
        "enrollmentInfo": {"count": 100, "type": "ACTUAL"},
    },
}
US_DRUG: JsonObject = {
    "contactsLocationsModule": {"locations": [{"country": "Guam"}]},
    "armsInterventionsModule": {"interventions": [{"type": "DRUG"}]},
}


def trial(**dates: Any) -> JsonObject:
    """A completed trial that 42 CFR 11.44 applies to, with other values of its status module."""
    status = {
        "overallStatus": "COMPLETED",
        "statusVerifiedDate": "2026-01",
        "startDateStruct": {"date": "2020-01-01"},
        "primaryCompletionDateStruct": {"date": "2024-02-29"},
        "completionDateStruct": {"date": "2024-12-31"},
        "studyFirstSubmitDate": "2019-12-01",
        "studyFirstPostDateStruct": {"date": "2019-12-05"},
    }
    made = status | {name: value for name, value in dates.items() if name in MODULE or value}
    return {
        "protocolSection": HELD | {"statusModule": made},
        "hasResults": "resultsFirstSubmitDate" in dates,
    }


MODULE = frozenset({"statusVerifiedDate"})


def started(day: str, **others: Any) -> JsonObject:
    return trial(startDateStruct={"date": day}, **others)


def tracked(*infos: JsonObject) -> JsonObject:
    """The trial with these entries of its results that are in review."""
    submissions = {"miscInfoModule": {"submissionTracking": {"submissionInfos": list(infos)}}}
    return trial() | {"derivedSection": submissions}


def ids(body: JsonObject, as_of: date = DAY, first: JsonObject | None = None) -> set[str]:
    return {flag.id.value for flag in flags_of(body, as_of=as_of, first=first) if flag.is_true}


def flag(body: JsonObject, flag_id: str, as_of: date = DAY, **first: JsonObject) -> Flag:
    (found,) = (one for one in flags_of(body, as_of=as_of, **first) if one.id == flag_id)
    return found


def day_before_and_day(body: JsonObject, flag_id: str, as_of: date = DAY) -> tuple[bool, bool]:
    """Whether the flag is true on the day before its `since`, and on that day."""
    since = flag(body, flag_id, as_of).since
    assert since is not None
    before = since - timedelta(days=1)
    return flag_id in ids(body, before), flag_id in ids(body, since)


def test_results_are_due_from_the_day_after_one_year() -> None:
    body = trial()

    assert applicable(body) == "ACT"
    assert results_due_date(body) == date(2025, 2, 28)
    assert flag(body, "results_due").since == date(2025, 3, 1)
    assert day_before_and_day(body, "results_due") == (False, True)
    assert flag(body, "results_due").words == (
        "results due 2025-02-28 by the rule of 42 CFR 11.44 as the public tracker applies it; "
        "none posted"
    )


def test_overdue_gives_the_day_of_the_rule_and_that_of_the_tracker() -> None:
    overdue = flag(trial(), "results_overdue")

    assert (overdue.inputs["due"], overdue.inputs["due_by_tracker"]) == ("2025-02-28", "2025-03-30")
    assert overdue.words == (
        "no results posted or in review; due 2025-02-28 by the rule of 42 CFR 11.44 as the public "
        "tracker applies it; overdue for the tracker 30 days later, after 2025-03-30"
    )


def test_results_stay_due_after_they_are_submitted_but_are_not_overdue() -> None:
    posted = trial(resultsFirstSubmitDate="2025-02-28")
    late = trial(resultsFirstSubmitDate="2025-03-01")

    assert ids(posted) == {"results_due"}
    assert ids(late) == {"results_due", "reported_late"}
    assert flag(late, "reported_late").inputs["days"] == 1
    assert flag(posted, "results_due").words.endswith("results are posted")


def test_people_see_results_due_only_while_none_are_posted() -> None:
    def shown(body: JsonObject) -> list[str]:
        return [one.id for one in shown_flags(flags_of(body, as_of=DAY))]

    posted = trial(resultsFirstSubmitDate="2025-03-01")
    assert shown(posted) == ["reported_late"]
    assert shown(posted | {"hasResults": False}) == ["results_due", "reported_late"]
    assert shown(trial()) == ["results_due", "results_overdue"]


@pytest.mark.parametrize(
    ("infos", "expected"),
    [
        ([], {"results_due", "results_overdue"}),
        ([{"releaseDate": "2025-02-01"}], {"results_due"}),
        ([{"releaseDate": "2025-02-01", "resetDate": "2025-03-01"}], {"results_due"}),
        ([{"releaseDate": "2025-04-01"}], {"results_due", "reported_late"}),
        (
            [{"releaseDate": "2025-02-01", "unreleaseDate": "2025-02-02"}],
            {"results_due", "results_overdue"},
        ),
        (
            [
                {"releaseDate": "2025-02-01", "unreleaseDate": "2025-02-02"},
                {"releaseDate": "2026-02-01"},
            ],
            {"results_due"},
        ),
    ],
)
def test_results_in_review_are_not_overdue(infos: list[JsonObject], expected: set[str]) -> None:
    assert ids(tracked(*infos)) == expected


def test_a_certificate_delays_the_day_but_not_the_due_date() -> None:
    on_time = trial(dispFirstSubmitDate="2025-02-28")
    late = trial(dispFirstSubmitDate="2025-03-01")

    assert results_due_date(on_time) == date(2025, 2, 28)
    assert ids(on_time) == set()
    assert ids(late) == {"late_certificate"}
    assert ids(on_time, date(2027, 3, 30)) == {"verification_stale"}
    assert flag(on_time, "results_due", date(2027, 3, 31)).since == date(2027, 3, 31)


def test_the_rule_of_a_late_certificate_does_not_ask_for_the_class() -> None:
    body = trial(dispFirstSubmitDate="2025-03-01")
    body["protocolSection"] = body["protocolSection"] | {"oversightModule": {}}

    assert (applicable(body), ids(body)) == (None, {"late_certificate"})


def test_submitted_results_that_are_not_posted_are_said_so() -> None:
    body = trial(resultsFirstSubmitDate="2025-02-01") | {"hasResults": False}

    assert flag(body, "results_due").words.endswith("submitted 2025-02-01, not posted yet")


def test_an_estimated_submission_is_no_due_date_and_no_submission() -> None:
    body = trial()
    tracking = {"estimatedResultsFirstSubmitDate": "2024-06-01"}
    body["derivedSection"] = {"miscInfoModule": {"submissionTracking": tracking}}

    assert results_due_date(body) == date(2025, 2, 28)
    assert ids(body) == {"results_due", "results_overdue"}


@pytest.mark.parametrize(
    ("module", "value", "expected"),
    [
        ("designModule", HELD["designModule"] | {"phases": ["PHASE1"]}, None),
        ("designModule", HELD["designModule"] | {"phases": ["EARLY_PHASE1"]}, None),
        ("designModule", HELD["designModule"] | {"phases": ["PHASE1", "PHASE2"]}, "ACT"),
        ("designModule", HELD["designModule"] | {"phases": ["NA"]}, "ACT"),
        ("designModule", HELD["designModule"] | {"phases": []}, None),
        ("designModule", HELD["designModule"] | {"studyType": "OBSERVATIONAL"}, None),
        (
            "designModule",
            HELD["designModule"] | {"designInfo": {"primaryPurpose": "DEVICE_FEASIBILITY"}},
            None,
        ),
        ("oversightModule", {"isFdaRegulatedDevice": True}, "ACT"),
        ("oversightModule", {"isFdaRegulatedDrug": False}, None),
        ("oversightModule", {}, None),
    ],
)
def test_the_class_follows_the_design(module: str, value: object, expected: str | None) -> None:
    body = trial()
    body["protocolSection"] = body["protocolSection"] | {module: value}

    assert applicable(body) == expected
    assert (results_due_date(body) is None) == (expected is None)


@pytest.mark.parametrize(
    ("start", "completion", "expected"),
    [
        ("2017-01-18", "2020-01-01", "ACT"),
        ("2017-01", "2020-01-01", "ACT"),
        ("2017-01-17", "2020-01-01", "pACT"),
        ("2016-12", "2017-01-18", "pACT"),
        ("2016-12", "2017-01", "pACT"),
        ("2016-12", "2017-01-17", None),
    ],
)
def test_the_class_follows_the_day_of_the_final_rule(
    start: str, completion: str, expected: str | None
) -> None:
    body = started(start, primaryCompletionDateStruct={"date": completion})

    assert applicable(body) == expected


def test_without_fda_flags_a_product_in_the_united_states_makes_a_pact() -> None:
    body = started("2016-01-01")
    body["protocolSection"] = body["protocolSection"] | {"oversightModule": {}}
    assert applicable(body) is None

    body["protocolSection"] |= US_DRUG
    assert applicable(body) == "pACT"
    body["protocolSection"] |= {"oversightModule": {"isFdaRegulatedDrug": False}}
    assert applicable(body) is None
    body["protocolSection"] |= {"oversightModule": {}}
    body["protocolSection"]["armsInterventionsModule"] = {"interventions": [{"type": "BEHAVIORAL"}]}
    assert applicable(body) is None


def test_a_withdrawn_trial_has_no_due_date() -> None:
    assert results_due_date(trial(overallStatus="WITHDRAWN")) is None


def test_verification_is_stale_from_the_thirteenth_month() -> None:
    body = trial(statusVerifiedDate="2025-02", resultsFirstSubmitDate="2024-06-01")
    body["hasResults"] = False

    assert flag(body, "verification_stale", date(2026, 3, 1)).since == date(2026, 3, 1)
    assert day_before_and_day(body, "verification_stale") == (False, True)
    assert "verification_stale" not in ids(body | {"hasResults": True})


def test_a_new_record_is_not_stale() -> None:
    body = trial(statusVerifiedDate="2020-01", studyFirstPostDateStruct={"date": "2025-03-14"})

    assert "verification_stale" not in ids(body)
    assert "verification_stale" in ids(body, DAY + timedelta(days=1))


def test_an_open_status_past_the_dates() -> None:
    body = study(status="RECRUITING", verified="2026-01")

    assert ids(body, date(2021, 6, 30)) == set()
    assert ids(body, date(2021, 7, 1)) == {"recruiting_past_primary_completion"}
    assert ids(body, date(2022, 6, 30)) == {"recruiting_past_primary_completion"}
    both = {"recruiting_past_primary_completion", "open_past_completion"}
    assert ids(body, date(2022, 7, 1)) == both
    for status in ("ACTIVE_NOT_RECRUITING", "SUSPENDED", "UNKNOWN"):
        assert ids(study(status=status, verified="2026-01")) == {"open_past_completion"}
    assert ids(study(status="COMPLETED", verified="2026-01")) == set()
    assert (
        "2021-06 (counted as 2021-06-30)" in flag(body, "recruiting_past_primary_completion").words
    )


def test_open_past_completion_needs_no_primary_completion() -> None:
    none = study(status="SUSPENDED", primary=None, verified="2026-01")
    later = study(status="SUSPENDED", primary={"date": "2027-01"}, verified="2026-01")

    assert ids(none) == {"open_past_completion"}
    assert ids(later) == set()


@pytest.mark.parametrize(
    ("start", "registered", "expected"),
    [
        ("2019-06-01", "2019-06-01", {}),
        ("2019-06-01", "2019-06-02", {"retrospective": "true"}),
        ("2019-06-01", "2019-06-22", {"retrospective": "true"}),
        ("2019-06-01", "2019-06-23", {"retrospective": "true", "registered_late": "true"}),
        ("2019-06", "2019-06-01", {}),
        ("2019-06", "2019-06-15", {"retrospective": "undecided"}),
        (
            "2019-06",
            "2019-06-30",
            {"retrospective": "undecided", "registered_late": "undecided"},
        ),
        ("2019-06", "2019-07-01", {"retrospective": "true", "registered_late": "undecided"}),
        ("2019-06", "2019-07-21", {"retrospective": "true", "registered_late": "undecided"}),
        ("2019-06", "2019-07-22", {"retrospective": "true", "registered_late": "true"}),
        ("2019", "2019-12-31", {"retrospective": "undecided", "registered_late": "undecided"}),
        ("2001-01-01", "2008-10-18", {"retrospective": "true"}),
        ("2001-01-01", "2008-10-19", {"retrospective": "true", "registered_late": "true"}),
        ("2008-09", "2008-10-19", {"retrospective": "true", "registered_late": "undecided"}),
        ("2008-09", "2008-10-22", {"retrospective": "true", "registered_late": "true"}),
    ],
)
def test_registration_against_the_start(
    start: str, registered: str, expected: dict[str, str]
) -> None:
    body = started(start, studyFirstSubmitDate=registered)
    found = {one.id.value: one for one in flags_of(body, as_of=DAY)}

    for flag_id in ("retrospective", "registered_late"):
        one = found.get(flag_id)
        assert (one.state.value if one else None) == expected.get(flag_id), flag_id
        if one and one.state is FlagState.UNDECIDED:
            assert one.since is None
            assert one.words.endswith("undecided: the start has no day")


@pytest.mark.parametrize(
    ("first", "now", "expected"),
    [
        ("2019-05-01", "2019-06-01", "true"),
        ("2019-05-01", "2019-07", "true"),
        ("2019-05", "2019-06-01", "true"),
        ("2019-05-01", "2019-05-31", None),
        ("2019-05-01", "2019-05-01", None),
        ("2019-06-01", "2019-07-01", None),
        ("2019-05-01", "2019-06", "true"),
        ("2019-06", "2019-06", None),
        ("2019-06", "2019-05", None),
    ],
)
def test_a_start_moved_to_the_registration_or_later(
    first: str, now: str, expected: str | None
) -> None:
    """The trial was registered on 2019-06-01."""
    body, earliest = (started(day, studyFirstSubmitDate="2019-06-01") for day in (now, first))
    found = [
        one.state
        for one in flags_of(body, as_of=DAY, first=earliest)
        if one.id is FlagId.RETROACTIVELY_PROSPECTIVE
    ]

    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("first", "now"),
    [("2019-06", "2019-06-20"), ("2019-05-01", "2019-06"), ("2019-06", "2019-07-01")],
)
def test_a_month_that_holds_the_registration_is_undecided(first: str, now: str) -> None:
    body, earliest = (started(day, studyFirstSubmitDate="2019-06-15") for day in (now, first))
    found = flag(body, "retroactively_prospective", first=earliest)

    assert found.state == "undecided"
    assert "retroactively_prospective" not in ids(body, first=earliest)


def test_without_an_earlier_version_the_move_is_not_known() -> None:
    body = trial()
    found = flag(body, "retroactively_prospective")

    assert found.state == "not_known"
    assert found.since is None
    assert "retroactively_prospective" not in ids(body)
    assert true_ids(flags_of(body, as_of=DAY)) == {"results_due", "results_overdue"}


@pytest.mark.parametrize(
    ("count", "kind", "status", "expected"),
    [
        (9_999_999, "ACTUAL", "COMPLETED", set()),
        (10_000_000, "ESTIMATED", "RECRUITING", {"implausible_enrollment"}),
        (99_999_999, None, "COMPLETED", {"implausible_enrollment"}),
        pytest.param(
            10**5000, None, "COMPLETED", {"implausible_enrollment"}, id="an integer of 5001 digits"
        ),
        (-1, "ACTUAL", "COMPLETED", set()),
        (0, "ACTUAL", "COMPLETED", {"zero_enrollment"}),
        (0, "ACTUAL", "TERMINATED", {"zero_enrollment"}),
        (0, "ACTUAL", "WITHDRAWN", set()),
        (0, "ESTIMATED", "COMPLETED", set()),
        (0, None, "COMPLETED", set()),
        (True, "ACTUAL", "COMPLETED", set()),
        ("0", "ACTUAL", "COMPLETED", set()),
        (None, "ACTUAL", "COMPLETED", set()),
    ],
)
def test_an_enrollment_that_cannot_be_meant(
    count: object, kind: str | None, status: str, expected: set[str]
) -> None:
    info = {"count": count, "type": kind}
    body = {
        "protocolSection": {
            "statusModule": {"overallStatus": status},
            "designModule": {"enrollmentInfo": info},
        }
    }

    assert ids(body) == expected


def test_a_time_of_day_counts_as_its_day() -> None:
    moment = datetime(2025, 2, 28, 23, 59, tzinfo=UTC)

    assert ids(trial(), moment) == set()
    assert ids(trial(), moment + timedelta(minutes=1)) == {"results_due", "results_overdue"}


@pytest.mark.parametrize("day", ["9999-12-31", "9998-12", "9996-12-05"])
def test_a_day_at_the_end_of_the_calendar_is_never_past(day: str) -> None:
    body = trial(
        primaryCompletionDateStruct={"date": day},
        dispFirstSubmitDate=day,
        statusVerifiedDate=day,
        studyFirstPostDateStruct={"date": day},
        studyFirstSubmitDate=day,
    )

    assert true_ids(flags_of(body, as_of=DAY)) == set()
    hold(flags_of(body, as_of=date.max), date.max)


SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "2017-02-30", "2017-13", "2019", "2019-02", "2019-02-29", "20190101", "\u0662019",
     "2019-01-01T00:00:00", 0, -1, 1.5, 10**400, True, [], {}, [[]], {"date": {}}, {"date": "?"}]
)  # fmt: skip
STATUS_KEYS = ("startDateStruct", "primaryCompletionDateStruct", "completionDateStruct",
               "studyFirstSubmitDate", "studyFirstPostDateStruct", "statusVerifiedDate",
               "dispFirstSubmitDate", "resultsFirstSubmitDate", "overallStatus")  # fmt: skip
DAYS = st.dates(date(2000, 1, 1), date(2035, 1, 1))


def hold(found: tuple[Flag, ...], as_of: date) -> None:
    """Check what holds for the flags of every record."""
    assert [one.id for one in found] == sorted({one.id for one in found}, key=list(FlagId).index)
    for one in found:
        assert one.words
        assert one.source
        assert one.since is None or (one.is_true and one.since <= as_of)
        assert all(isinstance(value, str | int | None) for value in one.inputs.values())
        assert one.state is not FlagState.NOT_KNOWN or one.id == "retroactively_prospective"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9), DAYS)
def test_no_record_makes_a_rule_fail(seed: int, other: int, as_of: date) -> None:
    body, first = build_study(seed, odd=0.1), build_study(other, odd=0.1)

    found = flags_of(body, as_of=as_of, first=first)

    hold(found, as_of)
    assert (results_due_date(body) is None) or applicable(body) in ("ACT", "pACT")
    without = flags_of(body, as_of=as_of)
    assert [one for one in found if one.id != "retroactively_prospective"] == [
        one for one in without if one.id != "retroactively_prospective"
    ]


@pytest.mark.slow
@settings(deadline=None)
@given(hostile_json, st.integers(0, 10**9), DAYS)
def test_no_json_makes_a_rule_fail(value: Any, seed: int, as_of: date) -> None:
    chance = random.Random(seed)
    body = trial()
    section = chance.choice(
        [body, body["protocolSection"], body["protocolSection"]["statusModule"]]
    )
    section[chance.choice(list(section))] = value

    for hostile in (value, body, {"protocolSection": value}, {"derivedSection": value}):
        hold(flags_of(hostile, as_of=as_of, first=value), as_of)
        applicable(hostile)
        results_due_date(hostile)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(STATUS_KEYS), SCALARS | DAYS.map(str)), DAYS)
def test_a_flag_is_true_from_its_day_on(values: dict[str, Any], as_of: date) -> None:
    body = trial()
    body["protocolSection"]["statusModule"] |= values
    found = flags_of(body, as_of=as_of)

    hold(found, as_of)
    for one in found:
        if one.since is not None and one.since > date(2001, 1, 1):
            on, before = ids(body, one.since), ids(body, one.since - timedelta(days=1))
            assert one.id in on
            assert one.id not in before


def test_every_flag_has_a_label() -> None:
    assert list(FLAG_LABELS) == list(FlagId)


def coming(body: JsonObject, after: date = date(2024, 1, 1)) -> list[tuple[str, date | None]]:
    return [(one.id.value, one.since) for one in coming_flags(body, after=after)]


def test_flags_that_become_true_by_time_alone_have_their_first_day() -> None:
    body = trial(overallStatus="ACTIVE_NOT_RECRUITING")
    assert coming(body) == [
        ("open_past_completion", date(2025, 1, 1)),
        ("results_due", date(2025, 3, 1)),
        ("results_overdue", date(2025, 3, 1)),
        ("verification_stale", date(2027, 2, 1)),
    ]
    assert coming(body, date(2025, 3, 1)) == [("verification_stale", date(2027, 2, 1))]
    assert coming({}) == []


def test_a_verification_is_not_forecast_as_stale_after_completion_with_results() -> None:
    body = trial(statusVerifiedDate="2023-01", resultsFirstSubmitDate="2024-03-01")
    assert coming(body) == [("verification_stale", date(2024, 2, 1))]
    assert coming(trial(statusVerifiedDate="2024-01", resultsFirstSubmitDate="2024-03-01")) == []


def test_a_line_names_the_most_important_flags_and_counts_the_others() -> None:
    every = [Flag(one, "words", {}, "source", DAY) for one in FlagId]
    assert len(ordered_flags(every)) == len(FlagId)
    assert flag_line(every, DAY, more_at="ctsync flags NCT00000001") == (
        "Flags on 2026-03-13: results overdue by 42 CFR 11.44 since 2026-03-13; open past "
        "completion since 2026-03-13; recruiting past primary completion since 2026-03-13; "
        "7 more: ctsync flags NCT00000001"
    )
    (late,) = (one for one in every if one.id is FlagId.RETROSPECTIVE)
    assert flag_line([late], None) == "Flags: registered after the start, 2026-03-13"
    assert flag_line([], DAY) == ""
