"""Runs a tick on a schedule until told to stop; knows nothing of what a tick does.

The only room that knows APScheduler. Jobs live in memory: what is due is found again from the
database at every start, so there is no second record of the past to disagree with it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from ctsync.config.cron import WEEKDAYS, read_cron
from ctsync.dates import Clock, SystemClock
from ctsync.errors import ConfigError, CtsyncError, Stopped

log = logging.getLogger(__name__)

GRACE_SECONDS = 8.0
HEARTBEAT_SECONDS = 30
TRY_AGAIN_SECONDS = (1, 2, 4, 8, 15, *[30] * 19)  # ten minutes
_SIGNALS = {signal.SIGTERM, signal.SIGINT}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a tick is due: a cron expression in a zone, or every so many minutes.

    `minutes` wins where both are given.
    """

    cron: str
    timezone: str = "UTC"
    minutes: float | None = None

    def trigger(self) -> CronTrigger | IntervalTrigger:
        """The APScheduler trigger; raises ConfigError for an expression it cannot read."""
        try:
            if self.minutes:
                return IntervalTrigger(seconds=self.minutes * 60, timezone=UTC)
            return _cron_trigger(self.cron, ZoneInfo(self.timezone))
        except (ValueError, KeyError) as error:
            raise ConfigError([f"schedule.cron: {self.cron!r} cannot be read: {error}"]) from error

    def was_missed(self, last: datetime | None, now: datetime) -> bool:
        """Whether a tick fell due between `last` and `now`; true where none ever ran."""
        if last is None:
            return True
        if self.minutes:
            return (now - last).total_seconds() >= self.minutes * 60
        due = self.trigger().get_next_fire_time(last, last)
        return due is not None and due <= now

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Whether the tick at hand was not yet made by a round that began at `last`.

        An interval counts as over when nine tenths of it are: the other's start was noted by
        another clock, and a lock later than its tick.
        """
        if last is not None and self.minutes:
            return (now - last).total_seconds() >= self.minutes * 60 * 0.9
        return self.was_missed(last, now)


def _cron_trigger(expression: str, zone: ZoneInfo) -> CronTrigger:
    """The trigger of a cron expression; raises ValueError.

    `CronTrigger.from_crontab` counts weekdays from Monday as 0, so that 1-5 would run from
    Tuesday to Saturday: it is given numbers that are read already, and weekdays by name.
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
    """The machine's clock, whose sleep ends with Stopped as soon as the daemon is told to stop."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def stop(self) -> None:
        """End every sleep, now and later."""
        self._stop.set()

    def check(self) -> None:
        """Raise Stopped if told to stop."""
        if self._stop.is_set():
            raise Stopped("told to stop")

    def sleep(self, seconds: float) -> None:
        """Wait, or raise Stopped."""
        self._stop.wait(seconds)
        self.check()


def serve(
    tick: Callable[[], object], schedule: Schedule, *, clock: StoppableClock, last: datetime | None
) -> None:
    """Run `tick` whenever it is due until SIGTERM or SIGINT, then return within ten seconds.

    1. A tick that fell due since `last` runs at once, and once however many were missed; the
       same after the machine slept.
    2. Two ticks never overlap; one that falls due while another runs is skipped and logged.
    3. A tick that raises is logged and the next one runs.
    4. On a signal the clock's sleeps end and a running tick may finish its unit; one that does
       not within the grace time is cut off, which the database rolls back. A second signal
       ends the process at once.
    """
    # Signals are blocked in every thread and waited for here: no handler runs at a moment
    # when a lock it needs may be held.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    finished = threading.Event()
    finished.set()

    guarded = guard(tick, clock, finished)
    scheduler = make_scheduler(guarded, schedule, clock, last)
    scheduler.start()
    log.info("started; the next tick is due %s", scheduler.get_job("tick").next_run_time)
    got = signal.sigwait(_SIGNALS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log.info("%s: stopping", signal.Signals(got).name)
    clock.stop()
    scheduler.shutdown(wait=False)
    if not finished.wait(GRACE_SECONDS):
        log.warning(
            "the tick did not end in %s s; cut off, its open unit is rolled back", GRACE_SECONDS
        )
        logging.shutdown()
        # the pool's threads would be joined at a normal exit, for as long as the tick lasts
        os._exit(0)


def persistent(
    tick: Callable[[], object], worth: tuple[type[CtsyncError], ...], clock: Clock
) -> Callable[[], None]:
    """A tick that is tried again, ever more seldom, where it ends with what is worth another try.

    After about ten minutes the error goes on its way: the next tick is soon enough then.
    """

    def tried() -> None:
        for wait in TRY_AGAIN_SECONDS:
            try:
                tick()
            except worth as error:
                log.warning("%s; trying again in %d s", error, wait)
                clock.sleep(wait)
            else:
                return
        tick()

    return tried


def guard(
    tick: Callable[[], object], clock: StoppableClock, finished: threading.Event
) -> Callable[[], None]:
    """A tick that never raises, and does nothing once the daemon is told to stop."""

    def guarded() -> None:
        finished.clear()
        try:
            clock.check()  # the stop may have come while this waited for a thread
            tick()
        except Stopped:
            log.info("tick stopped")
        except CtsyncError as error:
            # foreseen: a line says it all, and the next tick tries again
            log.error("tick failed: %s", error)
            log.debug("where it failed", exc_info=True)
        except BaseException:
            # SystemExit and MemoryError included: APScheduler would swallow them unsaid
            log.exception("tick failed")
        finally:
            finished.set()

    return guarded


def make_scheduler(
    tick: Callable[[], None], schedule: Schedule, clock: Clock, last: datetime | None
) -> Any:
    """Make an APScheduler that runs `tick`, at once if a tick was missed since `last`."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(2)},
        # defaults would drop a tick that is a second late, or run the backlog one by one
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    now = clock.now()
    first = {"next_run_time": now} if schedule.was_missed(last, now) else {}
    scheduler.add_job(tick, schedule.trigger(), id="tick", **first)
    # A sleeping machine stops the clock that waits are measured by; looking at the wall clock
    # twice a minute bounds how late a tick can be after it wakes.
    scheduler.add_job(_beat, IntervalTrigger(seconds=HEARTBEAT_SECONDS, timezone=UTC), id="beat")
    scheduler.add_listener(_tell_skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    return scheduler


def _beat() -> None:
    """Do nothing but wake the scheduler."""


def _tell_skipped(event: JobEvent) -> None:
    if event.job_id == "tick":
        log.warning("a tick was due while another still ran; skipped")
