"""`config show`: show the settings in force."""

from __future__ import annotations

import json

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json
from ctsync.cli.terminal_table import show_table
from ctsync.config.effective import effective_settings
from ctsync.questions.results.setup_rows import SettingRow


@click.command("show")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of settings.")
@pass_app
def show_settings(app: App, *, as_json: bool) -> None:
    """Show every setting and where it was read from.

    Secrets are shown as ***.
    """
    shown = effective_settings(app.config_path, database_url=app.database_url)
    if as_json:
        show_json([SettingRow(one.name, one.value, one.origin) for one in shown])
        return
    show_table(
        ("SETTING", "VALUE", "READ FROM"),
        [(one.name, json.dumps(one.value, ensure_ascii=False), one.origin) for one in shown],
        wrap=("VALUE",),
    )
