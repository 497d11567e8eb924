"""`db compact`: free unused space in the database."""

from __future__ import annotations

from dataclasses import asdict

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.questions.results.database_rows import CompactionRow
from ctsync.store.admin.compact import compact


@click.command("compact")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@pass_app
def compact_command(app: App, *, as_json: bool) -> None:
    """Reclaim unused space. Deletes no version or change.

    Removes record bodies that no version uses, compresses trials again if that saves a tenth of
    their size, and runs VACUUM. A database file needs free disk space of twice its size. Readers
    continue and writers wait meanwhile. You may interrupt it at any time and run it again.
    """
    with app.writable_store(create=False) as store:
        done = compact(store, progress=lambda step: tell(f"{step} ..."))
    if as_json:
        show_json(CompactionRow(**asdict(done)))
    tell(
        f"{done.before:,} bytes before, {done.after:,} after; {done.dropped:,} unused bodies "
        f"dropped, {done.repacked:,} trials compressed again"
    )
