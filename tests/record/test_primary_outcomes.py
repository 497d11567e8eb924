"""Events of primary outcomes from the comparison. The cases are reconstructed from wording."""

import pytest

from ctsync.model import Kind, Level
from ctsync.report.words.short_change import short_change
from tests.record.studies import dated, events_between, outcome, study, the_event

RESULTS_SUBMITTED = "protocolSection__statusModule__resultsFirstSubmitDate"


def outcome_events(before, after, secondary=((), ()), **more):
    old, new = (
        study(primary_outcomes=list(one) or None, secondary_outcomes=list(other) or None, **more)
        for one, other in zip((before, after), secondary, strict=True)
    )
    return [e for e in events_between(old, new) if e.kind is Kind.OUTCOME]


def said(events):
    return [(event.inputs["change"], event.rule, event.level) for event in events]


def test_nct00478361_three_of_four_dropped_long_after_completion_are_critical():
    kept = outcome("Change in HbA1c", "6 months")
    gone = [
        outcome(name, "6 months")
        for name in ("Weight loss", "Blood pressure", "Quality of life by SF-36")
    ]
    dates = {"start": dated("2010-01-01"), "primary": dated("2012-01-31", "ACTUAL")}
    events = outcome_events([kept, *gone], [kept], **dates)
    assert said(events) == [("dropped", "R-OUT-02", Level.CRITICAL)] * 3
    assert {e.inputs["stage"] for e in events} == {"after completion"}
    assert all(
        e.summary.endswith("8.0 years (2,905 days) after primary completion") for e in events
    )


def test_nct03690141_another_instrument_is_a_measurement_change():
    (event,) = outcome_events(
        [outcome("Objective response rate according to RECIST 1.1", "24 weeks")],
        [outcome("Objective response rate according to iRECIST", "24 weeks")],
    )
    assert said([event]) == [("measurement changed", "R-OUT-06", Level.NOTABLE)]
    assert event.inputs["labels"] == ["change_measurement"]
    assert "(measurement RECIST 1.1 -> iRECIST)" in event.summary


def test_nct03674567_letter_case_is_administrative():
    (event,) = outcome_events(
        [outcome("Safety and tolerability", "28 days")],
        [outcome("Safety and Tolerability", "28 days")],
    )
    assert said([event]) == [("cosmetic", "R-ADM-07", Level.ADMINISTRATIVE)]


def test_nct00681135_a_split_composite_is_neither_dropped_nor_replaced():
    events = outcome_events(
        [outcome("Alzheimer's Disease Assessment Scale; Disability Assessment", "78 weeks")],
        [
            outcome("Alzheimer's Disease Assessment Scale", "78 weeks"),
            outcome("Disability Assessment", "78 weeks"),
        ],
    )
    assert Level.CRITICAL not in {event.level for event in events}
    assert not {event.inputs["change"] for event in events} & {"replaced", "dropped", "demoted"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (outcome("Mortality at 3 years", ""), outcome("Mortality", "3 years")),
        (outcome("Mortality through Day 42", "Up to Day 42"),
         outcome("Mortality Through Day 42", "Through Day 42")),
    ],
)  # fmt: skip
def test_a_time_that_moved_between_fields_is_one_administrative_event(before, after):
    for old, new in ((before, after), (after, before)):
        (event,) = outcome_events([old], [new])
        assert said([event]) == [("reworded", "R-OUT-14", Level.ADMINISTRATIVE)]
        assert len(event.covers) == 2
        assert (event.before, event.after) == (old, new)
        assert event.path.endswith('"]')


def test_two_edited_fields_of_an_outcome_are_one_event_with_its_reason():
    before = outcome("Pain score", "12 months", description="On a scale")
    (event,) = outcome_events(
        [before], [outcome("Pain score", "6 months", description="On the scale")]
    )
    assert said([event]) == [("time frame changed", "R-OUT-07", Level.NOTABLE)]
    assert event.summary == (
        'Primary outcome edited: "Pain score" (time frame 12 months -> 6 months), '
        "7 months (227 days) after the start"
    )
    assert short_change(event).phrase == ('Primary outcome with another time frame: "Pain score"')


