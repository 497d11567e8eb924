"""Derives the events of flags again from stored versions and recorded loads.

Only the time since the trial has been followed counts: events stored before that are not checked,
and a trial that nobody follows any longer keeps its events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

from ctsync.model import Event, Kind, NctId, StoredEvent, Version
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.event_rewrites import NewFlagEvent
from ctsync.store.data.runs import MIRROR, CheckedLoad
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.flags.flag_points import (
    PlacedFlagEvent,
    checked_load_of,
    first_start,
    flag_events_at,
    flag_points,
)
from ctsync.sync.flags.version_flags import stored_body


@dataclass(frozen=True, slots=True)
class DerivedFlags:
    """The derived flag events of one followed trial, and those that are stored."""

    nct_id: NctId
    versions: Sequence[Version]
    derived: Sequence[PlacedFlagEvent]
    stored: Sequence[StoredEvent]

    def by_version(self) -> Iterator[tuple[Version, tuple[Event, ...], Sequence[StoredEvent]]]:
        """Yield each version that has flag events, derived or stored, with both."""
        for number, version in enumerate(self.versions, start=1):
            derived = tuple(
                one.event
                for one in self.derived
                if one.point.version.snapshot_id == version.snapshot_id
            )
            stored = [one for one in self.stored if one.to_version == number]
            if derived or stored:
                yield version, derived, stored


class FlagDerivation:
    """Derives the flag events of trials. Reads the run log and the watches once."""

    def __init__(self, store: Store, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds

    @cached_property
    def _since(self) -> dict[NctId, datetime]:
        return self._store.watched.follow_starts()

    @cached_property
    def _loads(self) -> list[CheckedLoad]:
        return self._store.runs.checked_loads()

    @cached_property
    def _mirrors(self) -> frozenset[int]:
        return self._store.runs.ids(MIRROR)

    def derive(self, nct_id: NctId, versions: Sequence[Version]) -> DerivedFlags | None:
        """Return the flag events of a trial, None if nobody follows it.

        Raises CorruptBody or ValueError if a record cannot be read.
        """
        since = self._since.get(nct_id)
        if since is None:
            return None
        told = self._store.events.find(EventFilter(nct_ids=(nct_id,), kinds=(Kind.FLAG,)))
        stored = [one for one in told if one.fetched >= since]
        loads = [*self._loads, *map(checked_load_of, stored)]
        points = flag_points(versions, since=since, loads=loads, mirrors=self._mirrors)
        derived = flag_events_at(
            points,
            partial(stored_body, self._store),
            first_start=first_start(versions),
            thresholds=self._thresholds,
        )
        return DerivedFlags(nct_id, versions, tuple(derived), stored)


def rewrite_flags(unit: Unit, flags: DerivedFlags) -> None:
    """Store the flag events as derived. An event that is stored already keeps its deliveries."""
    unit.event_rewrites.rewrite_flags(
        flags.nct_id,
        [
            NewFlagEvent(
                event=one.event,
                snapshot_id=one.point.version.snapshot_id,
                run_id=one.point.run_id,
                posted=one.point.version.posted,
                observed=one.point.load,
                fetched=one.point.fetched,
            )
            for one in flags.derived
        ],
        stored=[one.event_id for one in flags.stored],
        rules_version=RULES_VERSION,
    )
