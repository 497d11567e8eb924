"""`doctor`: check settings, database, registry and mail server, and advise on each problem."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.config.loading import load
from ctsync.errors import ConfigError, CtsyncError
from ctsync.store.database.migrate import revision_of
from ctsync.store.database.tables import HEAD_REVISION
from ctsync.store.store import open_for_reading, open_store
from ctsync.sync.doctor import (
    SETTINGS,
    CheckResult,
    CheckState,
    exit_code_of,
    look_at_database,
    look_at_history,
    look_at_mail,
    look_at_registry,
    look_at_times,
    ok,
    warning,
    wrong,
)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of findings.")
@pass_app
def doctor_command(app: App, as_json: bool) -> None:
    """Check settings, database, disk, registry, clock and mail server.

    Each problem comes with what to do about it. Stores and sends nothing. Exits with the code of
    the worst problem: 6 database, 2 settings, 4 registry, 7 mail server, 3 a stored time in the
    future; 0 if there are only warnings.
    """
    findings = list(_findings(app))
    if as_json:
        show_json(
            [
                {
                    "subject": one.subject,
                    "condition": one.condition,
                    "found": one.found,
                    "advice": one.advice or None,
                }
                for one in findings
            ]
        )
    else:
        show_table(
            ("WHAT", "CONDITION", "FOUND", "WHAT TO DO"),
            [(one.subject, one.condition, one.found, one.advice or "-") for one in findings],
            wrap=("FOUND",),
        )
    counts = {kind: sum(one.condition is kind for one in findings) for kind in CheckState}
    tell(", ".join(f"{number} {kind}" for kind, number in counts.items()))
    click.get_current_context().exit(exit_code_of(findings))


def _findings(app: App) -> Iterator[CheckResult]:
    found = list(_look_at_settings(app))
    yield from found
    try:
        settings = app.settings
    except ConfigError:
        return  # already reported; without settings nothing else can be checked
    yield from look_at_database(settings.database, clock=app.clock)
    # database problems have their own check; opening an older database would upgrade it
    with suppress(CtsyncError):
        if revision_of(settings.database.url) == HEAD_REVISION:
            with open_for_reading(settings.database.url, clock=app.clock) as store:
                yield from list(look_at_times(store, app.clock.now()))
    try:
        with app.registry() as registry:
            yield from look_at_registry(registry.transport, clock=app.clock)
            yield look_at_history(registry.transport)
    except ConfigError:
        yield wrong("registry", "not checked: the settings are wrong", "see settings", 0)
    if any(one.exit_code for one in found):
        yield wrong("mail", "not checked: the settings are wrong", "see settings", 0)
    else:
        yield look_at_mail(settings.smtp)


def _look_at_settings(app: App) -> Iterator[CheckResult]:
    """Report every problem of the settings, including secrets that cannot be read."""
    try:
        settings = load(app.config_path, database_url=app.database_url, need_secrets=True)
    except ConfigError as error:
        for problem in error.problems:
            yield wrong("settings", problem, "see: ctsync config check", SETTINGS)
        return
    where = str(settings.path) if settings.path else "no settings file: environment and defaults"
    yield ok("settings", where)
    named: list[str] = []
    # database problems have their own check; opening an older database would upgrade it
    with suppress(CtsyncError):
        if revision_of(settings.database.url) == HEAD_REVISION:
            with open_store(settings.database.url, clock=app.clock, create=False) as store:
                named = [watch.name for watch in store.watches.all()]
    for said in settings.unknown_watches(named):
        yield warning("settings", said, "see the names: ctsync watch list")
