"""Events of the outcome measures."""

import pytest

from ctsync.model import Kind, Level
from ctsync.report.words.short_change import short_change
from tests.record.studies import dated, events_between, outcome, record, study, the_event

PLAN = {"status": "NOT_YET_RECRUITING", "start": dated("2021-01-01")}


def outcome_events(before, after, rank="primary_outcomes", **more):
    old, new = study(**{rank: before}, **more), study(**{rank: after}, **more)
    return events_between(old, new)


def change(before, after, rank="primary_outcomes", **more):
    return the_event(outcome_events(before, after, rank, **more), Kind.OUTCOME)


def test_two_swapped_primary_outcomes_are_only_reordered():
    a, b = outcome("Overall survival"), outcome("Response rate")
    event = change([a, b], [b, a])
    assert (event.rule, event.level) == ("R-ADM-06", Level.ADMINISTRATIVE)
    assert (event.before, event.after) == (
        ["Overall survival", "Response rate"],
        ["Response rate", "Overall survival"],
    )


def test_a_shorter_time_frame_of_a_primary_outcome_is_notable():
    event = change([outcome("Survival", "12 months")], [outcome("Survival", "6 months")])
    assert (event.rule, event.level) == ("R-OUT-07", Level.NOTABLE)
    assert event.inputs["change"] == "time frame changed"
    assert event.inputs["labels"] == ["change_timing"]
    assert '"12 months" -> "6 months"' in event.summary


def test_a_dropped_secondary_outcome_is_routine():
    event = change([outcome("A thing"), outcome("Pain")], [outcome("Pain")], "secondary_outcomes")
    assert (event.rule, event.level) == ("R-OUT-09", Level.ROUTINE)
    assert event.summary == 'Secondary outcome dropped: "A thing"'
    assert (event.before, event.after) == (outcome("A thing"), None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Safety and tolerability", "Safety and Tolerability"),
        ("1. Change in pain", "Change in pain"),
        ("Change in pain", "Change  in pain."),
        ("Rate of m\\^2 \\>60", "Rate of m^2 >60"),
        ("Patients' pain – total", "Patients\u2019 pain - total"),
    ],
)
def test_a_cosmetic_edit_of_a_measure_is_administrative(before, after):
    event = change([outcome(before)], [outcome(after)])
    assert (event.rule, event.level) == ("R-ADM-07", Level.ADMINISTRATIVE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Response by RECIST 1.1", "Response by iRECIST 1.1"),
        ("Response of ≥ 50 %", "Response of > 50 %"),
    ],
)
def test_an_edit_of_a_single_letter_can_be_a_notable_change_of_the_measure(before, after):
    event = change([outcome(before)], [outcome(after)])
    assert (event.rule, event.level) == ("R-OUT-06", Level.NOTABLE)
    assert event.inputs["change"] == "measurement changed"


@pytest.mark.parametrize(
    ("before", "after"),
    [("Response at 10^9/L", "Response at 109/L"), ("AUC(0-24)", "AUC(0-12)")],
)
def test_an_edit_that_the_texts_do_not_decide_is_notable_and_unresolved(before, after):
    event = change([outcome(before)], [outcome(after)])
    assert (event.rule, event.level) == ("R-OUT-13", Level.NOTABLE)
    assert event.inputs["change"] == "unresolved"
    assert "(cannot tell whether in substance; perhaps " in event.summary
    assert short_change(event).phrase.endswith("(perhaps in substance)")


def test_a_primary_outcome_replaced_after_the_start_is_critical():
    event = change([outcome("7-point ordinal scale")], [outcome("Time to recovery")])
    assert (event.rule, event.level) == ("R-OUT-01", Level.CRITICAL)
    assert event.inputs["days_after_start"] == 227
    assert event.summary == (
        'Primary outcome replaced: "7-point ordinal scale" -> "Time to recovery", '
        "7 months (227 days) after the start"
    )
    assert len(event.covers) == 2


def test_a_primary_outcome_replaced_before_the_start_is_notable():
    event = change([outcome("7-point ordinal scale")], [outcome("Time to recovery")], **PLAN)
    assert (event.rule, event.level) == ("R-OUT-04", Level.NOTABLE)
    assert not event.inputs["started"]


def test_without_a_start_date_the_status_decides_whether_the_trial_has_started():
    events = [
        change([outcome("Scale")], [outcome("Time to recovery")], start=None, status=status)
        for status in ("RECRUITING", "NOT_YET_RECRUITING")
    ]
    assert [e.inputs["started"] for e in events] == [True, False]


def test_a_primary_outcome_dropped_after_the_start_is_critical():
    event = change([outcome("Survival"), outcome("Pain")], [outcome("Pain")])
    assert (event.rule, event.level) == ("R-OUT-02", Level.CRITICAL)


def test_four_primary_outcomes_reduced_to_one_are_three_dropped_outcomes():
    names = ["Survival", "Pain", "Function of joints", "Return to work"]
    events = outcome_events([outcome(n) for n in names], [outcome("Pain")])
    assert [e.inputs["change"] for e in events] == ["dropped"] * 3
    assert {e.level for e in events} == {Level.CRITICAL}


