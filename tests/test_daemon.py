"""The daemon: a due sync runs once, signals end it, and a failing tick does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from ctsync import daemon
from ctsync.config.settings import ScheduleSettings
from ctsync.config.value_reader import BadValue, read_section
from ctsync.daemon import Background, Schedule, StoppableClock, guard, persistent
from ctsync.dates import SystemClock
from ctsync.errors import ConfigError, RegistryUnreachable, Stopped, StoreUnreachable
from tests.fakes import FakeClock

WEEKDAYS = Schedule("0 10,13,15 * * 1-5")
FRIDAY = datetime(2026, 3, 13, 15, 5, tzinfo=UTC)


def test_a_round_is_missed_if_one_was_due_since_the_last() -> None:
    assert WEEKDAYS.was_missed(None, FRIDAY)
    assert not WEEKDAYS.was_missed(FRIDAY, FRIDAY + timedelta(days=2))  # a weekend
    assert WEEKDAYS.was_missed(FRIDAY, FRIDAY + timedelta(days=3))


def test_an_interval_is_missed_once_it_is_over() -> None:
    hourly = Schedule("", minutes=60)
    assert not hourly.was_missed(FRIDAY, FRIDAY + timedelta(minutes=59))
    assert hourly.was_missed(FRIDAY, FRIDAY + timedelta(minutes=60))


def test_a_round_run_by_another_daemon_is_not_due_again() -> None:
    began = datetime(2026, 3, 13, 15, 0, 2, tzinfo=UTC)
    assert WEEKDAYS.is_due(None, FRIDAY)
    assert not WEEKDAYS.is_due(began, FRIDAY)
    # a round that began before this one was due does not count, however late it ended
    assert WEEKDAYS.is_due(began - timedelta(minutes=1), FRIDAY)


def test_an_interval_counts_from_the_last_round_of_any_daemon() -> None:
    hourly = Schedule("", minutes=60)
    assert hourly.is_due(None, FRIDAY)
    assert not hourly.is_due(FRIDAY, FRIDAY + timedelta(minutes=30))
    # the start was recorded by another clock, a moment after the tick
    assert hourly.is_due(FRIDAY + timedelta(seconds=2), FRIDAY + timedelta(minutes=60))


def failing_times(times: int, error: Exception) -> tuple[Callable[[], None], list[str]]:
    """Make a tick that fails the first `times` times, and the list of its results."""
    results: list[str] = []

    def tick() -> None:
        results.append("fails" if len(results) < times else "works")
        if results[-1] == "fails":
            raise error

    return tick, results


def test_a_tick_is_retried_if_the_database_is_unreachable(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    tick, results = failing_times(2, StoreUnreachable("no answer"))
    persistent(tick, (StoreUnreachable,), clock)()
    assert results == ["fails", "fails", "works"]
    assert clock.sleeps == [1, 2]
    assert caplog.messages == [f"no answer; trying again in {n} s" for n in (1, 2)]


def test_a_tick_is_retried_until_it_succeeds() -> None:
    clock = FakeClock()
    tick, results = failing_times(2880, StoreUnreachable("no answer"))
    persistent(tick, (StoreUnreachable,), clock)()
    assert results[-1] == "works"
    assert max(clock.sleeps) == 30
    print(f"daemon: {len(clock.sleeps):,} attempts in {sum(clock.sleeps) / 3600:.0f} h, complete")


def test_a_retried_tick_ends_when_the_daemon_is_stopped() -> None:
    clock = StoppableClock()

    def tick() -> None:
        clock.stop()
        raise StoreUnreachable("no answer")

    with pytest.raises(Stopped):
        persistent(tick, (StoreUnreachable,), clock)()


def test_an_error_that_a_retry_cannot_fix_is_not_retried() -> None:
    clock = FakeClock()
    tick, results = failing_times(1, RegistryUnreachable("away"))
    with pytest.raises(RegistryUnreachable):
        persistent(tick, (StoreUnreachable,), clock)()
    assert (results, clock.sleeps) == (["fails"], [])


def test_a_wrong_cron_expression_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"schedule\.cron"):
        Schedule("61 * * * *").trigger()


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("1-5", "mon tue wed thu fri"),
        ("0", "sun"),
        ("7", "sun"),
        ("5-7", "fri sat sun"),
        ("fri-mon", "fri sat sun mon"),
        ("*/2", "sun tue thu sat"),
        ("MON,3", "mon wed"),
        ("*", "sun mon tue wed thu fri sat"),
    ],
)
def test_weekdays_are_numbered_as_in_cron(field: str, days: str) -> None:
    trigger = Schedule(f"0 12 * * {field}").trigger()
    moment, found = FRIDAY, set()
    for _ in range(7):
        moment = trigger.get_next_fire_time(moment, moment) + timedelta(seconds=1)
        found.add(f"{moment:%a}".lower())
    assert found == set(days.split())


@pytest.mark.parametrize("cron", ["0 12 1 * 1", "0 12 * * 8", "0 12 * * noday", "x 12 * * 1"])
def test_an_expression_that_cron_would_read_differently_is_refused(cron: str) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.cron"):
        Schedule(cron).trigger()


FIELDS = [
    st.sampled_from(["*", "0", "59", "60", "*/7", "5-20/3", "50/5", "9-8", "1,2,x"]),
    st.sampled_from(["*", "0", "23", "24", "8-17", "*/2"]),
    st.sampled_from(["*", "1", "31", "0", "32", "1-15/14", "last"]),
    st.sampled_from(["*", "1", "12", "13", "jan", "jan-mar", "dec-jan"]),
    st.sampled_from(["*", "0", "7", "8", "1-5", "fri-mon", "5-7/2", "1-9", "sun#1"]),
]


@given(st.tuples(*FIELDS))
def test_the_daemon_accepts_what_the_settings_accept(fields: tuple[str, ...]) -> None:
    cron = " ".join(fields)
    try:
        read_section({"cron": cron}, ScheduleSettings)
    except BadValue:
        with pytest.raises(ConfigError):
            Schedule(cron).trigger()
    else:
        Schedule(cron).trigger()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"])
def test_a_daily_round_is_due_once_on_every_day_of_a_year(zone: str) -> None:
    trigger = Schedule("30 1 * * *", zone).trigger()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    days = set()
    for _ in range(366):  # 365 days, and the hour that is due twice when clocks go back
        due = trigger.get_next_fire_time(moment, moment)
        days.add(due.astimezone(ZoneInfo(zone)).date())
        moment = due.astimezone(UTC) + timedelta(seconds=1)
    assert days >= {min(days) + timedelta(days=n) for n in range(364)}


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_missed_rounds_agree_with_counting_hours(first: int, later: int) -> None:
    start = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
    last, now = start + timedelta(hours=first), start + timedelta(hours=first + later)
    due = any(
        (hour := (last + timedelta(hours=n)).replace(minute=0)).hour in (10, 13, 15)
        and hour.weekday() < 5
        and last < hour <= now
        for n in range(later + 2)
    )
    assert WEEKDAYS.was_missed(last, now) == due


def test_stopping_the_clock_ends_every_sleep() -> None:
    clock = StoppableClock()
    threading.Timer(0.05, clock.stop).start()
    with pytest.raises(Stopped):
        clock.sleep(60)
    with pytest.raises(Stopped):
        clock.check()


PROGRAM = """
import sys, time
from datetime import UTC, datetime
from ctsync.daemon import Schedule, StoppableClock, serve

