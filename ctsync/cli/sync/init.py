"""`init`: write a settings file and create the database."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app, sqlite_path
from ctsync.cli.output import tell, write_file
from ctsync.config.paths import default_config_text
from ctsync.files import expanded, is_visible


@click.command()
@click.option(
    "--config",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file to write (default: $CTSYNC_CONFIG or ./ctsync.toml).",
)
@pass_app
def init(app: App, target: Path | None) -> None:
    """Write a commented ctsync.toml and create the database.

    Existing files are not changed.
    """
    named = os.environ.get("CTSYNC_CONFIG")
    path = target or app.config_path or expanded(Path(named or "ctsync.toml"))
    if is_visible(path):
        tell(f"{path} exists already and was not changed")
    else:
        write_file(path, default_config_text())
        tell(f"wrote {path} with every setting, commented")
    app.config_path = path
    with app.writable_store():
        where = sqlite_path(app.settings.database.url)
        tell(f"the database is ready{f': {where}' if where else ''}")
    tell("next: ctsync watch add NCT03389919, then ctsync sync")
