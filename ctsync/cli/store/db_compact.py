"""`db compact`: free unused space in the database."""

from __future__ import annotations

from dataclasses import asdict

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.store.admin.compact import compact


@click.command("compact")
@click.option("--json", "as_json", is_flag=True, help="What was done, as JSON.")
@pass_app
def compact_command(app: App, *, as_json: bool) -> None:
    """Give back room that nothing needs; no version, change or delivery is deleted.

    Drops record bodies that no version points to, packs trials anew where that saves a tenth, and
    has the database VACUUM itself. A file needs twice its size of free disk meanwhile. Others
    can read, and wait to write; it may be cut off at any time and run again.
    """
    with app.writable_store(create=False) as store:
        done = compact(store, progress=lambda step: tell(f"{step} ..."))
    if as_json:
        show_json(asdict(done))
    tell(
        f"{done.before:,} bytes before, {done.after:,} after; {done.dropped:,} unused bodies "
        f"dropped, {done.repacked:,} trials packed anew"
    )
