"""The flags that differ between a version that a load shows and the version before. No writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from ctsync.model import (
    Event,
    JsonObject,
    KeyFields,
    Kind,
    NctId,
    Record,
    Source,
    State,
    Version,
)
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.runs import MIRROR, CheckedLoad
from ctsync.store.store import Store
from ctsync.sync.flags.flag_points import (
    FlagPoint,
    checked_load_of,
    first_start,
    flag_events_at,
    flag_points,
)

_UNSTORED = -1
"""The snapshot id of the new version."""


def version_flag_events(
    store: Store,
    record: Record,
    *,
    key: KeyFields,
    observed: datetime,
    fetched: datetime,
    thresholds: Thresholds,
) -> list[Event]:
    """Return the events of the flags that a new version changes; none if nobody follows the trial.

    Raises CorruptBody if the version before cannot be read.
    """
    nct_id = record.nct_id
    since = store.watched.follow_starts([nct_id]).get(nct_id)
    if since is None:
        return []
    versions = store.versions.of(nct_id)
    new = Version(
        snapshot_id=_UNSTORED,
        nct_id=nct_id,
        version=len(versions) + 1,
        registry_version=None,
        source=Source.LIVE,
        state=State.PRESENT,
        digest=record.digest,
        posted=key.posted,
        submitted=key.submitted,
        observed=observed,
        fetched=fetched,
        key=key,
    )
    loads = [*store.runs.checked_loads(newest=True), *told_loads(store, nct_id)]
    mirrors = store.runs.ids(MIRROR)
    older = flag_points(versions, since=since, loads=loads, mirrors=mirrors)[-1:]

    def read(version: Version) -> JsonObject:
        return record.body if version is new else stored_body(store, version)

    placed = flag_events_at(
        [*older, FlagPoint(new, observed, None, fetched)],
        read,
        first_start=first_start([*versions, new]),
        thresholds=thresholds,
    )
    return [one.event for one in placed]


def told_loads(store: Store, nct_id: NctId) -> Sequence[CheckedLoad]:
    """Return the loads of the stored flag events of a trial."""
    told = store.events.find(EventFilter(nct_ids=(nct_id,), kinds=(Kind.FLAG,)))
    return [checked_load_of(stored) for stored in told]


def stored_body(store: Store, version: Version) -> JsonObject:
    """Return the body of a stored version; raises CorruptBody."""
    body: JsonObject = orjson.loads(store.bodies.read(version.digest or ""))
    return body
