"""Which events go to whom: rows for the outbox, made within the unit that stores the events. Pure.

What is planned twice is stored once: a row's identity is the event, the channel and the
recipient.
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
    """Plan the deliveries of a live step's events, given with their ids.

    Baselines go only to routes that take them; the rest are sent one welcome for each watch
    that concerns them, before anything else of that watch. Events from the registry's own
    history are not planned at all: they are no news. `own` are the thresholds of watches that
    have some: what a route is told by such a watch has the level these give.
    """
    ways = [(route, watch) for route in routes if (watch := route.watch_of(watches)) is not None]
    return [
        row
        for way in ways
        for row in _plan_way(nct_id, _levelled(events, own.get(way[1])), way, now)
    ]


def _levelled(
    events: Sequence[tuple[int, Event]], thresholds: Thresholds | None
) -> Sequence[tuple[int, Event]]:
    if thresholds is None:
        return events
    return [(event_id, relevel(event, thresholds)) for event_id, event in events]


def _plan_way(
    nct_id: NctId, events: Sequence[tuple[int, Event]], way: tuple[Route, str], now: datetime
) -> Iterator[NewDelivery]:
    route, watch = way
    told = [one for one in events if _tells(route, one[1])]
    is_news = told or any(event.kind is Kind.FIRST_SEEN for _, event in events)
    if route.welcomes and is_news:
        key = welcome_key(route, watch)
        yield NewDelivery(events[0][0], route.channel, route.recipient, key, now)
    due = route.due(now)
    for event_id, event in told:
        key = event_key(route, event_id, (nct_id, event.path))
        yield NewDelivery(event_id, route.channel, route.recipient, key, due)


def _tells(route: Route, event: Event) -> bool:
    if event.kind is Kind.FIRST_SEEN:
        return route.takes_baselines
    return event.level.reaches(route.minimum_level)
