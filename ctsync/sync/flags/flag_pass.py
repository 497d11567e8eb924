"""The flags that time alone changed, stored at the end of a complete sync pass.

One query reads the dates of the newest versions. Only if one of these dates lets a flag change
between the load before and this one, the record of the trial is read. The events are stored with
their deliveries in one transaction per batch of trials. If interrupted, the next sync stores the
remaining ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from ctsync.dates import Clock
from ctsync.deliver.plan import plan
from ctsync.errors import CorruptBody
from ctsync.model import NctId
from ctsync.record.flags.change_days import next_flag_day
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.route import Route
from ctsync.store.data.runs import MIRROR, CheckedLoad
from ctsync.store.database.access import batches
from ctsync.store.store import Store
from ctsync.store.unit import Unit

if TYPE_CHECKING:
    from ctsync.sync.flags.flag_points import PlacedFlagEvent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagPass:
    """Stores the flag events of the followed trials in the load `observed`."""

    store: Store
    clock: Clock
    routes: Sequence[Route]
    thresholds: Thresholds
    run_id: int
    observed: datetime

    def run(self) -> None:
        """Store the events, and plan their deliveries."""
        newest = self.store.runs.checked_loads(newest=True)
        due = list(self._due(newest))
        run = self.store.runs.get(self.run_id) if due else None
        if run is None:
            return
        for batch in batches(due):
            found = [
                (nct_id, placed)
                for nct_id, since in batch
                if (placed := self._events_of(nct_id, since, newest, run.started))
            ]
            if found:
                watching = self.store.watches.names_by_trial([nct_id for nct_id, _ in found])
                with self.store.unit() as unit:
                    for nct_id, placed in found:
                        self._add(unit, nct_id, placed, watching.get(nct_id, ()))

    def _due(self, newest: Sequence[CheckedLoad]) -> Iterator[tuple[NctId, datetime]]:
        """Yield the trials whose flags may have changed, and since when they are followed."""
        for head in self.store.watched.dated_heads():
            since = head.followed_since
            checked = [one.load for one in newest if one.started >= since]
            last = max([head.observed, *checked])
            day = next_flag_day(head.key, after=last.date())
            if day is not None and day <= self.observed.date():
                yield head.nct_id, since

    def _events_of(
        self,
        nct_id: NctId,
        since: datetime,
        newest: Sequence[CheckedLoad],
        started: datetime,
    ) -> list[PlacedFlagEvent]:
        """Return the events of one trial; none if its record cannot be read."""
        # on most days, no flag of a trial is due
        from ctsync.sync.flags.flag_points import (  # noqa: PLC0415 - see above
            FlagPoint,
            first_start,
            flag_events_at,
            flag_points,
        )
        from ctsync.sync.flags.version_flags import (  # noqa: PLC0415 - see above
            stored_body,
            told_loads,
        )

        versions = self.store.versions.of(nct_id)
        loads = [*newest, *told_loads(self.store, nct_id)]
        mirrors = self.store.runs.ids(MIRROR)
        older = flag_points(versions, since=since, loads=loads, mirrors=mirrors)[-1:]
        now = FlagPoint(versions[-1], self.observed, self.run_id, started)
        try:
            return list(
                flag_events_at(
                    [*older, now],
                    partial(stored_body, self.store),
                    first_start=first_start(versions),
                    thresholds=self.thresholds,
                )
            )
        except (CorruptBody, ValueError) as error:
            # a damaged body must not stop the other trials; `ctsync check` reports it
            log.warning("no flags were compared of nct_id=%s: %s", nct_id, error)
            return []

    def _add(
        self, unit: Unit, nct_id: NctId, placed: Sequence[PlacedFlagEvent], names: Sequence[str]
    ) -> None:
        point, events = placed[0].point, [one.event for one in placed]
        ids = unit.events.add(
            nct_id,
            from_snapshot=point.version.snapshot_id,
            to_snapshot=point.version.snapshot_id,
            events=events,
            run_id=self.run_id,
            posted=point.version.posted,
            observed=self.observed,
            fetched=point.fetched,
            rules_version=RULES_VERSION,
        )
        own, now = self.store.watches.own_thresholds(), self.clock.now()
        told = list(zip(ids, events, strict=True))
        unit.outbox.enqueue(plan(nct_id, told, names, self.routes, now=now, own=own))
