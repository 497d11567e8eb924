"""`export ics`: the dates of followed trials as a calendar."""

from __future__ import annotations

from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.selection import takes_output
from ctsync.cli.output import STDOUT, show_json, tell, write_bytes, write_file
from ctsync.export.milestone_calendar import CALENDAR_NAME, milestones_ics
from ctsync.questions.portfolio.milestones import find_milestones
from ctsync.record.value_text import counted
from ctsync.text import for_terminal


@click.command("ics")
@click.option("--watch", help="Only trials of this watch.")
@click.option("--json", "as_json", is_flag=True, help="Write the dates as a JSON array instead.")
@takes_output
@pass_app
def ics_command(app: App, *, watch: str | None, as_json: bool, output: Path | None) -> None:
    """Write the dates of followed trials as a calendar.

    Start, primary completion, completion, results due and the status Unknown are all-day events.
    A month counts as its last day. If a date slips, its event moves in your calendar program, and
    says by how much. A removed date is cancelled.
    """
    with app.store() as store:
        rows = list(find_milestones(store, watch=watch, today=app.clock.now().date()))
    if as_json:
        show_json(rows)
        return
    name = CALENDAR_NAME if watch is None else f"{CALENDAR_NAME}: {watch}"
    content = milestones_ics(rows, name=name)
    if output is None or output == STDOUT:
        write_file(STDOUT, content.decode())
        return
    write_bytes(output, content)
    tell(for_terminal(f"wrote {output}: {counted(len(rows), 'date')}"))
