"""Events of the overall status: rules, reasons, durations, UNKNOWN."""

import pytest

from ctsync.model import Kind, Level
from tests.record.studies import dated, events_between, history, study, the_event


def status_of(before, after, **more):
    return the_event(
        events_between(study(status=before), study(status=after, **more)),
        Kind.STATUS,
        ".overallStatus",
    )


@pytest.mark.parametrize(
    ("before", "after", "rule", "level"),
    [
        ("RECRUITING", "TERMINATED", "R-STA-01", Level.CRITICAL),
        ("NOT_YET_RECRUITING", "WITHDRAWN", "R-STA-01", Level.CRITICAL),
        ("RECRUITING", "SUSPENDED", "R-STA-01", Level.CRITICAL),
        ("SUSPENDED", "TERMINATED", "R-STA-01", Level.CRITICAL),
        ("COMPLETED", "TERMINATED", "R-STA-01", Level.CRITICAL),
        ("SUSPENDED", "RECRUITING", "R-STA-02", Level.CRITICAL),
        ("TERMINATED", "ACTIVE_NOT_RECRUITING", "R-STA-02", Level.CRITICAL),
        ("WITHDRAWN", "NOT_YET_RECRUITING", "R-STA-02", Level.CRITICAL),
        ("NOT_YET_RECRUITING", "RECRUITING", "R-STA-03", Level.NOTABLE),
        ("NOT_YET_RECRUITING", "ENROLLING_BY_INVITATION", "R-STA-03", Level.NOTABLE),
        ("ACTIVE_NOT_RECRUITING", "RECRUITING", "R-STA-03", Level.NOTABLE),
        ("RECRUITING", "ACTIVE_NOT_RECRUITING", "R-STA-04", Level.NOTABLE),
        ("ACTIVE_NOT_RECRUITING", "COMPLETED", "R-STA-05", Level.NOTABLE),
        ("SUSPENDED", "COMPLETED", "R-STA-05", Level.NOTABLE),
        ("COMPLETED", "RECRUITING", "R-STA-07", Level.NOTABLE),
        ("COMPLETED", "ACTIVE_NOT_RECRUITING", "R-STA-07", Level.NOTABLE),
        ("TERMINATED", "COMPLETED", "R-STA-07", Level.NOTABLE),
        ("RECRUITING", "NOT_YET_RECRUITING", "R-STA-07", Level.NOTABLE),
        ("RECRUITING", "ENROLLING_BY_INVITATION", "R-STA-03", Level.NOTABLE),
        ("AVAILABLE", "NO_LONGER_AVAILABLE", "R-STA-08", Level.NOTABLE),
        ("RECRUITING", "A_NEW_STATUS", "R-STA-08", Level.NOTABLE),
        ("RECRUITING", None, "R-STA-08", Level.NOTABLE),
        (None, "RECRUITING", "R-STA-03", Level.NOTABLE),
    ],
)
def test_each_status_step_gets_its_rule(before, after, rule, level):
    event = status_of(before, after)
    assert (event.rule, event.level) == (rule, level)
    assert (event.before, event.after) == (before, after)


def test_a_status_that_is_not_text_is_still_reported():
    event = status_of("RECRUITING", ["TERMINATED"])
    assert event.after == "TERMINATED" or event.path.endswith('"]') or event.after is not None
    assert event.level is Level.NOTABLE


def test_the_reason_is_shown_with_the_stop_and_is_not_repeated_as_a_change():
    events = events_between(study(), study(status="TERMINATED", why="No money\nat all"))
    stop = the_event(events, Kind.STATUS)
    assert stop.summary == 'Status Recruiting -> Terminated: why stopped: "No money at all"'
    why = the_event(events, Kind.WHY_STOPPED)
    assert (why.rule, why.level) == ("R-ADM-08", Level.ADMINISTRATIVE)


def test_a_later_change_of_the_reason_is_routine_and_a_cosmetic_one_administrative():
    stopped = study(status="TERMINATED", why="no money")
    other = study(status="TERMINATED", why="Safety")
    cosmetic = study(status="TERMINATED", why="No  money.")
    assert the_event(events_between(stopped, other), Kind.WHY_STOPPED).level is Level.ROUTINE
    event = the_event(events_between(stopped, cosmetic), Kind.WHY_STOPPED)
    assert (event.rule, event.level) == ("R-ADM-07", Level.ADMINISTRATIVE)


def test_an_unknown_status_is_reported_as_set_by_the_registry():
    events = events_between(study(), study(status="UNKNOWN", last_known="RECRUITING"))
    flip = the_event(events, Kind.STATUS, ".overallStatus")
    assert (flip.rule, flip.level) == ("R-STA-06", Level.NOTABLE)
    assert "registry-derived, last known recruiting, no sponsor update since" in flip.summary
    known = the_event(events, Kind.STATUS, ".lastKnownStatus")
    assert known.level is Level.ADMINISTRATIVE


