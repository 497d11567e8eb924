"""The state that `status` reports, with its reasons and exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.model import Verdict
from ctsync.questions.operation.health import (
    HealthFacts,
    HealthState,
    LastRun,
    assess,
    business_days,
    business_hours,
    is_load_overdue,
    load_days,
)

MONDAY = datetime(2026, 3, 9, 10, 30, tzinfo=UTC)
WELL = HealthFacts(
    watched=3,
    last=LastRun(MONDAY, Verdict.OK, None),
    last_complete=MONDAY,
    newest_load=MONDAY - timedelta(hours=1),
    failures=0,
    oldest_waiting=None,
    parked=0,
)


def test_a_recent_complete_run_is_ok() -> None:
    health = assess(WELL, MONDAY + timedelta(hours=3))
    assert (health.condition, health.reasons, health.exit_code) == (HealthState.OK, (), 0)


def test_a_weekend_without_a_run_is_ok() -> None:
    friday = replace(WELL, last_complete=MONDAY - timedelta(days=3), newest_load=MONDAY)
    assert assess(friday, MONDAY + timedelta(hours=4)).condition is HealthState.OK


def test_two_working_days_without_a_complete_run_are_stale() -> None:
    health = assess(WELL, MONDAY + timedelta(days=2))
    assert health.condition is HealthState.STALE
    assert health.exit_code == 3
    assert health.reasons[0] == "no sync has been complete since 2026-03-09 10:30Z"


def test_a_failed_run_is_reported_with_its_error_and_exit_code_4() -> None:
    failed = replace(WELL, last=LastRun(MONDAY, Verdict.FAILED, "EdgeRefused: 403"))
    health = assess(failed, MONDAY)
    assert health.exit_code == 4
    assert "EdgeRefused: 403" in health.reasons[0]


def test_a_partial_run_is_reported_as_partial() -> None:
    partial = replace(WELL, last=LastRun(MONDAY, Verdict.PARTIAL, None), failures=2)
    health = assess(partial, MONDAY)
    assert health.condition is HealthState.PARTIAL
    assert "2 trials could not be checked" in health.reasons


def test_an_overdue_delivery_outranks_a_failed_run() -> None:
    late = replace(
        WELL,
        last=LastRun(MONDAY, Verdict.FAILED, "x"),
        oldest_waiting=MONDAY - timedelta(days=2),
    )
    assert assess(late, MONDAY).exit_code == 7


def test_a_delivery_a_few_hours_old_is_not_overdue() -> None:
    waiting = replace(WELL, oldest_waiting=MONDAY - timedelta(hours=5))
    assert assess(waiting, MONDAY).condition is HealthState.OK


def test_a_registry_that_is_not_refreshed_is_reported_with_exit_code_0() -> None:
    still = replace(WELL, newest_load=MONDAY - timedelta(days=7))
    health = assess(still, MONDAY)
    assert health.exit_code == 0
    assert health.reasons == ("registry not refreshed since 2026-03-02 10:30Z",)


def test_without_watches_the_state_is_idle_and_without_a_run_stale() -> None:
    assert assess(replace(WELL, watched=0, last=None), MONDAY).condition is HealthState.IDLE
    assert (
        assess(replace(WELL, last=None, last_complete=None), MONDAY).condition is HealthState.STALE
    )


def weekdays_one_by_one(start: date, end: date) -> int:
    days = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
    return sum(day.weekday() < 5 for day in days)


DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(DAYS, DAYS)
def test_business_days_count_weekdays(start: date, end: date) -> None:
    assert business_days(start, end) == weekdays_one_by_one(start, end)


FEDERAL_HOLIDAYS_OF_2026 = [
    date(2026, 1, 1),
    date(2026, 1, 19),
    date(2026, 2, 16),
    date(2026, 5, 25),
    date(2026, 6, 19),
    date(2026, 7, 3),  # the 4th is a Saturday
    date(2026, 9, 7),
    date(2026, 10, 12),
    date(2026, 11, 11),
    date(2026, 11, 26),
    date(2026, 12, 25),
]


def test_no_load_is_expected_on_weekends_and_federal_holidays() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    quiet = {day for day in days if load_days(day - timedelta(days=1), day) == 0}
    weekends = {day for day in days if day.weekday() >= 5}
    assert quiet == weekends | set(FEDERAL_HOLIDAYS_OF_2026)


@settings(deadline=None)  # the first example imports the table of holidays
@given(DAYS, DAYS)
def test_load_days_add_up(start: date, end: date) -> None:
    middle = start + (end - start) / 2 if end > start else start
    assert load_days(start, end) == load_days(start, middle) + load_days(middle, end)
    assert 0 <= load_days(start, end) <= business_days(start, end)


@pytest.mark.slow
def test_a_registry_that_loads_every_load_day_is_never_overdue() -> None:
    alarms = 0
    load = datetime(2025, 12, 31, 13, tzinfo=UTC)
    for hour in range(24 * 365):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        if now.hour == 13 and load_days(now.date() - timedelta(days=1), now.date()):
            load = now
        alarms += is_load_overdue(load, now)
    print(f"registry's age: {24 * 365} hours of 2026 with its holidays, {alarms} false alarms")
    assert alarms == 0


def test_a_load_is_overdue_after_two_load_days_even_after_a_holiday() -> None:
    friday = datetime(2026, 2, 13, 13, tzinfo=UTC)  # Monday the 16th is Presidents' Day
    assert not is_load_overdue(friday, datetime(2026, 2, 18, 23, tzinfo=UTC))
    assert is_load_overdue(friday, datetime(2026, 2, 19, 1, tzinfo=UTC))


TIMES = st.floats(0, 60).map(lambda days: MONDAY + timedelta(days=days))


@given(TIMES, TIMES, TIMES)
def test_business_hours_add_up_and_never_exceed_the_clock(
    one: datetime, two: datetime, three: datetime
) -> None:
    first, second, third = sorted((one, two, three))
    total = business_hours(first, third)
    parts = business_hours(first, second) + business_hours(second, third)
    assert abs(total - parts) < 1e-3
    assert 0 <= total <= (third - first).total_seconds() / 3600 + 1e-9


def test_a_weekend_has_no_business_hours() -> None:
    friday_evening = datetime(2026, 3, 6, 18, tzinfo=UTC)
    assert business_hours(friday_evening, datetime(2026, 3, 9, 6, tzinfo=UTC)) == 12
