"""`outbox list`: list pending and parked deliveries."""

from __future__ import annotations

from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.dates import format_minute
from ctsync.questions.results.delivery_rows import UNDONE, delivery_row
from ctsync.record.value_text import counted
from ctsync.store.data.outbox import Delivery, DeliveryState


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also list sent and dropped deliveries.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of deliveries.")
@pass_app
def list_deliveries(app: App, *, everything: bool, as_json: bool) -> None:
    """List waiting and parked deliveries, oldest first."""
    now = app.clock.now()
    with app.store() as store:
        found = store.outbox.deliveries(*(() if everything else UNDONE))
    if as_json:
        show_json([delivery_row(one, now) for one in found])
        return
    show_table(
        ("ID", "STATE", "CHANNEL", "RECIPIENT", "DUE", "TRIES", "LAST ERROR"),
        [
            (
                str(one.delivery_id),
                one.state,
                one.channel,
                one.recipient,
                _due(one, now),
                str(one.attempts),
                one.last_error or "-",
            )
            for one in found
        ],
        drop=("TRIES", "CHANNEL"),
        shorten=("RECIPIENT",),
    )
    tell(counted(len(found), "delivery", "deliveries"))


def _due(one: Delivery, now: datetime) -> str:
    shown = format_minute(one.not_before)
    if not one.is_misdated(now):
        return shown
    waits = one.state in (DeliveryState.PENDING, DeliveryState.CLAIMED)
    return f"now ({shown} is in the future)" if waits else f"{shown} (in the future)"
