"""The sync cycle of cron, the daemon and `ctsync sync`: lock, targets, sync, unlock, deliver.

Deliveries need no writer lock, so that a slow channel delays no sync (decision 012). If the
settings name a monitor (a dead man's switch), it is notified of the start of the sync and, after
the deliveries, of the end.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.deliver.channels.channel import Channel, channels_from
from ctsync.deliver.heartbeat import send_heartbeats
from ctsync.deliver.monitor import Monitor
from ctsync.deliver.outbox import DrainResult, drain
from ctsync.deliver.routes import routes_from
from ctsync.errors import (
    CtsyncError,
    LockHeld,
    RegistryError,
    RegistryUnreachable,
    Stopped,
    UsageError,
)
from ctsync.model import NctId
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.interface import Registry
from ctsync.store.data.runs import SYNC
from ctsync.store.data.watches import Watch
from ctsync.store.store import Store
from ctsync.sync.cycle_result import CyclePreview, CycleResult, PendingDeliveries, SyncedCycle
from ctsync.sync.observations import KIND_OF_SOME
from ctsync.sync.quarantine import held_back, with_quarantine
from ctsync.sync.result import RunCallbacks
from ctsync.sync.trial_pass import TrialPass
from ctsync.sync.watches.listings import query_watches
from ctsync.sync.watches.refresh_facts import refresh_facts
from ctsync.sync.watches.resolve import (
    FileWatches,
    join_file_watches,
    join_watches,
    resolve_file_watches,
)

if TYPE_CHECKING:
    from ctsync.sync.history.backfill import BackfillResult as Backfilled
    from ctsync.sync.history.trial_fetch import History
    from ctsync.sync.mirror.result import ArchiveFile, MirrorResult

log = logging.getLogger(__name__)

HISTORIES_A_ROUND = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCycle:
    """The settings and services of a cycle; one instance can run any number of cycles.

    Without `sends`, messages and heartbeats wait for a later cycle or `ctsync outbox retry`.
    """

    settings: Settings
    store: Store
    registry: Registry
    clock: Clock
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    accept_gone: bool = False
    sends: bool = True
    history: History | None = None

    def run(
        self, only: Sequence[NctId] = (), *, holder: str, wait_seconds: float = 0
    ) -> CycleResult:
        """Sync all watched trials, or `only` the given ones, and deliver pending messages.

        1. Take the database's single writer lock, or raise LockHeld naming its holder.
        2. Copy the watches of the settings file into the store.
        3. Sync the trials. Without `only`, skip quarantined trials. Release the lock.
        4. `deliver`, even if the registry could not be reached.
        5. `catch_up`, in a cycle over all watched trials.

        An unreachable channel or monitor is logged and does not fail the cycle.
        """
        monitor = self._monitor()
        with _pings_sent(monitor):
            with (
                self._failures_to(monitor),
                self.store.writer(holder=holder, wait_seconds=wait_seconds),
            ):
                synced = self._sync_monitored(monitor, only)
            result = self.deliver(synced)
            return result if only else replace(result, past=self.catch_up(synced, holder=holder))

    def run_if_due(
        self, is_due: Callable[[datetime | None], bool], *, holder: str
    ) -> SyncedCycle | None:
        """Wait for the writer lock, then sync as `run` does; return None if no sync is due by then.

        The caller delivers. Several daemons may share a database: one runs the cycle, the others
        wait for the lock. `is_due` is called while the lock is held, with the start of the newest
        completed sync, or None. A daemon that waited therefore sees a run that another daemon just
        completed, and takes over if the other daemon died.
        """
        monitor = self._monitor()
        with (
            self._failures_to(monitor),
            self.store.writer(holder=holder, wait_seconds=math.inf),
        ):
            if not is_due(self.store.runs.last_completed_start(SYNC, self.clock.now())):
                return None
            return self._sync_monitored(monitor, ())

    def mirror(
        self,
        bulk: ArchiveFile,
        *,
        folder: Path,
        archive: Path | None = None,
        sweep: bool = False,
        holder: str,
        wait_seconds: float = 0,
    ) -> tuple[MirrorResult, CycleResult | None]:
        """Update the mirror, then sync the watched trials and deliver, as `run` does.

        Downloads go to `folder`. The cycle result is None if no trial is watched or the registry
        cannot be reached; pending messages are delivered in either case. With an `archive`, a
        registry that cannot be reached gets one request, without retries.
        """
        from ctsync.sync.mirror.mirror import Mirror  # noqa: PLC0415 - a sync does not need it

        channels = channels_from(self.settings)
        with self.store.writer(holder=holder, wait_seconds=wait_seconds):
            found = self._file_watches(retry=archive is None)
            join_file_watches(self.store, found)
            wanted = self.settings.mirror
            result = Mirror(
                store=self.store,
                registry=self.registry,
                bulk=bulk,
                clock=self.clock,
                folder=folder,
                thresholds=Thresholds().replace(self.settings.rules),
                routes=tuple(routes_from(self.settings)),
                watcher=self.watcher,
                processes=wanted.processes,
                overlap=timedelta(days=wanted.overlap_days),
                sweep_every=timedelta(days=wanted.full_scan_days),
            ).run(
                archive=archive,
                sweep=sweep,
                is_unreachable=isinstance(found.away, RegistryUnreachable),
            )
            queried = any(watch.query is not None for watch in self.store.watches.all())
            is_followed = queried or bool(self.store.watched.ids())
            synced = self._sync_watched(()) if result.is_online and is_followed else None
            if synced is None:
                for lost in found.unresolved:
                    result.doubt(f"watch {lost.watch}: {lost.reason}")
            pending = self._pending(channels)
        if synced is None:
            self._drain(pending)
            return result, None
        cycle = self.deliver(synced)
        return result, replace(cycle, past=self.catch_up(synced, holder=holder))

    def deliver(self, synced: SyncedCycle) -> CycleResult:
        """Send the messages and heartbeats that are due after a sync. Needs no writer lock.

        Notifies the monitor of the result. Raises the RegistryError that ended the sync.
        """
        if isinstance(synced.sync, RegistryError):
            synced.monitor.failure(_named(synced.sync))
            self._drain(synced.pending)
            raise synced.sync
        with self._failures_to(synced.monitor):
            delivered = self._drain(synced.pending)
            if self.sends:
                send_heartbeats(self.store, synced.pending.channels, clock=self.clock)
        result = CycleResult(synced.sync, delivered, synced.unresolved)
        notify = synced.monitor.success if result.is_well else synced.monitor.failure
        notify(result.sentence())
        return result

    def catch_up(self, synced: SyncedCycle, *, holder: str) -> Backfilled | None:
        """Retry at most HISTORIES_A_ROUND histories that are due, if no other writer is at work."""
        due = self.store.histories.due(self.clock.now(), limit=HISTORIES_A_ROUND)
        if self.history is None or not due:
            return None
        # measured: 5 % of a sync that has no history to retry
        from ctsync.sync.history.backfill import Backfill  # noqa: PLC0415 - see above

        try:
            with self._failures_to(synced.monitor), self.store.writer(holder=holder):
                return Backfill(
                    store=self.store,
                    history=self.history,
                    clock=self.clock,
                    thresholds=Thresholds().replace(self.settings.rules),
                    watcher=RunCallbacks(check=self.watcher.check),
                    scope=None,
                ).run(due)
        except LockHeld as held:
            log.info("the next sync fetches the histories that are due: %s", held)
            return None

    def _monitor(self) -> Monitor:
        return Monitor(self.settings.monitor.ping_url.reveal())

    @contextmanager
    def _failures_to(self, monitor: Monitor) -> Iterator[None]:
        """Notify the monitor of an exception, if it was notified of the start."""
        try:
            yield
        except Stopped:
            raise
        except Exception as error:
            # the exact type: LockHeld stopped nothing, but its subclass LockLost ended this run
            if monitor.is_started and type(error) is not LockHeld:
                monitor.failure(_named(error))
            raise

    def _sync_monitored(self, monitor: Monitor, only: Sequence[NctId]) -> SyncedCycle:
        monitor.start()
        return replace(self._sync_watched(only), monitor=monitor)

    def _sync_watched(self, only: Sequence[NctId]) -> SyncedCycle:
        """Sync under the writer lock, and leave the pending messages to `deliver`."""
        channels = channels_from(self.settings)
        try:
            found = self._file_watches()
            join_file_watches(self.store, found)
            if only:
                result = self._sync().run(only, kind=KIND_OF_SOME)
            else:
                watched = _some(self.store.watched.ids(), self.store.watches.all(), found)
                aliases = self.store.watched.moved_ids()
                asked = [*watched, *aliases]
                sync = self._sync(total=len(asked), aliases=aliases)
                result = sync.run(asked, with_queries=True)
            refresh_facts(self.store, check=self.watcher.check)
        except RegistryError as error:
            # pending messages are due whether or not the registry answers
            return SyncedCycle(error, self._pending(channels))
        return SyncedCycle(result, self._pending(channels), found.unresolved)

    def _pending(self, channels: Mapping[str, Channel]) -> PendingDeliveries:
        """Return the deliveries that a drain may send.

        Call under the writer lock, with no run in progress.
        """
        run = self.store.runs.last()
        horizon = self.store.outbox.horizon()
        return PendingDeliveries(channels, horizon, run.id if run else None)

    def _drain(self, pending: PendingDeliveries) -> DrainResult:
        """Send pending messages, and add their number to the newest run."""
        if not self.sends:
            return DrainResult()
        delivered = drain(
            self.store,
            pending.channels,
            clock=self.clock,
            horizon=pending.horizon,
            check=self.watcher.check,
        )
        if delivered.messages and pending.run_id is not None:
            with self.store.unit(fenced=False) as unit:
                unit.runs.add_delivered(pending.run_id, delivered.messages)
        return delivered

    def preview(self, only: Sequence[NctId] = ()) -> CyclePreview:
        """Return what `run` would decide and store.

        Writes and sends nothing, and takes no lock.
        """
        if only:
            load, examined, _ = self._sync().preview(only)
            return CyclePreview(load, examined)
        found = self._file_watches()
        watches = join_watches(self.store.watches.all(), found, at=self.clock.now())
        followed = sorted({trial.nct_id for watch in watches for trial in watch.trials})
        watched = [*_some(followed, watches, found), *self.store.watched.moved_ids()]
        sync = self._sync()
        asked = list(dict.fromkeys(watched))
        load, examined, listed = sync.preview(asked, queries=query_watches(watches))
        membership = sync.membership(run_id=0, observed=load.data_timestamp)
        moves, held = membership.preview(listed, examined, accept_gone=self.accept_gone)
        return CyclePreview(load, examined, found.unresolved, listed, tuple(moves), tuple(held))

    def _file_watches(self, *, retry: bool = True) -> FileWatches:
        return resolve_file_watches(
            self.store,
            self.registry,
            self.settings.watches,
            rules=self.settings.rules,
            retry=retry,
        )

    def _sync(self, *, total: int = 0, aliases: Collection[NctId] = ()) -> TrialPass:
        """Build the pass; a pass over all `total` watched trials skips quarantined trials."""
        now = self.clock.now()
        held = held_back(self.store, of=total, now=now) if total else {}
        return TrialPass(
            store=self.store,
            registry=with_quarantine(self.registry, held),
            clock=self.clock,
            thresholds=Thresholds().replace(self.settings.rules),
            routes=routes_from(self.settings),
            watcher=self.watcher,
            accept_gone=self.accept_gone,
            aliases=aliases,
        )


def _some(watched: Sequence[NctId], watches: Iterable[Watch], found: FileWatches) -> list[NctId]:
    queried = any(watch.query is not None for watch in watches)
    if not watched and not queried and not found.unresolved:
        raise UsageError("no trial is watched yet; add a trial: ctsync watch add NCT03389919")
    return list(watched)


@contextmanager
def _pings_sent(monitor: Monitor) -> Iterator[None]:
    """Wait for unsent pings at the end; if the user stops the cycle, they end with the process."""
    try:
        yield
    except (Stopped, KeyboardInterrupt):
        raise
    except Exception:
        monitor.wait()
        raise
    monitor.wait()


def _named(error: Exception) -> str:
    """Return an error as text for the monitor, without the message of a third-party error.

    That message may contain a secret.
    """
    message = f": {error}" if isinstance(error, CtsyncError) else ""
    return type(error).__name__ + message
