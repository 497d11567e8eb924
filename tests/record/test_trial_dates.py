"""Events of the trial dates: moves, precision, types."""

import pytest

from ctsync.model import Kind, Level
from ctsync.record.compare.canonical import key_fields
from ctsync.record.rules.rules import Thresholds
from ctsync.record.trial_line import state_of
from ctsync.report.words.event_text import sides
from tests.record.studies import dated, events_between, history, study, the_event


def record_key(**values):
    return key_fields(study(**values))


PRIMARY = Kind.PRIMARY_COMPLETION_DATE


def move(before, after, field="primary", kind=PRIMARY, **more):
    events = events_between(study(**{field: dated(before)}), study(**{field: dated(after)}), **more)
    return the_event(events, kind)


@pytest.mark.parametrize(
    ("before", "after", "days", "rule", "level"),
    [
        ("2026-10", "2026-10-31", 0, "R-DAT-06", Level.ADMINISTRATIVE),
        ("2026-10-31", "2026-10", 0, "R-DAT-06", Level.ADMINISTRATIVE),
        ("2026", "2026-10", 0, "R-DAT-06", Level.ADMINISTRATIVE),
        ("2026-10-01", "2026-10-31", 30, "R-DAT-03", Level.ROUTINE),
        ("2026-10", "2026-11", 31, "R-DAT-03", Level.ROUTINE),
        ("2026-01-01", "2026-04-01", 90, "R-DAT-02", Level.NOTABLE),
        ("2026-04-01", "2026-01-01", -90, "R-DAT-02", Level.NOTABLE),
        ("2026-01-01", "2027-01-01", 365, "R-DAT-01", Level.CRITICAL),
        ("2027-01-01", "2026-01-01", -365, "R-DAT-02", Level.NOTABLE),
        ("2026-06-01", "2015-06-01", -4018, "R-DAT-07", Level.CRITICAL),
    ],
)
def test_a_move_gets_its_days_and_its_rule(before, after, days, rule, level):
    event = move(before, after)
    assert (event.days, event.rule, event.level) == (days, rule, level)
    assert (event.before, event.after) == (before, after)
    assert (event.before_type, event.after_type) == ("ESTIMATED", "ESTIMATED")


def test_a_change_of_precision_is_reported_as_such():
    assert move("2026-10", "2026-10-31").summary == (
        "Primary Completion 2026-10 (estimated) -> 2026-10-31 (estimated), precision only, 0 days"
    )


def test_a_date_that_moves_and_becomes_actual_is_two_events():
    events = events_between(
        study(primary=dated("2021-06")), study(primary=dated("2021-07", "ACTUAL"))
    )
    date, kind = the_event(events, PRIMARY, ".date"), the_event(events, PRIMARY, ".type")
    assert (date.days, date.level) == (30, Level.ROUTINE)
    assert (kind.rule, kind.level) == ("R-DAT-04", Level.NOTABLE)
    assert kind.summary == "Primary Completion estimated -> actual (2021-07)"
    assert (kind.before, kind.after) == ("ESTIMATED", "ACTUAL")


def test_a_change_of_the_type_alone_is_reported():
    (event,) = events_between(
        study(completion=dated("2021-06")), study(completion=dated("2021-06", "ACTUAL"))
    )
    assert (event.kind, event.rule) == (Kind.COMPLETION_DATE, "R-DAT-04")


def test_an_actual_date_that_becomes_estimated_again_is_notable():
    (event,) = events_between(
        study(start=dated("2019-06", "ACTUAL")), study(start=dated("2019-06"))
    )
    assert (event.rule, event.level) == ("R-DAT-09", Level.NOTABLE)


def test_a_date_added_or_removed_with_its_type_is_one_event():
    (added,) = events_between(study(completion=None), study(completion=dated("2021-06")))
    assert (added.before, added.after, added.after_type) == (None, "2021-06", "ESTIMATED")
    assert (added.days, added.rule, added.level) == (None, "R-DAT-03", Level.ROUTINE)
    assert len(added.covers) == 2
    (removed,) = events_between(study(completion=dated("2021-06")), study(completion=None))
    assert (removed.before, removed.after, removed.before_type) == ("2021-06", None, "ESTIMATED")
    assert removed.inputs["nature"] == "dropped"


