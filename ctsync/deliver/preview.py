"""Preview of pending messages, and the test message of a channel. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from ctsync.deliver.backoff import held_behind
from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.compose import compose
from ctsync.deliver.message import Message
from ctsync.model import Category, Event, Kind, Level, NctId, StoredEvent
from ctsync.report.build import Scope
from ctsync.report.report import Window
from ctsync.route import Route
from ctsync.store.data.outbox import Delivery, DeliveryState
from ctsync.store.store import Store

TITLE = "a test of this channel; no trial has changed"
SENTENCE = "Test message"
"""The change of a test message; it has no values, so that every format shows this sentence."""
_SEED = NctId("NCT03389919")


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A pending message and its due time. `kept` is why it waits, empty if for its cadence."""

    due: datetime
    message: Message
    kept: str = ""


def preview(
    store: Store, channels: Mapping[str, Channel], *, now: datetime
) -> list[PlannedMessage]:
    """Compose the pending messages as drains would send them, earliest first. Claims nothing.

    A message held back behind a failed one has the due time of the failed one. A message that a
    drain has claimed is due when its lease expires. A message that is due later may contain more
    changes by then.
    """
    unsent = store.outbox.deliveries(DeliveryState.PENDING, DeliveryState.CLAIMED)
    known = [
        row
        for row in unsent
        if row.channel in channels and row.recipient in channels[row.channel].routes
    ]
    behind = held_behind(
        [row for row in known if row.due_at(now) == now],
        [row for row in unsent if row.state is DeliveryState.PENDING],
        now=now,
    )
    due = {row.delivery_id: behind.get(row.delivery_id, row).due_at(now) for row in known}
    by_due = sorted(known, key=lambda row: (due[row.delivery_id], row.delivery_id))
    return [
        PlannedMessage(
            when, parcel.message, _kept(parcel.rows[0], behind.get(parcel.rows[0].delivery_id), now)
        )
        for when, rows in groupby(by_due, key=lambda row: due[row.delivery_id])
        for parcel in compose(store, list(rows), channels, now=when)
    ]


def _kept(row: Delivery, ahead: Delivery | None, now: datetime) -> str:
    """Return why a row waits, or an empty text if it only waits for its hour."""
    if row.leased_until(now) is not None:
        return "being sent"
    if ahead is not None:
        return f"waits for an earlier message that failed: {ahead.last_error}"
    if row.last_error is None:
        return ""
    reason = "failed" if row.attempts else "waits for an earlier message that failed"
    return f"{reason}: {row.last_error}"


def trial_message(route: Route, *, now: datetime) -> Message:
    """Compose a test message, which states that it is one, with one invented change."""
    event = Event(
        kind=Kind.OTHER,
        category=Category.UNKNOWN,
        level=Level.ROUTINE,
        rule="R-TEST",
        path="test",
        label="Test",
        summary=SENTENCE,
    )
    stored = StoredEvent(
        event_id=0,
        nct_id=_SEED,
        brief_title=TITLE,
        event=event,
        from_version=None,
        to_version=1,
        from_registry_version=None,
        to_registry_version=None,
        posted=None,
        observed=None,
        fetched=now.astimezone(UTC),
        run_id=None,
    )
    return Message(
        key=f"test{now:%Y%m%d%H%M%S%f}",
        route=replace(route),
        watches=(),
        events=(stored,),
        window=Window(None, now),
        scope=Scope(title=TITLE, watched=1),
        read_keys=dict,
    )
