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
    """Copy the database into a new FILE, whole and consistent while others go on writing.

    The copy is private to its owner and appears when it is whole; a file that is there already
    is left as it is. It is a database like any other: ctsync --database sqlite:///FILE check.
    """
    back_up(app.settings.database.url, file)
    tell(f"copied the database to {file} ({file.stat().st_size:,} bytes)")