@pytest.mark.parametrize(
    ("first_version", "numbers", "since", "nth"),
    [
        ("2019-05-08", [0, 1, 2, 3], "registered", "2nd"),
        ("2019-05-08", [0, 1, 3, 4], "registered", "2nd recorded"),
        ("2019-05-08", None, "registered", "2nd recorded"),
        ("2020-01-14", None, "seen", "2nd recorded"),
    ],
)
def test_moves_add_up_since_the_first_version(first_version, numbers, since, nth):
    *_, last = history(
        study(primary=dated("2021-06"), posted=first_version),
        *(study(primary=dated(d)) for d in ("2021-06-30", "2021-12", "2022-01")),
        numbers=numbers,
    )
    event = the_event(last, PRIMARY)
    assert (event.days, event.days_since_first, event.inputs["moves"]) == (31, 214, 2)
    assert event.summary.endswith(
        "+1 month (31 days ±30), month precision, "
        f"+7 months (214 days ±30) since first {since} ({nth} move)"
    )


def test_a_move_back_leaves_zero_days_since_the_first_version():
    *_, last = history(*(study(primary=dated(d)) for d in ("2021-06", "2022-06", "2021-06")))
    event = the_event(last, PRIMARY)
    assert (event.days, event.days_since_first) == (-365, 0)


@pytest.mark.parametrize(
    ("before", "after", "crosses"),
    [
        ("2019-04-01", "2019-06-01", True),
        ("2019-06-01", "2019-04-01", True),
        ("2019-04", "2019-05", True),
        ("2019-05-01", "2019-06-01", False),
        ("2019-03-01", "2019-04-01", False),
    ],
)
def test_a_start_moved_across_the_registration_date_is_reported(before, after, crosses):
    event = move(before, after, "start", Kind.START_DATE)
    assert event.inputs["crosses_registration"] is crosses
    assert (event.rule == "R-DAT-05") is crosses
    assert ("across the date of registration" in event.summary) is crosses


@pytest.mark.parametrize("odd", ["2021-13", "2021-02-30", "soon", "", 2021, None, "0000-01"])
def test_an_unreadable_date_is_kept_and_reported(odd):
    before, after = study(), study(primary={"date": odd, "type": "ESTIMATED"})
    event = the_event(events_between(before, after), PRIMARY)
    # a null is a removed date
    level = Level.NOTABLE if odd is None else Level.ROUTINE
    assert (event.after, event.days, event.level) == (odd, None, level)
    if odd is not None:
        assert "an unreadable date" in event.summary
    back = the_event(events_between(after, before), PRIMARY)
    assert (back.before, back.days) == (odd, None)


def test_a_date_that_does_not_exist_is_called_unreadable():
    there, back = move("2021-06", "2020-02-30"), move("2020-02-30", "2021-06")
    assert there.summary.endswith("-> 2020-02-30 (estimated), an unreadable date")
    assert back.summary.endswith("-> 2021-06 (estimated), the date before was unreadable")
    assert (there.inputs["nature"], back.inputs["nature"]) == ("unreadable", "readable")
    assert sides(there) == ("2021-06 (estimated)", "2020-02-30 (unreadable, estimated)")
    assert "primary completion 2020-02-30 (unreadable, estimated)" in state_of(
        record_key(primary=dated("2020-02-30"))
    )


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        ("RECRUITING", "R-DAT-11"),
        ("ACTIVE_NOT_RECRUITING", "R-DAT-11"),
        ("UNKNOWN", "R-DAT-11"),
        ("WITHDRAWN", "R-DAT-03"),
        ("COMPLETED", "R-DAT-03"),
    ],
)
def test_a_date_removed_from_an_open_trial_is_notable(status, rule):
    for field, kind in (("primary", PRIMARY), ("start", Kind.START_DATE)):
        event = the_event(
            events_between(study(status=status), study(status=status, **{field: None})), kind
        )
        assert event.rule == rule
        assert ("removed from an open trial" in event.summary) is (rule == "R-DAT-11")


def test_a_text_in_place_of_a_date_struct_is_reported_unchanged():
    (event,) = events_between(study(), study(primary="2021-06"))
    assert (event.kind, event.level, event.after) == (PRIMARY, Level.ROUTINE, "2021-06")


def test_a_move_is_compared_with_the_given_thresholds():
    strict = Thresholds(slip_critical_days=30)
    assert move("2026-10", "2026-11", thresholds=strict).level is Level.CRITICAL


def test_bookkeeping_dates_are_administrative():
    (event,) = events_between(study(), study(verified="2020-02"))
    assert (event.kind, event.rule) == (Kind.BOOKKEEPING, "R-ADM-02")
    assert event.summary == "Record Verification: 2020-01 -> 2020-02"
