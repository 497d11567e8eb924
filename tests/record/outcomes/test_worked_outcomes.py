"""Worked cases of outcome changes. Each is reconstructed from published wording, not a record."""

from __future__ import annotations

import pytest

from ctsync.model import JsonObject
from ctsync.record.outcomes import OutcomeComparison, compare_outcomes

MAJOR = {"new_primary", "primary_from_secondary", "primary_omitted", "primary_to_secondary"}


def outcome(measure: str, frame: str = "", description: str = "") -> JsonObject:
    values = {"measure": measure, "timeFrame": frame, "description": description}
    return {key: value for key, value in values.items() if value}


def compared(before: list[JsonObject], after: list[JsonObject]) -> OutcomeComparison:
    return compare_outcomes({"primaryOutcomes": before}, {"primaryOutcomes": after})


def reasons(comparison: OutcomeComparison) -> str:
    return " | ".join(change.reason for change in comparison.changes)


def test_irecist_instead_of_recist_is_a_measurement_change() -> None:
    """NCT03690141, reconstructed."""
    found = compared(
        [outcome("Objective response rate according to RECIST 1.1", "24 weeks")],
        [outcome("Objective response rate according to iRECIST", "24 weeks")],
    )
    assert found.labels == {"change_measurement"}
    assert reasons(found) == "measurement RECIST 1.1 -> iRECIST"


def test_another_version_of_an_instrument_is_a_measurement_change() -> None:
    found = compared(
        [outcome("Adverse events by CTCAE 3.0", "24 weeks")],
        [outcome("Adverse events by CTCAE 4.03", "24 weeks")],
    )
    assert found.labels == {"change_measurement"}


def test_letter_case_is_cosmetic() -> None:
    """NCT03674567, reconstructed."""
    found = compared(
        [outcome("Safety and tolerability", "28 days")],
        [outcome("Safety and Tolerability", "28 days")],
    )
    assert found.labels == set()
    assert [change.reason for change in found.changes] == [
        "only letter case or punctuation differs"
    ]


def test_three_of_four_primary_outcomes_dropped_are_omitted() -> None:
    """NCT00478361, reconstructed: four primary outcomes became one, long after completion."""
    kept = outcome("Change in HbA1c", "6 months")
    gone = [
        outcome("Weight loss", "6 months"),
        outcome("Blood pressure", "6 months"),
        outcome("Quality of life by SF-36", "6 months"),
    ]
    found = compared([kept, *gone], [kept])
    assert found.labels == {"primary_omitted"}
    assert reasons(found).count("primary outcome dropped") == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            outcome("all cause mortality at 3 years"),
            outcome("all cause mortality at 3 years", "3 years"),
            id="NCT00118573",
        ),
        pytest.param(
            outcome("Kidney graft function 6 weeks after transplantation."),
            outcome("Kidney graft function", "6 weeks after transplantation"),
            id="NCT00425698",
        ),
        pytest.param(
            outcome("All-cause mortality through Day 42", "Up to Day 42"),
            outcome("All-cause Mortality Through Day 42", "Through Day 42"),
            id="NCT00412893",
        ),
    ],
)
def test_a_time_that_only_moved_is_no_change(before: JsonObject, after: JsonObject) -> None:
    """Reconstructed from the stated wording."""
    assert compared([before], [after]).labels == set()
    assert compared([after], [before]).labels == set()


def test_a_moved_time_is_named_as_the_reason() -> None:
    found = compared([outcome("Mortality at 3 years")], [outcome("Mortality", "3 years")])
    assert reasons(found) == "only where the time stands moved"


def test_a_metric_added_is_a_detail_and_no_replacement() -> None:
    """NCT00630812, reconstructed."""
    found = compared(
        [outcome("FEV1", "26 weeks")],
        [outcome("FEV1 Absolute Change from baseline (mL)", "26 weeks")],
    )
    assert found.labels == {"added_aggregation"}
    assert reasons(found) == "metric detail added: change from baseline"


def test_a_composite_that_is_split_is_not_replaced() -> None:
    """NCT00681135 is split. Reconstructed from the wording of another composite."""
    before = [outcome("Alzheimer's Disease Assessment Scale; Disability Assessment", "78 weeks")]
    after = [
        outcome("Alzheimer's Disease Assessment Scale", "78 weeks"),
        outcome("Disability Assessment", "78 weeks"),
    ]
    assert not compared(before, after).labels & {"primary_omitted", "primary_to_secondary"}
    assert not compared(after, before).labels & {"new_primary", "primary_from_secondary"}


def test_another_time_frame_is_named_with_both_values() -> None:
    found = compared([outcome("Pain score", "12 months")], [outcome("Pain score", "6 months")])
    assert found.labels == {"change_timing"}
    assert reasons(found) == "time frame 12 months -> 6 months"


def test_an_earlier_time_in_the_measure_is_not_called_missing() -> None:
    found = compared([outcome("Pain score at 3 months")], [outcome("Pain score", "12 months")])
    assert found.labels == {"change_timing"}
    assert reasons(found) == "time frame given in the measure -> 12 months"


def test_a_time_frame_given_for_the_first_time_is_added() -> None:
    found = compared([outcome("Overall survival")], [outcome("Overall survival", "24 months")])
    assert found.labels == {"added_timing"}
    assert reasons(found) == "time frame added: 24 months"


