"""One round, as cron, the daemon and `ctsync sync` all make it: lock, targets, sync, deliver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ctsync.config.settings import Settings
from ctsync.dates import Clock
from ctsync.deliver.channels import channels_from
from ctsync.deliver.outbox import DrainResult, drain, routes_from
from ctsync.errors import UsageError
from ctsync.model import NctId, RegistryVersion
from ctsync.record.rules import Thresholds
from ctsync.registry.api import Registry
from ctsync.store.lock import writer_lock
from ctsync.store.store import Store
from ctsync.tracking.examine import Examined
from ctsync.tracking.sync import Outcome, Sync, Watcher
from ctsync.tracking.watch import Unresolved, join_file_watches


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What a round did; `unresolved` are terms of the file's watches that name no one trial."""

    sync: Outcome
    delivered: DrainResult
    unresolved: tuple[Unresolved, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything watched was checked."""
        return self.sync.verdict == "ok" and not self.unresolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round needs; made once, run as often as one likes."""

    settings: Settings
    store: Store
    registry: Registry
    clock: Clock
    watcher: Watcher = field(default_factory=Watcher)

    def run(
        self, only: Sequence[NctId] = (), *, holder: str, wait_seconds: float = 0
    ) -> RoundOutcome:
        """Sync what is watched, or `only` the trials given, and deliver what waits.

        1. Take the database's one writer lock, or raise LockHeld naming its holder.
        2. Bring the watches of the settings file into the store.
        3. Sync; then drain the outbox, whatever the sync found.

        A channel that cannot deliver is counted in the outcome; it fails no round.
        """
        url = self.settings.database.url
        with writer_lock(url, clock=self.clock, holder=holder, wait_seconds=wait_seconds):
            unresolved = join_file_watches(
                self.store, self.registry, self.settings.watches, rules=self.settings.rules
            )
            outcome = self._sync().run(only or self._watched(unresolved))
            delivered = drain(self.store, channels_from(self.settings), clock=self.clock)
        return RoundOutcome(outcome, delivered, unresolved)

    def preview(self, only: Sequence[NctId] = ()) -> tuple[RegistryVersion, list[Examined]]:
        """What `run` would decide and keep; writes and sends nothing, takes no lock."""
        return self._sync().preview(only or self._watched(()))

    def _sync(self) -> Sync:
        return Sync(
            store=self.store,
            registry=self.registry,
            clock=self.clock,
            thresholds=Thresholds().replace(self.settings.rules),
            routes=routes_from(self.settings),
            watcher=self.watcher,
        )

    def _watched(self, unresolved: Sequence[Unresolved]) -> Sequence[NctId]:
        watched = self.store.watched_ids()
        if not watched and not unresolved:
            raise UsageError("nothing is watched yet; add a trial: ctsync watch add NCT03389919")
        return watched