def test_a_demoted_primary_outcome_is_one_critical_event():
    survival, pain = outcome("Overall survival"), outcome("Pain")
    before = study(primary_outcomes=[survival, pain], secondary_outcomes=[outcome("Sleep")])
    after = study(primary_outcomes=[pain], secondary_outcomes=[outcome("Sleep"), survival])
    (event,) = events_between(before, after)
    assert (event.rule, event.level) == ("R-OUT-03", Level.CRITICAL)
    assert "demoted from primary to secondary" in event.summary
    assert len(event.covers) == 2
    (back,) = events_between(after, before)
    assert (back.rule, back.inputs["change"]) == ("R-OUT-05", "promoted")


def test_a_secondary_outcome_demoted_to_other_is_routine():
    before = study(secondary_outcomes=[outcome("Sleep")])
    after = study(protocolSection__outcomesModule__otherOutcomes=[outcome("Sleep")])
    (event,) = events_between(before, after)
    assert (event.inputs["change"], event.level) == ("demoted", Level.ROUTINE)


def test_an_added_primary_outcome_is_notable_and_an_added_detail_routine():
    added = change([outcome("Pain")], [outcome("Pain"), outcome("Sleep")])
    assert (added.rule, added.level) == ("R-OUT-05", Level.NOTABLE)
    described = change(
        [outcome("FEV1", "26 weeks")],
        [outcome("FEV1 Absolute Change from baseline (mL)", "26 weeks")],
    )
    assert (described.rule, described.level) == ("R-OUT-08", Level.ROUTINE)
    assert "(metric detail added: change from baseline)" in described.summary


def test_the_days_after_completion_and_results_are_recorded():
    results = {"protocolSection__statusModule__resultsFirstPostDateStruct": dated("2020-01-01")}
    event = change(
        [outcome("Survival")], [outcome("Pain at rest")], primary=dated("2019-12-31"), **results
    )
    assert event.inputs["days_after_primary_completion"] == 14
    assert event.inputs["days_after_results"] == 13
    assert (event.inputs["stage"], event.inputs["near_results"]) == ("after the results", True)
    assert event.summary.endswith(
        "14 days after primary completion and within 31 days of the results"
    )


def test_the_earliest_recorded_start_decides_whether_the_trial_has_started():
    first = record(start=dated("2019-06-01"), primary_outcomes=[outcome("Scale")])
    late = study(start=dated("2021-01-01"), primary_outcomes=[outcome("Time to recovery")])
    event = the_event(events_between(first, late), Kind.OUTCOME)
    assert event.inputs["started"]


def test_hundreds_of_demoted_outcomes_are_matched_by_equal_text():
    many = [outcome(f"{n} is the number of this outcome") for n in range(250)]
    events = events_between(study(primary_outcomes=many), study(secondary_outcomes=many))
    assert [e.inputs["change"] for e in events] == ["demoted"] * 250


LONG = "Achievement of complete response or better and maintaining it for at least twelve months"


def test_a_long_edited_measure_is_named():
    event = change([outcome(LONG)], [outcome(f"{LONG} after the transplant")])
    assert event.summary.startswith(
        'Primary outcome measure of "Achievement of complete response or better…'
    )
    cosmetic = change([outcome(LONG)], [outcome(LONG.upper())])
    assert cosmetic.summary.startswith('Primary outcome measure of "Achievement of complete')


def test_a_description_names_the_time_frame_if_the_measure_is_listed_twice():
    early, late = outcome("Survival", "1 year", description="a"), outcome("Survival", "2 years")
    event = change([early, late], [early, {**late, "description": "Of all patients"}])
    assert event.summary.startswith(
        'Primary outcome description of "Survival" at "2 years" added: "Of all patients"'
    )


def test_one_outcome_in_place_of_a_list_is_reported_without_an_error():
    one, other = {"measure": "Overall survival"}, {"measure": "Response rate"}
    for before, after in ((one, other), (None, one), (one, None), ([one], other), (one, [other])):
        assert outcome_events(before, after)


@pytest.mark.parametrize("value", [[None], [{}], [{"measure": "Survival"}], "Survival", 7])
def test_a_list_inside_the_object_in_place_of_a_list_is_reported_without_an_error(value):
    one = {"measure": value}
    for before, after in ((None, one), (one, None), (one, {"measure": ["Response"]})):
        assert outcome_events(before, after)


@pytest.mark.parametrize("value", [[None], [{}], {"measure": 7}, "Response", 7])
@pytest.mark.parametrize("field", ["measure", "timeFrame", "description"])
def test_a_value_of_another_type_inside_an_outcome_is_reported_without_an_error(field, value):
    before = [{"measure": "Survival"}]
    after = [{"measure": "Survival", field: value}]
    assert outcome_events(before, after)
    assert outcome_events(after, before)
