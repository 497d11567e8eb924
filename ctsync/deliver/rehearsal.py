"""What would be sent now, and a message that only tries a channel; sends nothing of the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from ctsync.deliver.channels import Channel
from ctsync.deliver.compose import compose
from ctsync.deliver.message import Message
from ctsync.deliver.routes import Route
from ctsync.model import Event, Kind, Lane, Level, NctId, StoredEvent
from ctsync.report.build import Scope
from ctsync.report.values import Window
from ctsync.store.deliveries import DeliveryState
from ctsync.store.store import Store

TITLE = "a test of this channel; no trial has changed"
_SEED = NctId("NCT03389919")


def preview(store: Store, channels: Mapping[str, Channel], *, now: datetime) -> list[Message]:
    """The messages that a drain would send now, in its order; claims nothing."""
    due = [
        row
        for row in store.deliveries(DeliveryState.PENDING)
        if row.not_before <= now
        and row.channel in channels
        and row.recipient in channels[row.channel].routes
    ]
    return [parcel.message for parcel in compose(store, due, channels, now=now)]


def trial_message(route: Route, *, now: datetime) -> Message:
    """A message that says it is a test, with one invented change of no trial anyone watches."""
    event = Event(
        kind=Kind.OTHER,
        lane=Lane.UNKNOWN,
        level=Level.ROUTINE,
        rule="R-TEST",
        path="test",
        label="Test",
        summary=f"Test: {TITLE}",
        before="nothing",
        after="nothing",
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
        watch="",
        events=(stored,),
        window=Window(None, now),
        scope=Scope(title=TITLE, watched=1),
        read_keys=dict,
    )
