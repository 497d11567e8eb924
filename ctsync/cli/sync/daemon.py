"""`daemon`: sync on a schedule."""

from __future__ import annotations

import logging

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.cli.sync_messages import sentences
from ctsync.daemon import Schedule, StoppableClock, persistent, serve
from ctsync.errors import LockLost, StoreUnreachable
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.result import RunCallbacks

log = logging.getLogger(__name__)


@click.command()
@pass_app
def daemon(app: App) -> None:
    """Sync on the schedule of the settings, until SIGTERM or Ctrl-C.

    After a pause, for example when the machine slept, the daemon runs one sync for all missed
    times. It reads the settings at the start: restart it to apply a change.

    On several hosts with one database, one host syncs and the others stand by. If it stops,
    another host takes over within 30 seconds.
    """
    app.sends = True
    wanted = app.settings.schedule
    schedule = Schedule(wanted.cron, wanted.timezone, minutes=wanted.interval_minutes)
    clock = StoppableClock()
    app.clock = clock
    app.start_logging(at_least=logging.INFO)

    def tick() -> None:
        # open the store for every round: a connection may be lost between rounds
        with (
            app.writable_store() as store,
            app.registry() as registry,
            app.history(registry) as history,
        ):
            work = SyncCycle(
                settings=app.settings,
                store=store,
                registry=registry,
                history=history,
                clock=clock,
                watcher=RunCallbacks(check=clock.check),
            )
            result = work.run_if_due(
                lambda began: schedule.is_due(began, clock.now()), holder="ctsync daemon"
            )
            if result is None:
                log.info("nothing to do: another writer has already run this sync")
                return
            misnamed = app.settings.unknown_watches(list(store.watches.origins()))
        level = logging.INFO if result.is_whole else logging.WARNING
        for sentence in sentences(result):
            log.log(level, "%s", sentence)
        for sentence in misnamed:
            log.warning("%s", sentence)

    with app.writable_store() as store:
        last = store.runs.last_finished("sync", clock.now())
    schedule.trigger()
    tell(f"ctsync daemon: {_described(schedule)}; stop with Ctrl-C or SIGTERM")
    worth_another_try = (StoreUnreachable, LockLost)
    serve(persistent(tick, worth_another_try, clock), schedule, clock=clock, last=last)


def _described(schedule: Schedule) -> str:
    if schedule.minutes:
        return f"every {schedule.minutes:g} minutes"
    return f"at {schedule.cron!r} ({schedule.timezone})"
