"""`db upgrade` and `db current`: the schema of the database."""

from __future__ import annotations

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.store.database.migrate import refuse_newer, revision_of
from ctsync.store.database.tables import HEAD_REVISION


@click.command("upgrade")
@pass_app
def upgrade(app: App) -> None:
    """Create the database, or upgrade its schema.

    An upgrade runs in one transaction.
    """
    with app.writable_store() as store:
        tell(f"the database is at revision {store.revision()}")


@click.command("current")
@pass_app
def current(app: App) -> None:
    """Show the schema versions of the database and of ctsync."""
    found = revision_of(app.settings.database.url)
    refuse_newer(found, app.settings.database.shown_url)
    click.echo(found or "none")
    tell(f"this ctsync needs revision {HEAD_REVISION}" if found != HEAD_REVISION else "up to date")
