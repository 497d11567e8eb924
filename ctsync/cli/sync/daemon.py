"""`daemon`: sync on a schedule."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.cli.sync_messages import past_sentence, sync_sentences
from ctsync.daemon import Background, Schedule, StoppableClock, persistent, serve
from ctsync.errors import LockLost, RegistryError, StoreUnreachable
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.cycle_result import SyncedCycle
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

    background = Background(clock)
    worth_another_try = (StoreUnreachable, LockLost)

    def tick() -> None:
        with _cycle(app, clock) as work:
            synced = work.run_if_due(
                lambda began: schedule.is_due(began, clock.now()), holder="ctsync daemon"
            )
            if synced is None:
                log.info("nothing to do: another writer has already run this sync")
                return
            deliveries = persistent(lambda: _deliver(app, clock, synced), worth_another_try, clock)
            background.add(deliveries)
            if isinstance(synced.sync, RegistryError):
                raise synced.sync
            past = work.catch_up(synced, holder="ctsync daemon")
            misnamed = app.settings.unknown_watches(list(work.store.watches.origins()))
        level = logging.INFO if synced.is_whole else logging.WARNING
        for sentence in (*sync_sentences(synced.sync, synced.unresolved), *past_sentence(past)):
            log.log(level, "%s", sentence)
        for sentence in misnamed:
            log.warning("%s", sentence)

    def last_finished() -> datetime | None:
        with app.writable_store() as store:
            return store.runs.last_finished("sync", clock.now())

    schedule.trigger()
    # after a boot, the daemon may start before the server or the network
    last = persistent(last_finished, (StoreUnreachable,), clock)()
    tell(f"ctsync daemon: {_described(schedule)}; stop with Ctrl-C or SIGTERM")
    serve(
        persistent(tick, worth_another_try, clock),
        schedule,
        clock=clock,
        last=last,
        background=background,
    )


@contextmanager
def _cycle(app: App, clock: StoppableClock) -> Iterator[SyncCycle]:
    """Open the store for every cycle: a connection may be lost between cycles."""
    with (
        app.writable_store(for_watched_trials=True) as store,
        app.registry() as registry,
        app.history(registry) as history,
    ):
        yield SyncCycle(
            settings=app.settings,
            store=store,
            registry=registry,
            history=history,
            clock=clock,
            watcher=RunCallbacks(check=clock.check),
        )


def _deliver(app: App, clock: StoppableClock, synced: SyncedCycle) -> None:
    """Send the messages of a sync, in the thread for deliveries."""
    with _cycle(app, clock) as work, suppress(RegistryError):  # the sync already logged this error
        delivered = work.deliver(synced).delivered
        if delivered.is_worth_a_sentence:
            log.log(logging.WARNING if delivered.parked else logging.INFO, delivered.sentence())


def _described(schedule: Schedule) -> str:
    if schedule.minutes:
        return f"every {schedule.minutes:g} minutes"
    return f"at {schedule.cron!r} ({schedule.timezone})"
