"""`outbox drop`: drop deliveries."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.cli.param_types import NumberParam
from ctsync.errors import UsageError


@click.command("drop")
@click.argument("ids", metavar="ID...", type=NumberParam(), nargs=-1, required=True)
@pass_app
def drop(app: App, ids: Sequence[int]) -> None:
    """Drop deliveries. The changes stay stored."""
    with app.writable_store(create=False) as store, store.unit() as unit:
        dropped = unit.outbox.drop(ids)
    if dropped != len(set(ids)):
        raise UsageError(
            f"{dropped} of {len(set(ids))} dropped; the others were sent already or do not exist"
        )
    tell(f"{dropped} deliveries dropped")
