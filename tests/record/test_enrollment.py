"""Events of the enrollment: changed targets, and actual counts against them."""

import pytest

from ctsync.model import Kind, Level
from tests.record.studies import counted, events_between, history, study, the_event


def count_event(before, after, **more):
    events = events_between(study(enrollment=before), study(enrollment=after), **more)
    return the_event(events, Kind.ENROLLMENT, ".count")


@pytest.mark.parametrize(
    ("before", "after", "rule", "level", "percent"),
    [
        (counted(263), counted(99, "ACTUAL"), "R-ENR-02", Level.CRITICAL, -62.4),
        (counted(100), counted(84, "ACTUAL"), "R-ENR-02", Level.CRITICAL, -16.0),
        (counted(100), counted(85, "ACTUAL"), "R-ENR-04", Level.NOTABLE, -15.0),
        (counted(100), counted(0, "ACTUAL"), "R-ENR-02", Level.CRITICAL, -100.0),
        (counted(100), counted(120, "ACTUAL"), "R-ENR-04", Level.NOTABLE, 20.0),
        (counted(100), counted(110), "R-ENR-03", Level.NOTABLE, 10.0),
        (counted(100), counted(90), "R-ENR-03", Level.NOTABLE, -10.0),
        (counted(100), counted(50), "R-ENR-03", Level.NOTABLE, -50.0),
        (counted(100), counted(109), "R-ENR-06", Level.ROUTINE, 9.0),
        (counted(0), counted(50), "R-ENR-06", Level.ROUTINE, None),
        (counted(90, "ACTUAL"), counted(100), "R-ENR-05", Level.NOTABLE, 11.1),
        (counted(100), counted(99_999_999), "R-ENR-01", Level.NOTABLE, 99999899.0),
        (counted(100), counted(12_317_546, "ACTUAL"), "R-ENR-01", Level.NOTABLE, 12317446.0),
        (counted(99_999_999), counted(40, "ACTUAL"), "R-ENR-04", Level.NOTABLE, -100.0),
    ],
)
def test_each_change_of_the_count_gets_its_rule(before, after, rule, level, percent):
    event = count_event(before, after)
    assert (event.rule, event.level, event.percent) == (rule, level, percent)
    assert (event.before, event.after) == (before["count"], after["count"])
    assert (event.before_type, event.after_type) == (before["type"], after["type"])


def test_the_event_of_nct05935098_matches_the_published_example():
    """The event of NCT05935098 in the documented JSON example, without its storage fields."""
    event = count_event(counted(263), counted(99, "ACTUAL"))
    assert (event.kind, event.category, event.label) == ("enrollment", "enrollment", "Enrollment")
    assert event.path == "protocolSection.designModule.enrollmentInfo.count"
    assert (event.days, event.days_since_first) == (None, None)
    assert (event.percent, event.percent_since_first) == (-62.4, -62.4)
    assert event.summary == "Enrollment 263 (estimated) -> 99 (actual), 37.6 % of target"


def test_an_absurd_count_is_reported_as_implausible():
    assert count_event(counted(100), counted(99_999_999)).summary.endswith(
        "-> 99999999 (estimated), +99,999,899 %, an implausible count"
    )


def test_an_actual_count_is_compared_with_the_last_target():
    *_, last = history(
        study(enrollment=counted(200)),
        study(enrollment=counted(100)),
        study(enrollment=counted(90, "ACTUAL")),
    )
    event = the_event(last, Kind.ENROLLMENT, ".count")
    assert (event.rule, event.inputs["target"]) == ("R-ENR-04", 100)
    assert (event.percent, event.percent_since_first) == (-10.0, -55.0)


def test_a_correction_of_an_actual_count_is_critical_only_once():
    _, already_low, newly_low = history(
        study(enrollment=counted(100)),
        study(enrollment=counted(60, "ACTUAL")),
        study(enrollment=counted(58, "ACTUAL")),
        study(enrollment=counted(20, "ACTUAL")),
    )
    assert the_event(already_low, Kind.ENROLLMENT).rule == "R-ENR-06"
    assert the_event(newly_low, Kind.ENROLLMENT).rule == "R-ENR-03"
    *_, last = history(
        study(enrollment=counted(100)),
        study(enrollment=counted(95, "ACTUAL")),
        study(enrollment=counted(40, "ACTUAL")),
    )
    event = the_event(last, Kind.ENROLLMENT)
    assert event.rule == "R-ENR-02"
    assert event.summary == "Enrollment 95 (actual) -> 40 (actual), 40.0 % of the target of 100"


def test_a_type_that_becomes_actual_with_the_same_count_is_an_event():
    (event,) = events_between(
        study(enrollment=counted(100)), study(enrollment=counted(100, "ACTUAL"))
    )
    assert event.path.endswith(".type")
    assert (event.rule, event.level) == ("R-ENR-04", Level.NOTABLE)
    assert event.summary == "Enrollment estimated -> actual (100)"


def test_an_enrollment_added_or_removed_is_one_event():
    (added,) = events_between(study(enrollment=None), study(enrollment=counted(27, "ACTUAL")))
    assert (added.before, added.after, added.after_type) == (None, 27, "ACTUAL")
    (removed,) = events_between(study(enrollment=counted(27)), study(enrollment=None))
    assert (removed.before, removed.after, removed.rule) == (27, None, "R-ENR-06")


@pytest.mark.parametrize("odd", ["20", 20.5, True, None, [], {}, -5, 2**70])
def test_a_count_of_a_wrong_type_is_kept_and_reported(odd):
    event = count_event(counted(100), counted(odd))
    assert event.before == 100
    assert event.level is not Level.CRITICAL
