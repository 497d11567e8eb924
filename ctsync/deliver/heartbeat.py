"""Heartbeat mails: report a week without changes to recipients who enabled them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from ctsync.dates import Clock, is_ahead
from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message_keys import quiet_key
from ctsync.deliver.outbox import LEASE
from ctsync.model import Verdict
from ctsync.route import ChannelKind, Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store

log = logging.getLogger(__name__)

WEEK = timedelta(days=7)
KIND = "heartbeat"


def send_heartbeats(store: Store, channels: Mapping[str, Channel], *, clock: Clock) -> int:
    """Send a heartbeat to each recipient who enabled it and got no mail for a week.

    Returns the number of mails sent. A heartbeat is due on Mondays at the recipient's hour,
    from the second Monday after the first run. It is recorded as a run, which also prevents other
    processes from sending it. A failed mail is retried at the next call, with the same identity.
    """
    channel = channels.get(ChannelKind.MAIL)
    routes = [route for route in channel.routes.values() if route.heartbeat] if channel else []
    now = clock.now()
    due = [route for route in routes if _is_due(store, route, now)]
    if channel is None or not due:
        return 0
    try:
        return sum(_send(store, channel, route, now) for route in due)
    finally:
        channel.close()


def _is_due(store: Store, route: Route, now: datetime) -> bool:
    monday = route.last_monday(now)
    runs = store.runs.latest()
    seen_long_enough = any(run.started < monday - WEEK for run in runs)
    # a wrong clock wrote a time in the future: it must not silence the heartbeats until then
    already_sent = any(
        run.kind == _kind(route)
        and run.started >= monday
        and not is_ahead(run.started, now)
        and run.verdict is Verdict.OK
        for run in runs
    )
    if already_sent or not seen_long_enough:
        return False
    return not any(
        row.recipient == route.recipient
        and row.sent_at is not None
        and row.sent_at > monday - WEEK
        and not is_ahead(row.sent_at, now)
        for row in store.outbox.deliveries(DeliveryState.SENT)
        if row.channel == route.channel
    )


def _send(store: Store, channel: Channel, route: Route, now: datetime) -> bool:
    # few syncs send a heartbeat; see deliver/outbox.py
    from ctsync.deliver.compose import quiet_message  # noqa: PLC0415 - see above

    monday = route.last_monday(now)
    key = quiet_key(route, monday)
    with store.unit(fenced=False) as unit:
        run_id = unit.runs.claim(_kind(route), now, since=monday, lease=LEASE)
    if run_id is None:
        return False
    try:
        channel.send(quiet_message(store, route, key=key, since=monday - WEEK, now=now))
    except DeliveryError as error:
        log.warning("heartbeat mail to %s failed: %s", route.recipient, error)
        with store.unit(fenced=False) as unit:
            unit.runs.discard(run_id)
        return False
    with store.unit(fenced=False) as unit:
        unit.runs.finish(run_id, finished=now, verdict=Verdict.OK)
    return True


def _kind(route: Route) -> str:
    """Return the run kind of a recipient's heartbeats. The key is cut, because kinds are short."""
    return f"{KIND} {quiet_key(route, None)[:20]}"
