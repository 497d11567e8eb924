"""Events of outcomes that a list has several times, under the same measure."""

import time

import pytest

from ctsync.model import Level
from tests.record.studies import events_between, outcome, study

# three of the four entries that NCT04467944 has for one primary outcome
DISEASE = "Adjacent segment degeneration (ASDeg)"
AT_12, AT_24, AT_60 = (outcome(DISEASE, f"{n} months after surgery") for n in (12, 24, 60))
PAIN = outcome("Pain")
CD4 = outcome("Immune biomarkers", "3 years", description="Number of CD4 cells per ml of blood")
IL6 = outcome("Immune biomarkers", "3 years", description="Serum level of interleukin-6")


def outcome_events(primary, secondary=((), ())):
    old, new = (
        study(primary_outcomes=list(one) or None, secondary_outcomes=list(other) or None)
        for one, other in zip(primary, secondary, strict=True)
    )
    return events_between(old, new)


def said(events):
    return [(event.inputs["change"], event.rule, event.level) for event in events]


def test_an_identical_entry_removed_is_a_duplicate_and_administrative():
    (event,) = outcome_events(([AT_12, AT_24, AT_12], [AT_12, AT_24]))
    assert said([event]) == [("duplicate removed", "R-OUT-11", Level.ADMINISTRATIVE)]
    assert event.summary == (
        f'Primary outcome duplicate removed: "{DISEASE}" at "12 months after surgery" '
        "(an identical entry remains)"
    )
    assert (event.before, event.after) == (AT_12, None)


def test_an_identical_entry_added_is_a_duplicate_and_administrative():
    (event,) = outcome_events(([AT_12], [AT_12, AT_12]))
    assert said([event]) == [("duplicate added", "R-OUT-11", Level.ADMINISTRATIVE)]
    assert event.summary.endswith("(an identical entry was listed before)")


@pytest.mark.parametrize(
    ("removed", "kept"),
    [
        (AT_12, {**AT_12, "description": "On an X-ray"}),
        ({**AT_12, "description": "On an X-ray image"}, {**AT_12, "description": "On an X-ray"}),
        ({"measure": DISEASE}, AT_12),
    ],
)
def test_an_entry_of_the_same_time_frame_is_a_duplicate_too(removed, kept):
    (event,) = outcome_events(([kept, removed], [kept]))
    assert said([event]) == [("duplicate removed", "R-OUT-12", Level.ROUTINE)]
    assert event.summary.endswith("(an entry with this measure remains)")


def test_letter_case_and_layout_do_not_matter():
    other = outcome(DISEASE.upper(), "12 months  after surgery.")
    (event,) = outcome_events(([AT_12, other], [AT_12]))
    assert event.rule == "R-OUT-11"


def test_one_of_three_time_frames_dropped_is_notable_and_says_which():
    (event,) = outcome_events(([AT_12, AT_24, AT_60], [AT_12, AT_60]))
    assert said([event]) == [("time frame dropped", "R-OUT-07", Level.NOTABLE)]
    assert event.summary == (
        f'Primary outcome time frame dropped: "{DISEASE}" at "24 months after surgery" '
        '(it remains at "12 months after surgery" and "60 months after surgery"), '
        "7 months (227 days) after the start"
    )


def test_one_of_many_time_frames_dropped_counts_the_others():
    many = [outcome("Blood pressure", f"{n} minutes") for n in range(30)]
    (event,) = outcome_events((many, many[1:]))
    assert '"Blood pressure" at "0 minutes" (it remains at 29 other time frames)' in event.summary


def test_a_time_frame_of_a_secondary_outcome_dropped_is_routine():
    (event,) = outcome_events(([PAIN], [PAIN]), ([AT_12, AT_24], [AT_24]))
    assert said([event]) == [("time frame dropped", "R-OUT-09", Level.ROUTINE)]


def test_a_time_frame_added_is_notable_and_says_which():
    (event,) = outcome_events(([AT_12], [AT_12, AT_24]))
    assert said([event]) == [("time frame added", "R-OUT-07", Level.NOTABLE)]
    assert '"24 months after surgery" (it was listed before at "12 months' in event.summary


def test_a_dropped_time_frame_is_not_replaced_by_a_new_outcome():
    events = outcome_events(([AT_12, AT_24], [AT_12, PAIN]))
    assert [event.inputs["change"] for event in events] == ["time frame dropped", "added"]


def test_all_time_frames_dropped_are_critical_and_each_is_named():
    events = outcome_events(([AT_12, AT_24, PAIN], [PAIN]))
    assert {(e.rule, e.level) for e in events} == {("R-OUT-02", Level.CRITICAL)}
    assert [e.summary.partition(f'"{DISEASE}" ')[2] for e in events] == [
        'at "12 months after surgery", 7 months (227 days) after the start',
        'at "24 months after surgery", 7 months (227 days) after the start',
    ]


def test_two_identical_entries_dropped_are_one_dropped_outcome():
    events = outcome_events(([AT_12, AT_12, PAIN], [PAIN]))
    assert sorted(said(events)) == [
        ("dropped", "R-OUT-02", Level.CRITICAL),
        ("duplicate removed", "R-OUT-11", Level.ADMINISTRATIVE),
    ]


def test_another_outcome_under_the_same_measure_dropped_is_critical():
    (event,) = outcome_events(([CD4, IL6], [CD4]))
    assert (event.rule, event.level) == ("R-OUT-02", Level.CRITICAL)
    assert event.summary.startswith(
        'Primary outcome dropped: "Immune biomarkers" at "3 years" described as '
        '"Serum level of interleukin-6" (1 other entry with this measure listed)'
    )


def test_a_duplicate_listed_as_secondary_is_not_demoted():
    events = outcome_events(([AT_12, AT_12], [AT_12]), ([], [AT_12]))
    assert sorted(said(events)) == [
        ("added", "R-OUT-10", Level.ROUTINE),
        ("duplicate removed", "R-OUT-11", Level.ADMINISTRATIVE),
    ]


def test_a_demoted_time_frame_is_critical_and_says_which():
    (event,) = outcome_events(([AT_12, AT_24], [AT_12]), ([], [AT_24]))
    assert (event.rule, event.level) == ("R-OUT-03", Level.CRITICAL)
    assert event.summary.startswith(
        f'Secondary outcome "{DISEASE}" at "24 months after surgery": demoted from primary to '
        'secondary (it remains primary at "12 months after surgery")'
    )


def test_a_dropped_outcome_that_another_list_keeps_says_so():
    (event,) = outcome_events(([AT_12, PAIN], [PAIN]), ([AT_12], [AT_12]))
    assert (event.rule, event.level) == ("R-OUT-02", Level.CRITICAL)
    assert f'dropped: "{DISEASE}" (the measure is still listed as secondary)' in event.summary


@pytest.mark.parametrize("odd", [7, "7", ["7"], None])
def test_an_entry_that_is_no_object_is_no_repetition_of_one(odd):
    seven = outcome("7")
    for before, after in (([seven, odd], [seven]), ([seven], [seven, odd]), ([odd], [seven])):
        assert outcome_events((before, after))


@pytest.mark.slow
def test_a_thousand_entries_of_one_measure_take_less_than_three_seconds():
    entries = [
        outcome("Safety", "1 year", description=f"{n} " + "long text " * 100) for n in range(1000)
    ]
    began = time.process_time()
    outcome_events((entries, entries[::2]))
    assert time.process_time() - began < 3
