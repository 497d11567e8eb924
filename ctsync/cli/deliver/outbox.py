"""`outbox`: what waits to be delivered, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.dates import format_timestamp
from ctsync.errors import UsageError


@click.group()
def outbox() -> None:
    """See and steer deliveries."""


@outbox.command("list")
@click.option("--all", "everything", is_flag=True, help="Those sent and dropped as well.")
@click.option("--json", "as_json", is_flag=True, help="An array of deliveries.")
@pass_app
def list_deliveries(app: App, *, everything: bool, as_json: bool) -> None:
    """List deliveries that wait or are parked, oldest first."""
    from ctsync.record.value_text import counted
    from ctsync.store.data.outbox import DeliveryState

    undone = (DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.PARKED)
    with app.store() as store:
        found = store.deliveries(*(() if everything else undone))
    if as_json:
        show_json(
            [
                {
                    "id": one.delivery_id,
                    "event_id": one.event_id,
                    "channel": one.channel,
                    "recipient": one.recipient,
                    "state": one.state,
                    "attempts": one.attempts,
                    "not_before": format_timestamp(one.not_before),
                    "last_error": one.last_error,
                    "message_id": one.message_id,
                }
                for one in found
            ]
        )
        return
    show_table(
        ("ID", "STATE", "CHANNEL", "RECIPIENT", "DUE", "TRIES", "LAST ERROR"),
        [
            (
                str(one.delivery_id),
                one.state,
                one.channel,
                one.recipient,
                f"{one.not_before:%Y-%m-%d %H:%M}Z",
                str(one.attempts),
                one.last_error or "-",
            )
            for one in found
        ],
    )
    tell(counted(len(found), "delivery", "deliveries"))


@outbox.command("retry")
@click.argument("ids", metavar="[ID...]", type=int, nargs=-1)
@pass_app
def retry(app: App, ids: Sequence[int]) -> None:
    """Send what is due now, and what is parked or backing off as well (or only those named)."""
    from ctsync.deliver.channels.channel import channels_from
    from ctsync.deliver.outbox import drain

    app.sends = True
    with app.store() as store, store.writer(holder="ctsync outbox retry"):
        with store.unit() as unit:
            unit.retry(ids or None, now=app.clock.now())
        result = drain(store, channels_from(app.settings), clock=app.clock)
    tell(result.sentence())


@outbox.command("drop")
@click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
@pass_app
def drop(app: App, ids: Sequence[int]) -> None:
    """Give up deliveries; the events stay stored."""
    with app.store() as store, store.unit() as unit:
        dropped = unit.drop(ids)
    if dropped != len(set(ids)):
        raise UsageError(f"{dropped} of {len(set(ids))} dropped: the others are sent or not there")
    tell(f"{dropped} deliveries dropped")


COMMANDS = [outbox]