clock, wanted = StoppableClock(), sys.argv[1]
count = 0

def tick():
    global count
    count += 1
    print("tick", count, flush=True)
    if wanted == "fails" and count == 1:
        raise MemoryError("no")
    if wanted == "exits" and count == 1:
        raise SystemExit(3)
    if wanted == "sleeps":
        clock.sleep(600)
    if wanted == "overlaps":
        time.sleep(0.7)
        print("done", count, flush=True)
    if wanted == "hangs":
        time.sleep(600)

print("ready", flush=True)
serve(tick, Schedule("", minutes=0.2 / 60), clock=clock, last=None)
print("ended", flush=True)
"""


class Child:
    """A daemon in a separate process, and the lines it prints."""

    def __init__(self, wanted: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, wanted],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def wait_for(self, line: str) -> None:
        while self.lines.get(timeout=20) != line:
            pass

    def drained(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.lines.get_nowait())
            except Empty:
                return found


@pytest.fixture
def start() -> Iterator[Callable[[str], Child]]:
    children: list[Child] = []

    def make(wanted: str) -> Child:
        children.append(Child(wanted))
        return children[-1]

    yield make
    for child in children:
        child.process.kill()
        child.process.wait()
        child.reader.join()
        assert child.process.stdout is not None
        child.process.stdout.close()


@pytest.mark.slow  # it signals a real process
@pytest.mark.parametrize("wanted", ["fails", "exits"])
def test_the_tick_after_a_failing_one_runs(start: Callable[[str], Child], wanted: str) -> None:
    start(wanted).wait_for("tick 3")


@pytest.mark.slow  # it signals a real process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_sleeping_tick_and_the_daemon(
    start: Callable[[str], Child], number: signal.Signals
) -> None:
    child = start("sleeps")
    child.wait_for("tick 1")
    child.process.send_signal(number)
    assert child.process.wait(timeout=10) == 0


@pytest.mark.slow  # it signals a real process
def test_a_signal_lets_a_running_tick_finish_its_unit(start: Callable[[str], Child]) -> None:
    child = start("overlaps")
    child.wait_for("tick 1")
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(timeout=10) == 0
    child.reader.join(timeout=5)
    assert "done 1" in child.drained()


@pytest.mark.slow  # it signals a real process
def test_a_tick_that_does_not_end_is_interrupted_in_time(start: Callable[[str], Child]) -> None:
    child = start("hangs")
    child.wait_for("tick 1")
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(timeout=10) == 0


@pytest.mark.slow  # it signals a real process
def test_two_ticks_never_overlap(start: Callable[[str], Child]) -> None:
    child = start("overlaps")
    child.wait_for("tick 4")
    child.process.send_signal(signal.SIGTERM)
    child.process.wait(timeout=10)
    child.reader.join(timeout=5)
    lines = ["tick 4", *child.drained()]
    assert lines[:2] == ["tick 4", "done 4"]


@pytest.mark.slow  # it signals a real process
def test_a_suspended_daemon_catches_up_once(start: Callable[[str], Child]) -> None:
    child = start("plain")
    child.wait_for("tick 2")
    child.process.send_signal(signal.SIGSTOP)
    time.sleep(3)  # fifteen ticks are due in this time
    child.drained()
    began = time.monotonic()
    child.process.send_signal(signal.SIGCONT)
    time.sleep(0.55)
    caught_up = len(child.drained())
    allowed = 1 + int((time.monotonic() - began) / 0.2) + 1
    print(f"suspended: 15 ticks due, {caught_up} run within {allowed} allowed")
    assert 1 <= caught_up <= allowed < 15


# a Monday, half an hour before the first of the day's three rounds
MORNING = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)
ASLEEP = {"1 h": timedelta(hours=1), "1 d": timedelta(days=1), "30 d": timedelta(days=30)}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "condition not met within 10 s"
        time.sleep(0.01)


def wake_up(scheduler: Any) -> None:
    """Wake the scheduler three times, as its heartbeat does twice a minute."""
    for _ in range(3):
        scheduler.wakeup()
        time.sleep(0.05)


@pytest.mark.parametrize("asleep", ASLEEP)
def test_after_a_machine_slept_all_missed_rounds_are_made_up_for_once(asleep: str) -> None:
    ran: list[datetime] = []
    clock = SystemClock()
    with time_machine.travel(MORNING) as traveller:
        scheduler = daemon.make_scheduler(lambda: ran.append(clock.now()), WEEKDAYS, clock, MORNING)
        scheduler.start()
        try:
            wake_up(scheduler)
            assert ran == []
            traveller.shift(ASLEEP[asleep])  # the wall clock jumps, as when a machine wakes
            wake_up(scheduler)
            until(lambda: bool(ran))
            wake_up(scheduler)
            caught_up = len(ran)
            next_due = WEEKDAYS.trigger().get_next_fire_time(None, clock.now())
            traveller.move_to(next_due + timedelta(seconds=1))
            scheduler.wakeup()
            until(lambda: len(ran) > caught_up)
        finally:
            scheduler.shutdown(wait=True)
    due = len(rounds_between(MORNING, MORNING + ASLEEP[asleep]))
    print(f"suspended {asleep}: {due} rounds fell due, {caught_up} catch-up")
    assert caught_up == 1
    assert len(ran) == 2  # and the next round of the schedule, when it was due


def rounds_between(start: datetime, end: datetime) -> list[datetime]:
    trigger, found = WEEKDAYS.trigger(), []
    moment = trigger.get_next_fire_time(None, start)
    while moment <= end:
        found.append(moment)
        moment = trigger.get_next_fire_time(None, moment + timedelta(seconds=1))
    return found


WEEKDAY_MORNINGS = (WEEKDAYS, Schedule("", minutes=60))


@pytest.mark.parametrize("schedule", WEEKDAY_MORNINGS, ids=["cron", "interval"])
def test_a_tick_planned_by_a_clock_that_ran_ahead_runs_once_the_clock_is_right(
    schedule: Schedule,
) -> None:
    ran: list[datetime] = []
    clock = SystemClock()
    ahead = MORNING + timedelta(days=400)
    with time_machine.travel(ahead) as traveller:
        scheduler = daemon.make_scheduler(lambda: ran.append(clock.now()), schedule, clock, ahead)
        scheduler.start()
        try:
            daemon.wake(scheduler, schedule, clock.now())
            assert ran == []
            traveller.move_to(MORNING + timedelta(hours=1))
            daemon.wake(scheduler, schedule, clock.now())
            until(lambda: bool(ran))
            daemon.wake(scheduler, schedule, clock.now())
            planned = scheduler.get_job("tick").next_run_time
        finally:
            scheduler.shutdown(wait=True)
    print(f"clock set back by 400 days: the tick runs, the next is planned for {planned:%Y-%m-%d}")
    assert len(ran) == 1
    assert planned - ran[0] < timedelta(hours=3)


def test_the_scheduler_is_woken_until_the_clock_is_stopped() -> None:
    woken: list[int] = []

    class Clock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.sleeps) > 3:
                raise Stopped("stopped")

    class Scheduler:
        def get_job(self, _name: str) -> None:
            return None

        def wakeup(self) -> None:
            woken.append(1)

    clock = Clock()
    daemon.keep_awake(Scheduler(), WEEKDAYS, clock)
    assert (len(woken), set(clock.sleeps)) == (3, {daemon.HEARTBEAT_SECONDS})


@given(st.integers(6, 10**6), st.sampled_from([1, 60, None]))
def test_a_round_recorded_in_the_future_leaves_the_next_one_due(
    ahead: int, minutes: int | None
) -> None:
    schedule = Schedule("0 10,13,15 * * 1-5", minutes=minutes)
    last = FRIDAY + timedelta(minutes=ahead)
    assert schedule.is_due(last, FRIDAY)
    assert schedule.was_missed(last, FRIDAY)


@pytest.mark.parametrize("down", ASLEEP)
def test_after_a_daemon_was_down_all_missed_rounds_are_made_up_for_once(down: str) -> None:
    ran: list[datetime] = []
    clock = SystemClock()
    with time_machine.travel(MORNING + ASLEEP[down]):
        scheduler = daemon.make_scheduler(lambda: ran.append(clock.now()), WEEKDAYS, clock, MORNING)
        scheduler.start()
        try:
            until(lambda: bool(ran))
            wake_up(scheduler)
        finally:
            scheduler.shutdown(wait=True)
    print(f"down {down}: {len(ran)} catch-up")
    assert len(ran) == 1


# --- work beside the ticks -------------------------------------------------------------------


def test_background_work_runs_and_a_failure_ends_no_other_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[str] = []
    background = Background(StoppableClock())
    assert background.wait(0)
    for work in (lambda: ran.append("one"), failing, lambda: ran.append("two")):
        background.add(work)
        assert background.wait(10)
    assert ran == ["one", "two"]
    assert "deliveries failed: the registry does not answer" in caplog.text


def test_background_work_that_lasts_delays_neither_its_caller_nor_other_work() -> None:
    """A mail server that drips does not delay the webhook of the next sync."""
    clock, held, later = StoppableClock(), threading.Event(), threading.Event()
    background, ran = Background(clock), list[str]()
    background.add(held.wait)
    background.add(later.set)
    assert later.wait(10)
    assert not background.wait(0.05)
    clock.stop()
    background.add(lambda: ran.append("too late"))
    held.set()
    assert background.wait(10)
    assert ran == [], "work added after the stop is left to the next daemon"


# --- result of one tick ----------------------------------------------------------------------


def guarded(tick: Callable[[], object], clock: StoppableClock | None = None) -> None:
    guard(tick, clock or StoppableClock(), threading.Event())()


def failing() -> None:
    raise RegistryUnreachable("the registry does not answer")


def test_an_expected_failure_is_logged_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", "ctsync.daemon"):
        guarded(failing)
    assert caplog.messages == ["tick failed: the registry does not answer"]
    assert "Traceback" not in caplog.text


def test_the_debug_log_has_the_traceback_of_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("DEBUG", "ctsync.daemon"):
        guarded(failing)
    assert "Traceback" in caplog.text


def test_an_unexpected_failure_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", "ctsync.daemon"):
        guarded(lambda: 1 / 0)
    assert "ZeroDivisionError" in caplog.text


def test_a_tick_that_starts_after_the_stop_does_nothing() -> None:
    clock, ran = StoppableClock(), []
    clock.stop()
    guarded(lambda: ran.append("a round"), clock)
    assert ran == []
