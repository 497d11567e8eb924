"""`db copy`: copy a database into another and compare the two."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.errors import UsageError
from ctsync.files import absolute, expanded
from ctsync.questions.results.database_rows import CopiedTableRow, DatabaseCopyRow
from ctsync.sqlite_url import sqlite_url
from ctsync.store.admin.copy import copy_database


@click.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--json", "as_json", is_flag=True, help="Write the rows per table as JSON.")
@pass_app
def copy(app: App, *, source: str, target: str, as_json: bool) -> None:
    """Copy a database to a new one, and compare the two.

    FROM and TO are database URLs (SQLite or PostgreSQL), file names, or env:NAME for a URL with a
    password. TO must be new or empty. Writers to FROM wait; readers continue. If interrupted, TO
    stays empty: run the command again. Afterwards, set `database.url` to TO.
    """
    copied = copy_database(_url(source), _url(target), clock=app.clock)
    rows = {table: held.rows for table, held in copied.items()}
    if as_json:
        tables = {name: CopiedTableRow(one.rows, one.digest) for name, one in copied.items()}
        show_json(DatabaseCopyRow(tables))
    tell(
        f"copied and compared {sum(rows.values()):,} rows: "
        + ", ".join(f"{count:,} {table}" for table, count in rows.items() if count)
    )


def _url(text: str) -> str:
    """Return the URL of a database named by URL, file path or env:NAME."""
    if text.startswith("env:"):
        found = os.environ.get(text.removeprefix("env:"))
        if not found:
            raise UsageError(f"the environment variable is not set: {text.removeprefix('env:')}")
        return found
    return text if "://" in text else sqlite_url(absolute(expanded(Path(text))))