def test_an_outcome_that_changes_its_list_is_promoted_or_demoted() -> None:
    response, survival = outcome("Tumour response", "1 year"), outcome("Overall survival", "1 year")
    before = {"primaryOutcomes": [response], "secondaryOutcomes": [survival]}
    after = {"primaryOutcomes": [survival], "secondaryOutcomes": [response]}
    found = compare_outcomes(before, after)
    assert found.labels == {"primary_from_secondary", "primary_to_secondary"}
    assert {change.reason for change in found.changes} == {
        "secondary outcome before, primary now",
        "primary outcome before, secondary now",
    }


def test_the_same_exchange_without_secondary_lists_is_new_and_omitted() -> None:
    found = compared(
        [outcome("Tumour response", "1 year")], [outcome("Overall survival", "1 year")]
    )
    assert found.labels <= {"new_primary", "primary_omitted", "unresolved"}
    assert found.labels


@pytest.mark.parametrize(("before", "after", "label"), [([], [1], "new"), ([1], [], "omitted")])
def test_a_list_that_was_empty_or_is_empty_now(before, after, label: str) -> None:
    one = outcome("Overall survival")
    found = compared([one for _ in before], [one for _ in after])
    assert found.labels == {f"{label}_primary" if label == "new" else f"primary_{label}"}


def test_unresolved_is_shown_with_what_it_may_be() -> None:
    limits = {"changed": 99.0, "unchanged": -99.0}
    before = {"primaryOutcomes": [outcome("Pain score", "12 months")]}
    after = {"primaryOutcomes": [outcome("Pain score", "6 months after surgery")]}
    found = compare_outcomes(before, after, thresholds=limits)
    assert found.labels == {"unresolved"}
    assert reasons(found).startswith("cannot tell whether in substance; perhaps another time")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("Response of ≥ 50 %", "Response of > 50 %", "limit >= 50 -> > 50"),
        ("Response of \\>50 %", "Response of ≥50 %", "limit > 50 -> >= 50"),
    ],
)
def test_another_sign_before_a_limit_is_a_measurement_change(before, after, reason) -> None:
    found = compared([outcome(before, "1 year")], [outcome(after, "1 year")])
    assert found.labels == {"change_measurement"}
    assert reasons(found) == reason


def test_the_same_limit_in_other_signs_is_no_change() -> None:
    before, after = outcome("Response of >= 50 %", "1 year"), outcome("Response of ≥50 %", "1 year")
    assert compared([before], [after]).labels == set()


@pytest.mark.parametrize(
    ("before", "after", "labels"),
    [
        ("59 months", "58 months", {"change_timing"}),
        ("about 59 months after the dose", "about 58 months after the dose", {"change_timing"}),
        ("12.0 months", "12 months", set()),
        ("52 weeks", "1 year", set()),
    ],
)
def test_another_number_alone_is_another_time_however_near(before, after, labels) -> None:
    for old, new in ((before, after), (after, before)):
        assert compared([outcome("Survival", old)], [outcome("Survival", new)]).labels == labels


def test_each_change_says_where_its_outcomes_stand() -> None:
    pain, survival = outcome("Pain score", "1 year"), outcome("Overall survival", "1 year")
    found = compare_outcomes(
        {"primaryOutcomes": [pain, survival], "otherOutcomes": [outcome("Sleep")]},
        {"primaryOutcomes": [pain], "otherOutcomes": [outcome("Sleep"), survival]},
    )
    (change,) = found.changes
    assert change.before_place == ("primary", 1)
    assert change.after_place == ("other", 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Pain", "No pain"),
        ("Safety and efficacy", "Safety"),
        ("Increase in weight", "Decrease in weight"),
        ("Glucose above 7 mmol/l", "Glucose below 7 mmol/l"),
    ],
)
def test_a_filler_that_turns_the_measure_is_never_wording_only(before, after) -> None:
    for old, new in ((before, after), (after, before)):
        found = compared([outcome(old, "1 year")], [outcome(new, "1 year")])
        assert found.labels == {"unresolved"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Overall survival", "Survival"),
        ("Total mortality", "Mortality"),
        ("First relapse", "Relapse"),
        ("Study results", "Patient data"),
    ],
)
def test_a_filler_that_says_what_is_measured_is_never_wording_only(before, after) -> None:
    for old, new in ((before, after), (after, before)):
        found = compared([outcome(old, "1 year")], [outcome(new, "1 year")])
        assert found.labels == {"unresolved"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("OS", "Overall survival"),
        ("Overall survival (OS)", "Overall Survival"),
        ("The pain score of the patients", "Pain score"),
    ],
)
def test_a_filler_that_says_nothing_new_is_wording_only(before, after) -> None:
    for old, new in ((before, after), (after, before)):
        assert compared([outcome(old, "1 year")], [outcome(new, "1 year")]).labels == set()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("three months", "3 months", "only how a number is written differs"),
        ("Three months", "3 months", "only how a number is written differs"),
        ("1,5 years", "1.5 years", "only letter case or punctuation differs"),
        ("3 Months.", "3 months", "only letter case or punctuation differs"),
        ("1. 3 months", "3 months", "only letter case, punctuation, numbering or markup differs"),
        ("Three-months", "3 Months", "only spelling, letter case or punctuation differs"),
    ],
)
def test_texts_that_read_the_same_differ_in_what_the_reason_says(before, after, reason) -> None:
    assert reasons(compared([outcome("Pain", before)], [outcome("Pain", after)])) == reason
