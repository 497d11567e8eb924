"""`restore`: replace the database with a backup."""

from __future__ import annotations

from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.store.admin.restore import restore


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def restore_command(app: App, file: Path) -> None:
    """Replace the database with a copy of the backup FILE.

    First stop everything that uses the database: the daemon, cron jobs and running commands. The
    backup is checked before anything is changed, and is not modified. The old database is kept next
    to the new one. You may interrupt the command at any time: the database is then either the old
    or the new one.

    The next `ctsync sync` fetches and reports the changes since the backup. For PostgreSQL, use
    pg_restore.
    """
    done = restore(app.settings.database.url, file, clock=app.clock)
    tell(f"restored {file} to {done.file}")
    if done.kept is not None:
        tell(f"the replaced database is kept as {done.kept}; delete it when you no longer need it")
