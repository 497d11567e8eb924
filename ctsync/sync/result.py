"""The callbacks and the result of a sync run. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctsync.model import Failed, NctId, RegistryVersion, StoredEvent, Verdict
from ctsync.record.registry.notices import Notice
from ctsync.sync.run_log import RunCounts
from ctsync.sync.watches.listings import QueryListing, unlisted


@dataclass(frozen=True, slots=True)
class RunCallbacks:
    """Callbacks of a run: `progress(done, total)`; `check()` raises Stopped to cancel it."""

    progress: Callable[[int, int], None] = lambda _done, _of: None
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The result of a sync run.

    - `unknown`: ids that no load has ever contained, each in the first run that requests it.
    - `missing`: stored trials this load lacks; another load must confirm that they are gone.
    - `refreshed`: whether the load is newer than every load seen before.
    - `events`: all events that the run stored.
    - `notices`: reports about the load that replace the deliveries of some events.
    - `listed`: the result of listing each watch's query.
    - `held`: why some results were held back.
    - `aliases`: the number of ids that other trials have taken over, requested only to see whether
      their trials returned, which they had not. Not counted as trials.
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
        """Whether everything was answered and nothing was held back."""
        return not (self.failed or self.missing or self.reasons)

    @property
    def reasons(self) -> list[str]:
        """Why query watches could not be listed, and what was held back, as sentences."""
        return [*unlisted(self.listed), *self.held]
