"""`db stats`: show the contents and size of the database."""

from __future__ import annotations

from dataclasses import asdict

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.questions.results.database_rows import DatabaseStatsRow, MonthRow, TrialSizeRow
from ctsync.store.admin.stats import Stats, stats_of


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Write the same as JSON.")
@pass_app
def stats(app: App, *, as_json: bool) -> None:
    """Show what the database holds and how much space it takes.

    Shows rows per table, bytes per kind, versions per trial, growth per month and the largest
    trials.
    """
    with app.store() as store:
        found = stats_of(store)
    if as_json:
        show_json(_row(found))
        return
    bodies = found.bytes["keyframes"] + found.bytes["deltas"]
    show_table(("TABLE", "ROWS"), [(name, f"{n:,}") for name, n in found.counts.items()])
    show_table(("KIND", "BYTES"), [(name, f"{n:,}") for name, n in found.bytes.items()])
    show_table(("VERSIONS", "TRIALS"), [(span, f"{n:,}") for span, n in found.spread.items()])
    show_table(
        ("MONTH", "VERSIONS", "EVENTS", "BYTES"),
        [(m.month, f"{m.versions:,}", f"{m.events:,}", f"{m.bytes:,}") for m in found.months],
    )
    show_table(
        ("LARGEST", "VERSIONS", "BYTES"),
        [(one.nct_id, f"{one.versions:,}", f"{one.bytes:,}") for one in found.largest],
    )
    if found.raw_bytes:
        tell(
            f"records take {bodies:,} bytes of their {found.raw_bytes:,} "
            f"({bodies / found.raw_bytes:.1%}); most versions of a trial: {found.most_versions}"
        )


def _row(found: Stats) -> DatabaseStatsRow:
    return DatabaseStatsRow(
        counts=found.counts,
        bytes=found.bytes,
        raw_bytes=found.raw_bytes,
        spread=found.spread,
        most_versions=found.most_versions,
        months=tuple(MonthRow(**asdict(one)) for one in found.months),
        largest=tuple(TrialSizeRow(**asdict(one)) for one in found.largest),
    )
