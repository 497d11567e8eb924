"""`backup`: copy the database consistently while others write to it."""

from __future__ import annotations

from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.store.admin.backup import back_up


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def backup_command(app: App, file: Path) -> None:
    """Copy the database to FILE while it is in use.

    FILE must not exist. It appears only when the copy is complete, and only you can read it. It is
    a normal ctsync database: check it with `ctsync --database sqlite:///FILE check`.
    """
    back_up(app.settings.database.url, file)
    tell(f"copied the database to {file} ({file.stat().st_size:,} bytes)")
