"""What a run is told as it goes, and what it found; values without any I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctsync.model import Failed, NctId, RegistryVersion, StoredEvent, Verdict
from ctsync.record.registry.notices import Notice
from ctsync.sync.run_log import RunCounts
from ctsync.sync.watches.listings import QueryListing, unlisted


@dataclass(frozen=True, slots=True)
class RunCallbacks:
    """Ears and brakes of a run: told `progress(done, of)`; `check` may raise Stopped."""

    progress: Callable[[int, int], None] = lambda _done, _of: None
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a pass found.

    `notices` tell of the load as a whole, in place of some of the events.
    `unknown` are ids the registry has never known; `missing` are stored trials this load lacks,
    which another load must confirm; `refreshed` says that the load is newer than any seen
    before; `events` are all those the run stored. `listed` says what came of each watch's
    query; `held` are the reasons why something was not believed; `aliases` is how many ids were
    asked for only because their trial might be back, and is not: they count as no trial.
    """

    run_id: int
    load: RegistryVersion
    verdict: Verdict
    tally: RunCounts
    refreshed: bool = True
    events: tuple[StoredEvent, ...] = ()
    failed: tuple[Failed, ...] = ()
    unknown: tuple[NctId, ...] = ()
    missing: tuple[NctId, ...] = ()
    notices: tuple[Notice, ...] = ()
    listed: tuple[QueryListing, ...] = ()
    held: tuple[str, ...] = ()
    aliases: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether everything asked for was answered, and believed."""
        return not (self.failed or self.unknown or self.missing or self.reasons)

    @property
    def reasons(self) -> list[str]:
        """Why watches by query could not be listed, and what was not believed; in words."""
        return [*unlisted(self.listed), *self.held]
