"""`doctor`: check settings, database, registry and mail server, and advise on each problem."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell, write_file
from ctsync.cli.terminal_table import show_table
from ctsync.config.loading import read_settings
from ctsync.dates import format_timestamp
from ctsync.errors import ConfigError, CtsyncError, RegistryError, UsageError
from ctsync.questions.results.setup_rows import AssumptionRow, FindingRow
from ctsync.registry.contract.assumptions import ContractFinding, ContractState, check_contract
from ctsync.registry.contract.evidence import evidence
from ctsync.registry.contract.inquiry import LARGEST_INQUIRY, Inquiry
from ctsync.report.rows.row_json import dump
from ctsync.store.database.migrate import revision_of
from ctsync.store.database.tables import HEAD_REVISION
from ctsync.store.store import open_for_reading
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
@click.option(
    "--contract",
    is_flag=True,
    help="Check only the registry: whether it answers as expected. At most "
    f"{LARGEST_INQUIRY} requests.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --contract: the file for the answers. Default: ctsync-contract-DATE.json here.",
)
@pass_app
def doctor_command(app: App, as_json: bool, contract: bool, output: Path | None) -> None:
    """Check settings, database, disk, registry, clock and mail server.

    Shows a remedy for each problem. Stores nothing and sends no mail. Exits with the code of the
    worst problem: 6 database, 2 settings, 4 registry, 7 mail server, 3 a stored time in the
    future; 0 if there are only warnings.

    With --contract, checks each assumption about the registry and writes the answers to a file
    that you can attach to a bug report: it contains no personal data of a record, no address and
    no secret. Exits with code 4 if an answer differs, or if the registry gives no answer.
    """
    if contract:
        click.get_current_context().exit(_check_contract(app, output, as_json=as_json))
    if output is not None:
        raise UsageError("--output needs --contract")
    findings = list(_findings(app))
    if as_json:
        show_json(
            [
                FindingRow(one.subject, one.condition.value, one.found, one.advice or None)
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


def _check_contract(app: App, output: Path | None, *, as_json: bool) -> int:
    """Check the registry's contract, write the answers to a file, and return the exit code."""
    now = app.clock.now()
    output = output or Path(f"ctsync-contract-{now:%Y-%m-%d}.json")
    with app.registry() as registry, closing(Inquiry(registry.transport)) as inquiry:
        findings = list(check_contract(inquiry))
        rows = [AssumptionRow(one.assumption, one.state.value, one.found) for one in findings]
        written = {
            "checked_at": format_timestamp(now),
            "registry": inquiry.base_url,
            "findings": rows,
            "exchanges": evidence(inquiry.exchanges),
        }
    if as_json:
        show_json(rows)
    else:
        cells = [(row.assumption, row.state, row.found) for row in rows]
        show_table(("ASSUMPTION", "STATE", "FOUND"), cells, wrap=("FOUND",))
    write_file(output, dump(written, indent=True).decode())
    words = {"holds": "hold", "differs": "differ"}
    counts = {state: sum(one.state is state for one in findings) for state in ContractState}
    said = ", ".join(f"{n} {words.get(state, state)}" for state, n in counts.items() if n)
    tell(f"{said}; {len(written['exchanges'])} requests. The answers are in {output}")
    return _exit_code_of_contract(findings)


def _exit_code_of_contract(findings: list[ContractFinding]) -> int:
    states = {one.state for one in findings}
    failed = ContractState.DIFFERS in states or ContractState.HOLDS not in states
    return RegistryError.exit_code if failed else 0


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
        yield look_at_mail(settings.smtp, [one.email for one in settings.recipients])


def _look_at_settings(app: App) -> Iterator[CheckResult]:
    """Report every problem of the settings, including secrets that cannot be read."""
    try:
        settings, table = read_settings(app.config_path, database_url=app.database_url)
    except ConfigError as error:
        for problem in error.problems:
            yield wrong("settings", problem, "see: ctsync config check", SETTINGS)
        return
    where = str(table.path) if table.path else "no settings file: environment and defaults"
    yield ok("settings", where)
    named: list[str] = []
    # database problems have their own check; opening an older database would upgrade it
    with suppress(CtsyncError):
        if revision_of(settings.database.url) == HEAD_REVISION:
            with open_for_reading(settings.database.url, clock=app.clock) as store:
                named = [watch.name for watch in store.watches.all()]
    for said in (*table.warnings(), *settings.warnings):
        yield warning("settings", said, "see: ctsync config check")
    for said in settings.unknown_watches(named):
        yield warning("settings", said, "see the names: ctsync watch list")
