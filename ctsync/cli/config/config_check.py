"""`config check`: check the settings."""

from __future__ import annotations

from contextlib import suppress

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell
from ctsync.config.loading import read_settings
from ctsync.errors import NoDatabase


@click.command("check")
@pass_app
def check(app: App) -> None:
    """Check the settings and list every problem.

    Also reads the secrets that the settings name.
    """
    settings, table = read_settings(app.config_path, database_url=app.database_url)
    names: list[str] = []
    with suppress(NoDatabase), app.store() as store:
        names = list(store.watches.origins())
    for said in (*table.warnings(), *settings.warnings, *settings.unknown_watches(names)):
        tell(said)
    where = table.path or "environment and defaults; no settings file"
    tell(f"the settings are valid: {where}")
