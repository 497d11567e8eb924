"""`outbox retry`: retry pending and parked deliveries."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.cli.param_types import NumberParam
from ctsync.deliver.channels.channel import channels_from
from ctsync.deliver.outbox import drain
from ctsync.text import for_terminal


@click.command("retry")
@click.argument("ids", metavar="[ID...]", type=NumberParam(), nargs=-1)
@pass_app
def retry(app: App, ids: Sequence[int]) -> None:
    """Send due and parked deliveries now, or only the named ones."""
    app.sends = True
    channels = channels_from(app.settings)
    with app.writable_store(create=False) as store:
        # hold the lock only to find what may be sent, so that a slow channel delays no sync
        with store.writer(holder="ctsync outbox retry"):
            with store.unit() as unit:
                changed = unit.outbox.retry(ids or None, now=app.clock.now())
            horizon = store.outbox.horizon()
        result = drain(store, channels, clock=app.clock, horizon=horizon)
    if changed < len(set(ids)):
        tell(
            f"{changed} of {len(set(ids))} retried; the others were sent, are being sent or do not "
            "exist"
        )
    tell(for_terminal(result.sentence()))