def test_an_unknown_status_with_an_update_does_not_claim_that_there_was_no_update():
    after = study(status="UNKNOWN", last_known="RECRUITING", posted="2020-06-01")
    flip = the_event(events_between(study(), after), Kind.STATUS, ".overallStatus")
    assert not flip.inputs["registry_derived"]
    assert "no sponsor update" not in flip.summary


def test_a_step_out_of_unknown_is_compared_with_the_last_known_status():
    unknown = study(status="UNKNOWN", last_known="RECRUITING")
    confirmed = the_event(events_between(unknown, study()), Kind.STATUS, ".overallStatus")
    assert (confirmed.rule, confirmed.inputs["origin"]) == ("R-STA-08", "RECRUITING")
    done = the_event(
        events_between(unknown, study(status="COMPLETED")), Kind.STATUS, ".overallStatus"
    )
    assert done.rule == "R-STA-05"


SUSPENDED_ONCE = (
    study(posted="2020-03-01"),
    study(status="SUSPENDED", posted="2020-03-16"),
    study(posted="2020-06-15"),
)


def test_a_stop_and_a_restart_are_two_events_and_the_restart_shows_the_duration():
    first, second = history(*SUSPENDED_ONCE, numbers=[3, 4, 5])
    stop, restart = the_event(first, Kind.STATUS), the_event(second, Kind.STATUS)
    assert (stop.path, stop.before, stop.after) == (restart.path, restart.after, restart.before)
    assert restart.summary.endswith("suspended for 3 months (91 days)")


@pytest.mark.parametrize(
    "numbers", [None, [None, None, None], [3, 5, 6], [3, 4, 6], [None, 4, 5], [3, 4, None]]
)
def test_no_duration_is_given_if_a_version_may_be_missing(numbers):
    """Between two syncs, the trial may have restarted and stopped again."""
    restart = the_event(history(*SUSPENDED_ONCE, numbers=numbers)[1], Kind.STATUS)
    assert restart.summary.endswith("restarted after a stop, recorded as suspended on 2020-03-16")
    found = {name: restart.inputs[f"spell_{name}"] for name in ("since", "days", "whole")}
    assert found == {"since": "2020-03-16", "days": 91, "whole": False}


def test_a_status_duration_spans_versions_with_the_same_status():
    *_, last = history(
        study(posted="2020-03-01"),
        study(status="SUSPENDED", posted="2020-03-16"),
        study(status="SUSPENDED", posted="2020-04-01", verified="2020-04"),
        study(posted="2020-06-15"),
    )
    assert the_event(last, Kind.STATUS).inputs["spell_days"] == 91


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([0, 1], "recruiting for 30 days"),
        ([1, 2], "recorded as recruiting on 2019-05-08"),
        (None, "recorded as recruiting on 2019-05-08"),
    ],
)
def test_a_status_duration_needs_a_known_start(numbers, words):
    versions = study(posted="2019-05-08"), study(status="COMPLETED", posted="2019-06-07")
    event = the_event(history(*versions, numbers=numbers)[0], Kind.STATUS)
    assert event.summary == f"Status Recruiting -> Completed: {words}"


def test_no_duration_is_given_if_the_registry_showed_unknown_meanwhile():
    """The registry changes a status to UNKNOWN by itself, without a version."""
    stale = {"posted": "2019-05-08", "verified": "2019-05", "completion": dated("2019-12")}
    versions = study(**stale), study(status="COMPLETED", posted="2022-06-07")
    event = the_event(history(*versions, numbers=[0, 1])[0], Kind.STATUS)
    assert event.summary.endswith(": recorded as recruiting on 2019-05-08")


def test_the_first_day_of_an_unknown_status_is_known_only_if_its_first_record_is_stored():
    """The registry sets UNKNOWN later than the dates of the record."""
    unknown = study(status="UNKNOWN", last_known="RECRUITING", posted="2020-03-01")
    completed = study(status="COMPLETED", posted="2020-06-15")
    (event,) = (
        the_event(step, Kind.STATUS, ".overallStatus") for step in history(unknown, completed)
    )
    assert event.summary == "Status Unknown -> Completed"
    assert event.inputs["spell_since"] is None


def test_expanded_access_is_routine():
    path = {"protocolSection__statusModule__expandedAccessInfo": {"hasExpandedAccess": True}}
    event = the_event(events_between(study(), study(**path)), Kind.STATUS)
    assert (event.rule, event.level) == ("R-STA-09", Level.ROUTINE)
    assert event.summary == "Expanded Access: (none) -> yes"
