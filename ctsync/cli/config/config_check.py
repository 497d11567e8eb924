"""`config check`: whether the settings can be used."""

from __future__ import annotations

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import tell


@click.command("check")
@pass_app
def check(app: App) -> None:
    """Read the settings, secrets and all; tell every problem, or that there is none."""
    app.sends = True
    settings = app.settings
    with app.store() as store:
        misnamed = list(settings.unknown_watches(list(store.watch_origins())))
    for said in misnamed:
        tell(said)
    where = settings.path or "environment and defaults; there is no file"
    tell(f"the settings can be used: {where}")
