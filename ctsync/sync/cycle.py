"""One round, as cron, the daemon and `ctsync sync` all make it: lock, targets, sync, deliver.

A dead-man's switch elsewhere is told of its start and end, where the settings name one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.deliver.channels.channel import Channel, channels_from
from ctsync.deliver.heartbeat import send_heartbeats
from ctsync.deliver.monitor import Monitor
from ctsync.deliver.outbox import DrainResult, drain
from ctsync.deliver.routes import routes_from
from ctsync.errors import CtsyncError, RegistryError, Stopped, UsageError
from ctsync.model import Event, NctId, RegistryVersion
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import Registry
from ctsync.store.data.runs import SYNC
from ctsync.store.data.watches import Watch
from ctsync.store.store import Store
from ctsync.sync.assess import AssessedTrial
from ctsync.sync.decide import Missing, NotChecked
from ctsync.sync.history.backfill import Backfill, History
from ctsync.sync.history.backfill import BackfillResult as Backfilled
from ctsync.sync.mirror.mirror import Mirror
from ctsync.sync.mirror.result import ArchiveFile, MirrorResult
from ctsync.sync.observations import KIND_OF_SOME
from ctsync.sync.quarantine import held_back, patient
from ctsync.sync.result import RunCallbacks, SyncResult
from ctsync.sync.trial_pass import TrialPass
from ctsync.sync.watches.listings import QueryListing, query_watches, unlisted
from ctsync.sync.watches.resolve import (
    FileWatches,
    UnresolvedTerm,
    join_file_watches,
    join_watches,
    resolve_file_watches,
)

HISTORIES_A_ROUND = 20


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What a round did; `unresolved` are terms of the file's watches that name no one trial.

    `past` is what it fetched of histories that were due to be asked for again.
    """

    sync: SyncResult
    delivered: DrainResult
    unresolved: tuple[UnresolvedTerm, ...] = ()
    past: Backfilled | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything watched was checked."""
        return self.sync.verdict == "ok" and not self.unresolved

    @property
    def is_well(self) -> bool:
        """Whether no person need look: everything was checked, and no delivery given up."""
        return self.is_whole and not self.delivered.parked

    def sentence(self) -> str:
        """Its figures, for who watches from afar; no remote text and no address is among them."""
        tally, delivered = self.sync.tally, self.delivered
        return (
            f"checked {tally.answered} of {tally.asked}; messages: {delivered.messages} sent, "
            f"{delivered.waiting} waiting, {delivered.parked} parked"
        )


@dataclass(frozen=True, slots=True)
class CyclePreview:
    """What a round would do: what each trial's answer means, and what names no one trial.

    `moves` are the trials that would enter or leave a query, each with the event that tells it.
    """

    load: RegistryVersion
    examined: Sequence[AssessedTrial]
    unresolved: tuple[UnresolvedTerm, ...] = ()
    listed: tuple[QueryListing, ...] = ()
    moves: Sequence[tuple[NctId, Event]] = ()
    held: tuple[str, ...] = ()

    @property
    def events(self) -> list[tuple[NctId, Event]]:
        """The events that would be stored, each with its trial."""
        found = [
            (one.asked, event)
            for one in self.examined
            if one.finding
            for event in one.finding.events
        ]
        return [*found, *self.moves]

    @property
    def is_whole(self) -> bool:
        """Whether everything watched could be checked."""
        return not (self.unchecked or self.unresolved or self.reasons)

    @property
    def reasons(self) -> list[str]:
        """Why watches by query could not be listed, and what would be held; in words."""
        return [*unlisted(self.listed), *self.held]

    @property
    def unchecked(self) -> list[tuple[NctId, str]]:
        """The trials that could not be checked or were not found, and why."""
        found: list[tuple[NctId, str]] = []
        for one in self.examined:
            match one.decision:
                case NotChecked(failed):
                    found.append((one.asked, str(failed.error)))
                case Missing(None):
                    found.append((one.asked, "the registry has no such trial"))
                case Missing():
                    found.append((one.asked, "not in this load"))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCycle:
    """What a round needs; made once, run as often as one likes."""

    settings: Settings
    store: Store
    registry: Registry
    clock: Clock
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    accept_gone: bool = False
    history: History | None = None

    def run(
        self, only: Sequence[NctId] = (), *, holder: str, wait_seconds: float = 0
    ) -> CycleResult:
        """Sync what is watched, or `only` the trials given, and deliver what waits.

        1. Take the database's one writer lock, or raise LockHeld naming its holder.
        2. Bring the watches of the settings file into the store.
        3. Sync, but for what waits in quarantine, unless it was named; then drain the outbox,
           whatever the sync found, and also where the registry could not be asked.
        4. Write to who asked to be told of a quiet week, where this was one.
        5. In a round over all that is watched, ask again for histories that could not be had
           before and are due; a few at a time.

        A channel or monitor that cannot be reached is logged; it fails no round.
        """
        with self.store.writer(holder=holder, wait_seconds=wait_seconds):
            return self._watched_over(only)

    def run_if_due(
        self, is_due: Callable[[datetime | None], bool], *, holder: str
    ) -> CycleResult | None:
        """Run as `run` does once no one else writes; None where that is not due any more.

        Of several daemons one makes the round, and the others stand by. `is_due` is asked when
        the lock is held, with the start of the newest round that came to its end: that of the
        daemon that was faster, or none where it died.
        """
        with self.store.writer(holder=holder, wait_seconds=math.inf):
            if not is_due(self.store.runs.last_completed_start(SYNC)):
                return None
            return self._watched_over(())

    def _watched_over(self, only: Sequence[NctId]) -> CycleResult:
        """Run, and tell the monitor of its start and end."""
        monitor = Monitor(self.settings.monitor.ping_url.get_secret_value())
        monitor.start()
        try:
            result = self._run(only)
        except Stopped:
            raise
        except Exception as error:
            # the words of an error that is not ours may hold anything
            said = f": {error}" if isinstance(error, CtsyncError) else ""
            monitor.failure(type(error).__name__ + said)
            raise
        tell = monitor.success if result.is_well else monitor.failure
        tell(result.sentence())
        return result

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
        """Bring the mirror up to date, then sync what is watched and deliver, as `run` does.

        `folder` is where a download is put. The round is None where nothing is watched, or the
        registry cannot be reached; what waits is delivered all the same.
        """
        with self.store.writer(holder=holder, wait_seconds=wait_seconds):
            channels = channels_from(self.settings)
            join_file_watches(self.store, self._file_watches())
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
                sweep_every=timedelta(days=wanted.sweep_days),
            ).run(archive=archive, sweep=sweep)
            if result.is_online and self.store.watched.ids():
                return result, self._run(())
            self._deliver(channels)
            return result, None

    def _run(self, only: Sequence[NctId]) -> CycleResult:
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
                sync = self._sync(patient_with=len(asked), aliases=aliases)
                result = sync.run(asked, with_queries=True)
        except RegistryError:
            self._deliver(channels)  # what waits is no less due for it
            raise
        delivered = self._deliver(channels)
        send_heartbeats(self.store, channels, clock=self.clock)
        past = None if only else self._past()
        return CycleResult(result, delivered, found.unresolved, past)

    def _deliver(self, channels: Mapping[str, Channel]) -> DrainResult:
        """Send what waits, and count it to the run that has just ended: the newest."""
        delivered = drain(self.store, channels, clock=self.clock)
        run = self.store.runs.last()
        if delivered.messages and run is not None:
            with self.store.unit() as unit:
                unit.runs.add_delivered(run.id, delivered.messages)
        return delivered

    def _past(self) -> Backfilled | None:
        """Ask again for the histories that are due."""
        due = self.store.histories.due(self.clock.now(), limit=HISTORIES_A_ROUND)
        if self.history is None or not due:
            return None
        return Backfill(
            store=self.store,
            history=self.history,
            clock=self.clock,
            thresholds=Thresholds().replace(self.settings.rules),
            watcher=RunCallbacks(check=self.watcher.check),
        ).run(due)

    def preview(self, only: Sequence[NctId] = ()) -> CyclePreview:
        """What `run` would decide and keep; writes and sends nothing, takes no lock."""
        if only:
            load, examined, _ = self._sync().preview(only)
            return CyclePreview(load, examined)
        found = self._file_watches()
        watches = join_watches(self.store.watches.all(), found, at=self.clock.now())
        followed = sorted({trial.nct_id for watch in watches for trial in watch.trials})
        watched = [*_some(followed, watches, found), *self.store.watched.moved_ids()]
        sync = self._sync()
        load, examined, listed = sync.preview(watched, queries=query_watches(watches))
        membership = sync.membership(run_id=0, observed=load.data_timestamp)
        moves, held = membership.preview(listed, examined, accept_gone=self.accept_gone)
        return CyclePreview(load, examined, found.unresolved, listed, tuple(moves), tuple(held))

    def _file_watches(self) -> FileWatches:
        return resolve_file_watches(
            self.store, self.registry, self.settings.watches, rules=self.settings.rules
        )

    def _sync(self, *, patient_with: int = 0, aliases: Collection[NctId] = ()) -> TrialPass:
        """What makes a pass; over so many trials, with patience for those in quarantine."""
        now = self.clock.now()
        held = held_back(self.store, of=patient_with, now=now) if patient_with else {}
        return TrialPass(
            store=self.store,
            registry=patient(self.registry, held),
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
        raise UsageError("nothing is watched yet; add a trial: ctsync watch add NCT03389919")
    return list(watched)
