"""What would be sent now, and a message that only tries a channel; sends nothing of the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

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


@dataclass(frozen=True, slots=True)
class Planned:
    """A message that waits, and when it is due."""

    due: datetime
    message: Message


def preview(store: Store, channels: Mapping[str, Channel], *, now: datetime) -> list[Planned]:
    """The messages that wait, as drains would send them: those due now first; claims nothing.

    A message that is due later may by then tell of more.
    """
    known = [
        row
        for row in store.deliveries(DeliveryState.PENDING)
        if row.channel in channels and row.recipient in channels[row.channel].routes
    ]
    by_due = sorted(known, key=lambda row: (max(row.not_before, now), row.delivery_id))
    return [
        Planned(due, parcel.message)
        for due, rows in groupby(by_due, key=lambda row: max(row.not_before, now))
        for parcel in compose(store, list(rows), channels, now=due)
    ]


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
        is_test=True,
    )
