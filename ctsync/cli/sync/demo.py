"""`demo`: run the complete pipeline against a replay registry on localhost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.export.serve import require_web_extra, serve_until_stopped
from ctsync.cli.output import tell
from ctsync.config.settings import DatabaseSettings, Settings
from ctsync.demo.registry import DemoRegistry
from ctsync.demo.story import INTRODUCTION, TRIAL, settings, steps, studies
from ctsync.errors import CtsyncError
from ctsync.files import temporary_folder
from ctsync.sqlite_url import sqlite_url
from ctsync.text import for_terminal


class StepFailed(CtsyncError):
    """A command of the demo failed."""


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the database and the pages; a new temporary folder by default.",
)
@click.option(
    "--serve",
    "serves",
    is_flag=True,
    help="Serve the database to browsers of this machine at the end, until Ctrl-C.",
)
@pass_app
def demo(app: App, *, folder: Path | None, serves: bool) -> None:
    """Run the main commands in a minute, without network.

    A replayed registry on this machine answers. The client, the database and the commands are
    real, and each command runs in its own process. The last step writes pages for a browser.
    With --serve, the same pages also come from the database, on a free port.
    """
    if serves:
        require_web_extra("demo --serve")
    temporary = temporary_folder()
    place = (folder or Path(tempfile.mkdtemp(prefix="ctsync-demo-", dir=temporary))).absolute()
    place.mkdir(parents=True, exist_ok=True)
    database, site = place / "demo.db", place / "site"
    if database.exists():
        raise StepFailed(f"{database} exists already; specify an empty folder with --folder")
    click.echo(for_terminal(INTRODUCTION) + "\n")
    with DemoRegistry(studies()) as registry:
        environment = {
            **_without_settings(),
            **settings(registry.url),
            "CTSYNC_DATABASE_URL": sqlite_url(database),
        }
        for number, step in enumerate(steps(site), start=1):
            if step.load is not None:
                registry.load = step.load
            click.secho(f"{number}. {step.title}", bold=True)
            if step.provenance is not None:
                click.echo(f"   [{step.provenance.truth}] {step.provenance.source}")
            click.echo()
            for command in step.commands:
                _run(command, environment, verbose=app.verbose)
    tell(f"ask more: ctsync --database {sqlite_url(database)} history {TRIAL}")
    tell(f"open the pages in a browser: {(site / 'index.html').as_uri()}")
    if serves:
        _serve(app, sqlite_url(database))


def _serve(app: App, url: str) -> None:
    """Serve a database as `ctsync serve` does, without the user's settings."""
    app.start_logging()
    serve_until_stopped(Settings(database=DatabaseSettings(url=url)), clock=app.clock)


def _without_settings() -> dict[str, str]:
    """Return the environment without the user's settings, which the demo must not use."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CTSYNC_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "XDG_CONFIG_HOME": os.devnull}


def _run(command: tuple[str, ...], environment: dict[str, str], *, verbose: int) -> None:
    click.secho(f"$ ctsync {' '.join(command)}", dim=True)
    sys.stdout.flush()
    more = ["-v"] * verbose
    with tempfile.TemporaryDirectory() as nowhere:  # a folder without a ctsync.toml
        done = subprocess.run(
            [sys.executable, "-m", "ctsync", *more, *command],
            env=environment,
            cwd=nowhere,
            check=False,
        )
    click.echo()
    if done.returncode != 0:
        raise StepFailed(f"`ctsync {' '.join(command)}` exited with code {done.returncode}")
