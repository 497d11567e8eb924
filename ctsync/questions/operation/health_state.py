"""Reads the facts that determine health from the store. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ctsync.model import Verdict
from ctsync.questions.operation.health import HealthFacts, LastRun
from ctsync.route import Route
from ctsync.store.data.outbox import Delivery, DeliveryState
from ctsync.store.data.watched_trials import TrialSelection
from ctsync.store.store import Store


def health_facts(store: Store, routes: Iterable[Route] = (), *, now: datetime) -> HealthFacts:
    """Read the facts at `now`; `routes` give the time at which a failed delivery was first due."""
    by_way = {(route.channel, route.recipient): route for route in routes}
    last = store.runs.last(kind="sync")
    waiting = store.outbox.deliveries(DeliveryState.PENDING, DeliveryState.CLAIMED)
    return HealthFacts(
        watched=store.watched.count(TrialSelection()),
        last=None if last is None else LastRun(last.finished, last.verdict, last.error),
        last_complete=store.runs.last_finished("sync", now, verdict=Verdict.OK),
        newest_load=store.runs.newest_load(),
        failures=len(store.watched.failing_ids()),
        oldest_waiting=min(
            (_first_due(one, by_way.get((one.channel, one.recipient))) for one in waiting),
            default=None,
        ),
        parked=len(store.outbox.deliveries(DeliveryState.PARKED)),
        ahead=tuple(store.times.in_force(now)),
    )


def _first_due(waiting: Delivery, route: Route | None) -> datetime:
    """Return when a delivery was first due. Unlike `not_before`, failures do not change it."""
    if waiting.last_error is None:
        return waiting.not_before
    return waiting.created if route is None else route.due(waiting.created)