def test_an_outcome_that_changed_its_list_is_found_by_all_its_fields():
    response, survival = outcome("Tumour response", "1 year"), outcome("Overall survival", "1 year")
    events = outcome_events(
        [response], [survival], ([survival, outcome("Sleep")], [outcome("Sleep"), response])
    )
    assert sorted(said(events)) == [
        ("demoted", "R-OUT-03", Level.CRITICAL),
        ("promoted", "R-OUT-05", Level.NOTABLE),
    ]
    assert all(len(event.covers) == 2 for event in events)


def test_two_similar_outcomes_that_exchanged_their_lists_are_a_replacement():
    """The list alignment takes the one for an edit of the other."""
    rest, night = outcome("Change in pain at rest"), outcome("Change in pain at night")
    events = outcome_events([rest], [night], ([night], [rest]))
    event = next(one for one in events if one.inputs["rank"] == "primary")
    assert said([event]) == [("replaced", "R-OUT-01", Level.CRITICAL)]
    assert event.inputs["labels"] == ["primary_from_secondary", "primary_to_secondary"]
    assert event.summary == (
        'Primary outcome replaced: "Change in pain at rest" -> "Change in pain at night" '
        "(primary outcome before, secondary now; secondary outcome before, primary now), "
        "7 months (227 days) after the start"
    )


def test_a_change_before_the_start_says_so():
    (event,) = outcome_events(
        [outcome("7-point ordinal scale")],
        [outcome("Time to recovery")],
        start=dated("2021-01-01"),
        status="NOT_YET_RECRUITING",
    )
    assert said([event]) == [("replaced", "R-OUT-04", Level.NOTABLE)]
    assert event.inputs["stage"] == "before the start"
    assert event.summary.endswith('"Time to recovery", before the start')


@pytest.mark.parametrize(
    ("submitted", "is_near"), [("2019-12-14", True), ("2019-12-13", False), (None, False)]
)
def test_a_change_within_31_days_of_submitted_results_says_so(submitted, is_near):
    """The version was posted on 2020-01-14."""
    (event,) = outcome_events(
        [outcome("Survival")], [outcome("Pain at rest")], **{RESULTS_SUBMITTED: submitted}
    )
    assert event.inputs["near_results"] is is_near
    assert ("and within 31 days of the results" in event.summary) is is_near


@pytest.mark.parametrize(
    ("status", "primary", "stage"),
    [
        ("RECRUITING", "2021-06", "while recruiting"),
        ("ACTIVE_NOT_RECRUITING", "2021-06", "after recruitment"),
        ("COMPLETED", "2019-12", "after completion"),
    ],
)
def test_the_stage_comes_from_the_dates_and_the_status(status, primary, stage):
    events = outcome_events(
        [outcome("Survival")], [outcome("Pain at rest")], status=status, primary=dated(primary)
    )
    assert [event.inputs["stage"] for event in events] == [stage]


def test_an_edit_beside_a_field_that_ctsync_does_not_know_has_its_verdict():
    before, after = (
        {**outcome("Pain score", frame), "newField": value}
        for frame, value in (("12 months", 1), ("6 months", 2))
    )
    (event,) = outcome_events([before], [after])
    assert said([event]) == [("time frame changed", "R-OUT-07", Level.NOTABLE)]
    assert event.path.endswith(".timeFrame")


@pytest.mark.slow
def test_hundreds_of_replaced_outcomes_are_compared_in_parts():
    old, new = (
        [outcome(f"{name} on day {n}", description=f"Of {n} patients") for n in range(250)]
        for name in ("Pain", "Concentration of interleukin")
    )
    events = outcome_events(old, new)
    assert sum(len(event.covers) for event in events) == 500


def test_the_reverse_of_a_change_is_the_reverse_kind():
    before, after = [outcome("Survival"), outcome("Pain at rest")], [outcome("Survival")]
    (there,), (back,) = outcome_events(before, after), outcome_events(after, before)
    assert (there.inputs["change"], back.inputs["change"]) == ("dropped", "added")
    assert there.inputs["labels"] == ["primary_omitted"]
    assert back.inputs["labels"] == ["new_primary"]


def test_the_event_names_the_verdict_in_plain_words():
    old, new = outcome("Response rate"), outcome("Time to recovery of the patients")
    event = the_event(outcome_events([old], [new]), Kind.OUTCOME)
    assert short_change(event).phrase == (
        'Primary outcome replaced: "Response rate" -> "Time to recovery of the…"'
    )
