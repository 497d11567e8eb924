"""The results, pending deliveries and preview of a sync cycle. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.monitor import Monitor
from ctsync.deliver.outbox import DrainResult
from ctsync.errors import RegistryError
from ctsync.model import Event, NctId, RegistryVersion
from ctsync.store.data.outbox import OutboxHorizon
from ctsync.sync.assessment.assessed_trial import AssessedTrial
from ctsync.sync.decide import Missing, NotChecked
from ctsync.sync.result import SyncResult
from ctsync.sync.watches.listings import QueryListing, unlisted
from ctsync.sync.watches.resolve import UnresolvedTerm

if TYPE_CHECKING:
    from ctsync.sync.history.backfill import BackfillResult as Backfilled


@dataclass(frozen=True, slots=True)
class CycleResult:
    """The result of one cycle.

    `unresolved` holds the terms of file watches that do not name exactly one trial. `past` is the
    result of fetching the histories whose retry was due.
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
        """Whether nobody needs to act: everything was checked and no delivery was parked."""
        return self.is_whole and not self.delivered.parked

    def sentence(self) -> str:
        """The counts in one sentence, for the monitor.

        Contains no text from the registry and no address.
        """
        tally, delivered = self.sync.tally, self.delivered
        return (
            f"checked {tally.answered} of {tally.asked}; messages: {delivered.messages} sent, "
            f"{delivered.waiting} waiting, {delivered.parked} parked"
        )


@dataclass(frozen=True, slots=True)
class PendingDeliveries:
    """The deliveries that a drain may send, and the run whose count includes them."""

    channels: Mapping[str, Channel]
    horizon: OutboxHorizon | None
    run_id: int | None


@dataclass(frozen=True, slots=True)
class SyncedCycle:
    """A cycle whose sync has ended and whose messages are not sent yet.

    `sync` is the RegistryError if one ended the sync.
    """

    sync: SyncResult | RegistryError
    pending: PendingDeliveries
    unresolved: tuple[UnresolvedTerm, ...] = ()
    monitor: Monitor = field(default_factory=lambda: Monitor(""))

    @property
    def is_whole(self) -> bool:
        """Whether everything watched was checked."""
        return (
            isinstance(self.sync, SyncResult) and self.sync.verdict == "ok" and not self.unresolved
        )


@dataclass(frozen=True, slots=True)
class CyclePreview:
    """What a cycle would do: the assessment of each trial and the unresolved terms.

    `moves` are the trials that would enter or leave a query, each with its event.
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
    def unknown(self) -> list[NctId]:
        """The ids that no load has ever contained and no earlier run has reported."""
        return [one.asked for one in self.examined if one.decision == Missing(None)]

    @property
    def reasons(self) -> list[str]:
        """Why query watches could not be listed, and what would be held back, as sentences."""
        return [*unlisted(self.listed), *self.held]

    @property
    def unchecked(self) -> list[tuple[NctId, str]]:
        """The trials that could not be checked or are missing, each with the reason."""
        found: list[tuple[NctId, str]] = []
        for one in self.examined:
            match one.decision:
                case NotChecked(failed):
                    found.append((one.asked, str(failed.error)))
                case Missing(head) if head is not None:
                    found.append((one.asked, "not in this load"))
        return found
