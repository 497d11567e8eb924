"""Daemon: runs a tick (any callable) on a schedule until it is stopped.

The only module that imports APScheduler. Jobs are kept in memory. At each start the daemon
derives from the database when the next tick is due, so no other record can contradict it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import chain, repeat
from typing import Any, TypeVar

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from ctsync.config.cron import WEEKDAYS, read_cron
from ctsync.dates import Clock, SystemClock, is_ahead, time_zone
from ctsync.errors import ConfigError, CtsyncError, Stopped

log = logging.getLogger(__name__)

T = TypeVar("T")

GRACE_SECONDS = 8.0
HEARTBEAT_SECONDS = 30
RETRY_SECONDS = (1, 2, 4, 8, 15, 30)
"""Waits between attempts; the last one repeats."""

_SIGNALS = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a tick is due: a cron expression in a time zone, or an interval in minutes.

    If both are given, `minutes` takes precedence.
    """

    cron: str
    timezone: str = "UTC"
    minutes: float | None = None

    def trigger(self) -> CronTrigger | IntervalTrigger:
        """Return the APScheduler trigger. Raises ConfigError for an unreadable expression."""
        try:
            if self.minutes:
                return IntervalTrigger(seconds=self.minutes * 60, timezone=UTC)
            return _cron_trigger(self.cron, time_zone(self.timezone))
        except (ValueError, KeyError) as error:
            raise ConfigError([f"schedule.cron: {self.cron!r} cannot be read: {error}"]) from error

    def was_missed(self, last: datetime | None, now: datetime) -> bool:
        """Return whether a tick was due between `last` and `now`. True if no tick ever ran.

        Also True if `last` is in the future: a wrong clock wrote it.
        """
        if last is None or is_ahead(last, now):
            return True
        if self.minutes:
            return (now - last).total_seconds() >= self.minutes * 60
        due = self.trigger().get_next_fire_time(last, last)
        return due is not None and due <= now

    def is_too_late(self, planned: datetime, now: datetime) -> bool:
        """Return whether a tick is planned for later than the first one after `now`.

        That happens if the clock was set back after the tick was planned.
        """
        first = self.trigger().get_next_fire_time(None, now)
        return first is not None and is_ahead(planned, first)

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Return whether the current tick is still due after a run that began at `last`.

        Another daemon may have made that run. An interval counts as elapsed after nine tenths of
        it: the other daemon's clock may differ, and it recorded the start only after it got the
        lock.
        """
        if last is not None and self.minutes and not is_ahead(last, now):
            return (now - last).total_seconds() >= self.minutes * 60 * 0.9
        return self.was_missed(last, now)


def _cron_trigger(expression: str, zone: tzinfo) -> CronTrigger:
    """Return the trigger of a cron expression. Raises ValueError.

    Does not use `CronTrigger.from_crontab`: it counts weekdays from Monday as 0, so that 1-5
    would run from Tuesday to Saturday. The trigger gets parsed numbers, and weekdays by name.
    """
    times = read_cron(expression)
    return CronTrigger(
        minute=_listed(times.minutes),
        hour=_listed(times.hours),
        day=_listed(times.days),
        month=_listed(times.months),
        day_of_week=",".join(WEEKDAYS[number] for number in times.weekdays),
        timezone=zone,
    )


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


class StoppableClock(SystemClock):
    """The system clock. Its sleep raises Stopped as soon as the daemon is stopped."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def stop(self) -> None:
        """End every current and future sleep."""
        self._stop.set()

    def check(self) -> None:
        """Raise Stopped if `stop` was called."""
        if self._stop.is_set():
            raise Stopped("interrupted by a signal")

    def sleep(self, seconds: float) -> None:
        """Wait; raise Stopped once `stop` is called."""
        self._stop.wait(seconds)
        self.check()


