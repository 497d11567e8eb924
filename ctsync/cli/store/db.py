"""`db`: the schema, what lies in the database, its upkeep, and moving it elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.errors import UsageError


@click.group()
def db() -> None:
    """Look after the database."""


@db.command("upgrade")
@pass_app
def upgrade(app: App) -> None:
    """Bring the database to this ctsync's schema, in one transaction, or create it."""
    with app.store() as store:
        tell(f"the database is at revision {store.revision()}")


@db.command("current")
@pass_app
def current(app: App) -> None:
    """Say which schema the database has, and which this ctsync knows; changes nothing."""
    from ctsync.store.database.migrate import refuse_newer, revision_of
    from ctsync.store.database.tables import HEAD_REVISION

    found = revision_of(app.settings.database.url)
    refuse_newer(found, app.settings.database.shown_url)
    click.echo(found or "none")
    tell(f"this ctsync knows {HEAD_REVISION}" if found != HEAD_REVISION else "up to date")


@db.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--json", "as_json", is_flag=True, help="What each table held, as JSON.")
@pass_app
def copy(app: App, *, source: str, target: str, as_json: bool) -> None:
    """Copy all of one database into another that is new or empty, and compare the two.

    FROM and TO are URLs, SQLite or PostgreSQL, or files, or env:NAME for a URL with a password.
    Nothing is written to while it lasts; readers go on. Cut off, TO holds nothing: run it again.
    Point database.url of the settings to TO afterwards.
    """
    from ctsync.store.admin.copy import copy_database

    copied = copy_database(_url(source), _url(target), clock=app.clock)
    rows = {table: held.rows for table, held in copied.items()}
    if as_json:
        show_json({"tables": {t: {"rows": c.rows, "digest": c.digest} for t, c in copied.items()}})
    tell(
        f"copied and compared {sum(rows.values()):,} rows: "
        + ", ".join(f"{count:,} {table}" for table, count in rows.items() if count)
    )


@db.command("stats")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
@pass_app
def stats(app: App, *, as_json: bool) -> None:
    """Say what the database holds and what takes how much room; changes nothing.

    Counts by table, bytes by kind, versions a trial, growth by month, the largest trials.
    """
    from dataclasses import asdict

    from ctsync.store.admin.stats import stats_of

    with app.store(create=False) as store:
        found = stats_of(store)
    if as_json:
        show_json(asdict(found))
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


@db.command("compact")
@click.option("--json", "as_json", is_flag=True, help="What was done, as JSON.")
@pass_app
def compact_command(app: App, *, as_json: bool) -> None:
    """Give back room that nothing needs; no version, change or delivery is deleted.

    Drops record bodies that no version points to, packs trials anew where that saves a tenth, and
    has the database VACUUM itself. A file needs twice its size of free disk meanwhile. Others
    can read, and wait to write; it may be cut off at any time and run again.
    """
    from dataclasses import asdict

    from ctsync.store.admin.compact import compact

    with app.store(create=False) as store:
        done = compact(store, progress=lambda step: tell(f"{step} ..."))
    if as_json:
        show_json(asdict(done))
    tell(
        f"{done.before:,} bytes before, {done.after:,} after; {done.dropped:,} unused bodies "
        f"dropped, {done.repacked:,} trials packed anew"
    )


def _url(text: str) -> str:
    """The URL that a database is named by on the command line."""
    if text.startswith("env:"):
        found = os.environ.get(text.removeprefix("env:"))
        if not found:
            raise UsageError(f"the environment has no {text.removeprefix('env:')}")
        return found
    return text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"


COMMANDS = [db]
