"""The rows of deliveries, and the messages that `notify --preview` shows. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctsync.store.data.outbox import Delivery, DeliveryState
from ctsync.store.store import Store

UNDONE = (DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.PARKED)
"""The states of deliveries that wait or cannot be delivered."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One change to deliver to one recipient."""

    id: int
    """The number of the delivery."""
    event_id: int
    """The number of the change in the database."""
    channel: str
    """The name of the channel."""
    recipient: str
    """Who receives it: an address, or the name of the channel."""
    state: DeliveryState
    """Whether it waits, was sent, or cannot be delivered."""
    attempts: int
    """Number of attempts so far."""
    not_before: datetime
    """The time from which it may be sent."""
    counts_as_due: bool
    """True if a wrong clock wrote `not_before`, too far in the future: it may be sent now."""
    last_error: str | None
    """The error of the last attempt; null if none failed."""
    message_id: str | None
    """The id of the message that it was sent in; null if it was not sent."""


def delivery_row(one: Delivery, now: datetime) -> DeliveryRow:
    """The row of a delivery."""
    return DeliveryRow(
        id=one.delivery_id,
        event_id=one.event_id,
        channel=one.channel,
        recipient=one.recipient,
        state=one.state,
        attempts=one.attempts,
        not_before=one.not_before,
        counts_as_due=one.is_misdated(now),
        last_error=one.last_error,
        message_id=one.message_id,
    )


def undone_deliveries(store: Store, now: datetime) -> tuple[DeliveryRow, ...]:
    """List the deliveries that wait or are parked, oldest first."""
    return tuple(delivery_row(one, now) for one in store.outbox.deliveries(*UNDONE))


@dataclass(frozen=True, slots=True)
class PlannedMessageRow:
    """A message that waits to be sent."""

    due: datetime
    """The time at which it will be sent."""
    channel: str
    """The name of the channel."""
    recipient: str
    """Who receives it: an address, or the name of the channel."""
    watches: tuple[str, ...]
    """The watches that it is about."""
    welcome: bool
    """Whether it is a welcome, which lists newly followed trials."""
    events: int
    """Number of changes in it."""
    subject: str
    """Its subject."""
    message_id: str
    """Its id, which stays the same if it is sent again."""
    kept: str | None
    """Why it waits; null if it waits only for its time."""


SCHEMAS = {"delivery": DeliveryRow, "planned_message": PlannedMessageRow}
