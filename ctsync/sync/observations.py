"""The conclusions of a pass over many trials: registry reprocessing and schema drift.

Only a completed pass shows whether the registry itself changed the same part of most records. By
then, the versions, events and deliveries of each trial are already committed. This is safe because
no drain sends the deliveries of a run in progress (see `horizon` in `deliver.outbox.drain`).

At the end, one more transaction stores the notice with the run and drops the deliveries it
replaces. One delivery per recipient remains and carries the notice. If the run is killed before
that transaction, the next run concludes both. If it is killed afterwards, the remaining deliveries
wait like any other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ctsync.deliver.message_keys import is_welcome_key
from ctsync.errors import CorruptBody
from ctsync.model import Event, Kind, NctId, Prepared, Record, StoredEvent
from ctsync.record.compare.canonical import restore
from ctsync.record.registry.mass_changes import find_mass_change
from ctsync.record.registry.notices import (
    Notice,
    NoticeKind,
    notice_json,
    of_reprocessing,
    of_unknown_fields,
    of_vanished_field,
    read_notices,
)
from ctsync.record.registry.schema_drift import DriftCount, VanishedField
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.runs import SYNC
from ctsync.store.store import Store
from ctsync.store.unit import Unit

KIND_OF_SOME = "sync of some"
"""The kind of a sync over the trials that the user named, not over all watched trials."""


_CHANGES = tuple(kind for kind in Kind if kind is not Kind.FIRST_SEEN)
"""Every kind except FIRST_SEEN, of which a first load has 600,000 events."""


@dataclass(slots=True)
class PassObservations:
    """Observations across the trials of a pass, collected while it runs.

    `unchanged` are the trials whose record equals the stored one.
    """

    drift: DriftCount = field(default_factory=DriftCount)
    unchanged: list[NctId] = field(default_factory=list)

    def take(self, before: Record | None, after: Record | Prepared | None) -> None:
        """Add a record that is new or changed; `before` is None for a new one."""
        if isinstance(after, Prepared):
            self.drift.unknown.update(after.unknown)
        elif after is not None:
            self.drift.add(None if before is None else before.body, after.body)


def conclude_pass(
    store: Store,
    run_id: int,
    sights: PassObservations,
    *,
    fetched: int,
    thresholds: Thresholds,
    kinds: Sequence[str] = (SYNC, KIND_OF_SOME),
) -> tuple[Notice, ...]:
    """Find the notices of a run, store them, and drop the deliveries they replace.

    Runs of these `kinds` that were interrupted before their conclusion are concluded together with
    this one.
    """
    runs = store.runs.ids_without_notices(*kinds)
    events = [
        one
        for interrupted in store.events.runs_with_events(runs)
        for one in store.events.each(EventFilter(run_id=interrupted, kinds=_CHANGES))
    ]
    notices = (*_reprocessing(events, runs, fetched, thresholds), *_drift(store, sights))
    replaced = [one.event_id for one in events if any(notice.covers(one) for notice in notices)]
    with store.unit() as unit:
        unit.runs.set_notices(run_id, [notice_json(notice) for notice in notices])
        fold_deliveries(unit, replaced)
    return notices


def _reprocessing(
    events: Sequence[StoredEvent], runs: Sequence[int], fetched: int, thresholds: Thresholds
) -> Iterator[Notice]:
    by_trial: dict[NctId, list[Event]] = defaultdict(list)
    for stored in events:
        by_trial[stored.nct_id].append(stored.event)
    found = find_mass_change(
        by_trial,
        # an interrupted run may have seen more trials than this run requested
        max(fetched, len(by_trial)),
        share_percent=thresholds.reprocessing_share_percent,
        at_least=int(thresholds.reprocessing_trials),
    )
    since = min(((one.observed or one.fetched).date() for one in events), default=None)
    return (of_reprocessing(one, runs, since) for one in found if since is not None)


def fold_deliveries(unit: Unit, event_ids: Sequence[int]) -> None:
    """Drop the planned deliveries of these events, except the first to each recipient."""
    kept: dict[tuple[str, str], int] = {}
    dropped = []
    for row in unit.outbox.untried_of(event_ids):
        if is_welcome_key(row.dedup_key):
            continue
        if kept.setdefault((row.channel, row.recipient), row.delivery_id) != row.delivery_id:
            dropped.append(row.delivery_id)
    unit.outbox.drop(dropped, reason="replaced by the run's notice")


def _drift(store: Store, sights: PassObservations) -> Iterator[Notice]:
    if sights.drift.unknown:
        reported = reported_fields(store)
        new = {path: n for path, n in sights.drift.unknown.items() if path not in reported}
        if new:
            yield of_unknown_fields(new)
    for vanished in _vanished(store, sights):
        yield of_vanished_field(vanished)


def reported_fields(store: Store) -> frozenset[str]:
    """Return the unknown fields that an earlier run reported."""
    return frozenset(
        path
        for run in store.runs.with_notices()
        for notice in read_notices(run.notices)
        if notice.kind is NoticeKind.UNKNOWN_FIELDS
        for path in notice.parts
    )


def _vanished(store: Store, sights: PassObservations) -> list[VanishedField]:
    """Return the known fields that have vanished from most of the records that had them.

    A record that lost a field has changed. Unchanged records are read only if the changed records
    suggest that a field vanished, and only until they disprove it.
    """
    found = sights.drift.vanished()
    for nct_id in sights.unchanged:
        if not found:
            break
        try:
            digest = store.versions.newest_digest(nct_id)
            body = restore(store.bodies.read(digest), digest).body
        except CorruptBody:
            continue  # `ctsync check` reports damaged bodies
        sights.drift.add(body, body)
        found = sights.drift.vanished()
    return found
