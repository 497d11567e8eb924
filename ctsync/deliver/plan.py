"""Planning of deliveries: the outbox rows of a step's events, one per event and recipient.

The caller stores them in the unit that stores the events. A row planned twice is stored once:
its identity is the event, the channel and the recipient. Does no I/O.

A trial may be in several watches of one recipient. The recipient gets each event of the trial once:

- Watches may set their own thresholds. The worst level of the event in the recipient's watches is
  compared with the recipient's lowest level.
- The hour, the layout and the lowest level belong to the recipient, not to a watch, so all
  events of one step are due at the same time. The settings allow one section per mail address.
- A watch that is new to the recipient adds its welcome. Welcomes that are due together become
  one message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from ctsync.deliver.message_keys import event_key, welcome_key
from ctsync.model import Event, Kind, NctId
from ctsync.record.rules.relevel import relevel_worst
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

    Baselines go only to routes that take them. Routes with welcomes get one welcome per watch,
    before any change of that watch. Events from the registry's history must not be planned: they
    are not new. `own` holds the thresholds of watches that set their own.
    """
    pairs = [(route, found) for route in routes if (found := route.watches_of(watches)) is not None]
    return [
        row
        for route, found in pairs
        for row in _plan_route(nct_id, _levelled(events, found, own), (route, found), now)
    ]


def _levelled(
    events: Sequence[tuple[int, Event]], watches: Sequence[str], own: Mapping[str, Thresholds]
) -> Sequence[tuple[int, Event]]:
    if not any(watch in own for watch in watches):
        return events
    thresholds = [own.get(watch) for watch in watches]
    return [(event_id, relevel_worst(event, thresholds)) for event_id, event in events]


def _plan_route(
    nct_id: NctId,
    events: Sequence[tuple[int, Event]],
    pair: tuple[Route, tuple[str, ...]],
    now: datetime,
) -> Iterator[NewDelivery]:
    route, watches = pair
    reported = [one for one in events if _takes(route, one[1])]
    is_relevant = reported or any(event.kind is Kind.FIRST_SEEN for _, event in events)
    if route.welcomes and is_relevant:
        for watch in watches or ("",):
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
