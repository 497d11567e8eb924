"""`config`: the settings in force, and whether they are right."""

from __future__ import annotations

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.terminal_table import show_table


@click.group()
def config() -> None:
    """See and check the settings."""


@config.command("show")
@click.option("--json", "as_json", is_flag=True, help="An array of settings.")
@pass_app
def show_settings(app: App, *, as_json: bool) -> None:
    """Show every setting in force and where it was read from; a secret is shown as ***."""
    import json

    from ctsync.config.effective import effective_settings

    shown = effective_settings(app.config_path, database_url=app.database_url)
    if as_json:
        show_json([{"name": s.name, "value": s.value, "origin": s.origin} for s in shown])
        return
    show_table(
        ("SETTING", "VALUE", "READ FROM"),
        [(one.name, json.dumps(one.value, ensure_ascii=False), one.origin) for one in shown],
    )


@config.command("check")
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


COMMANDS = [config]
