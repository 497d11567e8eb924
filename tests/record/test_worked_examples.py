"""Worked examples on histories reconstructed from published facts."""

from __future__ import annotations

from datetime import date

import pytest

from ctsync.model import Kind, Level
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.events.classify import first_seen
from ctsync.record.registry.unknown_status import Outlook, forecast
from ctsync.record.rules.rules import Thresholds, assign
from tests.record.reconstructed import steps, studies
from tests.record.studies import the_event


def test_nct01352702_slipped_three_times_by_820_days():
    moves = [
        event
        for step in steps("NCT01352702")
        for event in step
        if event.kind is Kind.PRIMARY_COMPLETION_DATE and event.path.endswith(".date")
    ]
    assert [e.days for e in moves] == [366, 424, 30]
    assert [e.days_since_first for e in moves] == [366, 790, 820]
    assert [e.inputs["moves"] for e in moves] == [1, 2, 3]
    assert [e.level for e in moves] == [Level.CRITICAL, Level.CRITICAL, Level.ROUTINE]
    assert moves[-1].summary == (
        "Primary Completion 2014-04 (estimated) -> 2014-05 (actual), "
        "+1 month (30 days ±30), month precision, "
        "+2.2 years (820 days ±30) since first registered (3rd move)"
    )


def test_nct01352702_reached_65_7_percent_of_its_target():
    last = steps("NCT01352702")[-1]
    count = the_event(last, Kind.ENROLLMENT, ".count")
    assert (count.before, count.after, count.percent) == (70, 46, -34.3)
    assert round(count.inputs["percent_of_target"], 2) == 65.71
    assert (count.rule, count.level) == ("R-ENR-02", Level.CRITICAL)
    assert count.summary == "Enrollment 70 (estimated) -> 46 (actual), 65.7 % of target"
    stop = the_event(last, Kind.STATUS)
    assert (stop.rule, stop.level) == ("R-STA-01", Level.CRITICAL)
    assert "Slow recruitment; Study was terminated for futility reasons" in stop.summary
    became_actual = the_event(last, Kind.PRIMARY_COMPLETION_DATE, ".type")
    assert (became_actual.rule, became_actual.level) == ("R-DAT-04", Level.NOTABLE)


def test_nct03690141_gives_the_expected_events_at_each_version():
    events = steps("NCT03690141")
    opened = the_event(events[0], Kind.STATUS)
    assert (opened.rule, opened.level) == ("R-STA-03", Level.NOTABLE)
    for quiet in (events[2], events[3], events[5]):
        assert {e.level for e in quiet} == {Level.ADMINISTRATIVE}
    outcome = the_event(events[4], Kind.OUTCOME)
    assert (outcome.rule, outcome.level) == ("R-OUT-06", Level.NOTABLE)
    assert outcome.inputs["change"] == "measurement changed"
    closed, count = (
        the_event(events[6], Kind.STATUS),
        the_event(events[6], Kind.ENROLLMENT, ".count"),
    )
    assert (closed.rule, closed.after) == ("R-STA-04", "ACTIVE_NOT_RECRUITING")
    assert (count.before, count.after, count.percent) == (30, 16, -46.7)
    assert (count.rule, count.level) == ("R-ENR-02", Level.CRITICAL)
    assert the_event(events[8], Kind.STATUS).rule == "R-STA-05"


@pytest.mark.parametrize(
    ("nct_id", "days", "length"),
    [
        ("NCT03693833", 91, "3 months (91 days)"),
        ("NCT04161976", 44, "44 days"),
        ("NCT02025543", 294, "10 months (294 days)"),
    ],
)
def test_a_suspension_is_a_stop_and_a_restart_with_its_duration(nct_id, days, length):
    stop, restart = (the_event(step, Kind.STATUS) for step in steps(nct_id))
    assert (stop.rule, restart.rule) == ("R-STA-01", "R-STA-02")
    assert (stop.level, restart.level) == (Level.CRITICAL, Level.CRITICAL)
    assert restart.inputs["spell_days"] == days
    assert restart.inputs["spell_whole"]
    assert restart.summary.endswith(f"restarted after a stop, suspended for {length}")


def test_nct03389919_becomes_unknown_by_the_registrys_own_rule():
    (flip,) = steps("NCT03389919")
    status = the_event(flip, Kind.STATUS, ".overallStatus")
    assert (status.rule, status.level) == ("R-STA-06", Level.NOTABLE)
    assert status.inputs["registry_derived"]
    assert status.summary == (
        "Status Recruiting -> Unknown: registry-derived, last known recruiting, "
        "no sponsor update since 2017-12-27"
    )
    before = canonicalize(studies("NCT03389919")[0])
    expected = forecast(key_fields(before.body), date(2022, 6, 1))
    assert (expected.outlook, expected.on) == (Outlook.DUE, date(2023, 1, 2))
    baseline = first_seen(before)
    assert baseline.summary == (
        "Recruiting · Phase 3 · enrollment 20 (estimated) · start 2017-01-01 (actual) · "
        "primary completion 2020-12-31 (estimated) · completion 2022-12-31 (estimated) · "
        "last update posted 2018-01-04"
    )
    assert baseline.inputs["registered_days_after_start"] == 360
    assert baseline.level is Level.ADMINISTRATIVE


def test_another_threshold_changes_the_level_of_its_own_events_only():
    events = [event for step in steps("NCT00670254") for event in step]
    start = the_event(events, Kind.START_DATE)
    assert (start.days, start.rule, start.level) == (214, "R-DAT-08", Level.NOTABLE)
    lenient = Thresholds().replace({"start_slip_notable_days": 250})
    relevelled = [
        (e.path, assign(e.kind, e.inputs, lenient)[1])
        for e in events
        if assign(e.kind, e.inputs, lenient)[1] is not e.level
    ]
    assert relevelled == [(start.path, Level.ROUTINE)]
