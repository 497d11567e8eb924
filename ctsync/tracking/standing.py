"""What health is judged by, read from the store; judges nothing, writes nothing."""

from __future__ import annotations

from ctsync.model import Verdict
from ctsync.store.deliveries import DeliveryState
from ctsync.store.store import Store
from ctsync.tracking.health import LastRun, Standing


def standing_of(store: Store) -> Standing:
    """How things stand in the store now."""
    last = store.last_run(kind="sync")
    whole = store.last_run(kind="sync", outcome=Verdict.OK)
    waiting = store.deliveries(DeliveryState.PENDING, DeliveryState.CLAIMED)
    return Standing(
        watched=len(store.watched_ids()),
        last=None if last is None else LastRun(last.finished, last.outcome, last.error),
        last_whole=whole.finished if whole else None,
        newest_load=store.newest_load(),
        failures=len(store.failures()),
        oldest_waiting=min((one.created for one in waiting), default=None),
        parked=len(store.deliveries(DeliveryState.PARKED)),
    )
