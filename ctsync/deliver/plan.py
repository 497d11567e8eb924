"""Planning of deliveries: the outbox rows of a step's events, one per event and recipient.

The caller stores them in the unit that stores the events. A row planned twice is stored once:
its identity is the event, the channel and the recipient. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from ctsync.deliver.message import event_key, welcome_key
from ctsync.model import Event, Kind, NctId
from ctsync.record.rules.relevel import relevel
from ctsync.record.rules.rules import Thresholds
from ctsync.route import Route
from ctsync.store.data.outbox import NewDelivery


def plan(
    nct_id: NctId,
    events: Sequence[tuple[int, Event]],
    watches: Sequence[str],
    routes: Sequence[Route],
    *,
    now: datetime,
    own: Mapping[str, Thresholds] = MappingProxyType({}),
) -> list[NewDelivery]:
    """Plan the deliveries of a live step's events, given as (event id, event).

    Baselines go only to routes that take them. Other routes get one welcome per watch, before
    any change of that watch. Events from the registry's history must not be planned: they are
    not new. `own` holds the thresholds of watches that set their own: they decide the levels
    that such a watch reports.
    """
    pairs = [(route, watch) for route in routes if (watch := route.watch_of(watches)) is not None]
    return [
        row
        for route, watch in pairs
        for row in _plan_route(nct_id, _levelled(events, own.get(watch)), (route, watch), now)
    ]


def _levelled(
    events: Sequence[tuple[int, Event]], thresholds: Thresholds | None
) -> Sequence[tuple[int, Event]]:
    if thresholds is None:
        return events
    return [(event_id, relevel(event, thresholds)) for event_id, event in events]


def _plan_route(
    nct_id: NctId, events: Sequence[tuple[int, Event]], pair: tuple[Route, str], now: datetime
) -> Iterator[NewDelivery]:
    route, watch = pair
    reported = [one for one in events if _takes(route, one[1])]
    is_relevant = reported or any(event.kind is Kind.FIRST_SEEN for _, event in events)
    if route.welcomes and is_relevant:
        key = welcome_key(route, watch)
        yield NewDelivery(events[0][0], route.channel, route.recipient, key, now)
    due = route.due(now)
    for event_id, event in reported:
        key = event_key(route, event_id, (nct_id, event.path))
        yield NewDelivery(event_id, route.channel, route.recipient, key, due)


def _takes(route: Route, event: Event) -> bool:
    if event.kind is Kind.FIRST_SEEN:
        return route.takes_baselines
    return event.level.reaches(route.minimum_level)