class Background:
    """Runs each work item in its own thread, so that neither a tick nor other work waits for it."""

    def __init__(self, clock: StoppableClock) -> None:
        self._clock = clock
        self._threads: list[threading.Thread] = []

    def add(self, work: Callable[[], object]) -> None:
        """Run `work` at once, unless the clock was stopped. Its exceptions are logged."""
        thread = threading.Thread(
            target=_run_logged, args=(work, self._clock, "deliveries"), daemon=True
        )
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until all work has ended; return False if it has not after `seconds`."""
        end = self._clock.monotonic() + seconds
        threads = self._threads
        for thread in threads:
            thread.join(max(0.0, end - self._clock.monotonic()))
        return not any(map(threading.Thread.is_alive, threads))


def serve(
    tick: Callable[[], object],
    schedule: Schedule,
    *,
    clock: StoppableClock,
    last: datetime | None,
    background: Background | None = None,
) -> None:
    """Run `tick` whenever it is due, until SIGTERM or SIGINT; then return within ten seconds.

    1. If ticks were missed since `last`, one tick runs at once. The same applies after the
       machine slept.
    2. Two ticks never overlap. A tick that is due while another runs is skipped and logged.
    3. If a tick raises, the error is logged and the next tick runs.
    4. On a signal, the clock's sleeps end, and a running tick and the work in `background` may
       finish their units. If they do not end within GRACE_SECONDS, the process exits and the
       database rolls the unit back. A second signal ends the process at once.
    """
    # Signals are blocked in every thread and awaited here. A signal handler could run while a
    # lock that it needs is held, and deadlock.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    finished = threading.Event()
    finished.set()

    guarded = guard(tick, clock, finished)
    scheduler = make_scheduler(guarded, schedule, clock, last)
    scheduler.start()
    log.info("started; the next tick is due %s", scheduler.get_job("tick").next_run_time)
    threading.Thread(target=keep_awake, args=(scheduler, schedule, clock), daemon=True).start()
    got = signal.sigwait(_SIGNALS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log.info("%s: stopping", signal.Signals(got).name)
    clock.stop()
    scheduler.shutdown(wait=False)
    end = clock.monotonic() + GRACE_SECONDS
    is_over = finished.wait(GRACE_SECONDS)
    if background is not None:
        is_over = background.wait(max(0.0, end - clock.monotonic())) and is_over
    if not is_over:
        log.warning(
            "the tick or its deliveries did not end within %s s; exiting, an open unit is rolled "
            "back, and a message under way is sent again",
            GRACE_SECONDS,
        )
        logging.shutdown()
        # a normal exit would join the pool's threads, for as long as the tick lasts
        os._exit(0)


def persistent(
    tick: Callable[[], T], retryable: tuple[type[CtsyncError], ...], clock: Clock
) -> Callable[[], T]:
    """Return a tick that is retried after a `retryable` error until it succeeds.

    The waits grow to the last of RETRY_SECONDS.
    """

    def with_retries() -> T:
        for wait in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            try:
                return tick()
            except retryable as error:
                log.warning("%s; trying again in %d s", error, wait)
                clock.sleep(wait)
        raise AssertionError("the waits have no end")

    return with_retries


def guard(
    tick: Callable[[], object], clock: StoppableClock, finished: threading.Event
) -> Callable[[], None]:
    """Return a tick that never raises, and that does nothing once the daemon is stopped."""

    def guarded() -> None:
        finished.clear()
        try:
            _run_logged(tick, clock, "tick")
        finally:
            finished.set()

    return guarded


def _run_logged(work: Callable[[], object], clock: StoppableClock, name: str) -> None:
    """Run `work` unless the daemon was stopped while it waited for a thread; log what it raises."""
    try:
        clock.check()
        work()
    except Stopped:
        log.info("%s stopped", name)
    except CtsyncError as error:
        # an expected error: one line is enough, and the next tick tries again
        log.error("%s failed: %s", name, error)
        log.debug("traceback of the failed %s", name, exc_info=True)
    except BaseException:
        # includes SystemExit and MemoryError, which would end the thread unlogged
        log.exception("%s failed", name)


def make_scheduler(
    tick: Callable[[], None], schedule: Schedule, clock: Clock, last: datetime | None
) -> Any:
    """Make an APScheduler that runs `tick`, at once if a tick was missed since `last`."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(2)},
        # APScheduler's defaults drop a tick that is a second late, or run missed ticks one by one
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    now = clock.now()
    first = {"next_run_time": now} if schedule.was_missed(last, now) else {}
    scheduler.add_job(tick, schedule.trigger(), id="tick", **first)
    scheduler.add_listener(_log_skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    return scheduler


def keep_awake(scheduler: Any, schedule: Schedule, clock: Clock) -> None:
    """Let the scheduler read the wall clock twice a minute, until the clock's sleep raises Stopped.

    The clock that measures waits stops while the machine sleeps, and the wall clock may be set
    back. Without this, a tick would be late by the length of the sleep or of the correction.
    """
    with suppress(Stopped):
        while True:
            clock.sleep(HEARTBEAT_SECONDS)
            wake(scheduler, schedule, clock.now())


def wake(scheduler: Any, schedule: Schedule, now: datetime) -> None:
    """Wake the scheduler. A tick that a wrong clock planned for a later time is due now."""
    job = scheduler.get_job("tick")
    planned = None if job is None else job.next_run_time
    if planned is not None and schedule.is_too_late(planned, now):
        log.warning("the next tick was planned for %s; the clock was set back since", planned)
        job.modify(next_run_time=now)
    scheduler.wakeup()


def _log_skipped(event: JobEvent) -> None:
    if event.job_id == "tick":
        log.warning("a tick was due while another was running; skipped")
