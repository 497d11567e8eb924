"""`check`: check the database for damage, and the events against the versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ctsync.cli.app import App, pass_app, sqlite_path
from ctsync.cli.output import show_json, tell
from ctsync.errors import StoreError, UsageError
from ctsync.questions.changes.rules import thresholds_in_force
from ctsync.questions.results.database_rows import ProblemRow
from ctsync.record.rules.rules import Thresholds
from ctsync.record.value_text import counted
from ctsync.store.admin.backup import back_up
from ctsync.store.admin.check import Problem, check
from ctsync.store.store import Store
from ctsync.sync.history.rederive_events import rederive_events
from ctsync.sync.repair import FACTS_DIFFER, beyond_repair, place_of, repair, to_rewrite
from ctsync.sync.watches.refresh_facts import wrong_facts
from ctsync.text import for_terminal

PROBLEMS = 6


@click.command("check")
@click.option(
    "--rebuild-events",
    is_flag=True,
    help="Also derive every event again and compare. Slow on a large database.",
)
@click.option(
    "--repair",
    is_flag=True,
    help="Copy the database file, then repair what can be repaired.",
)
@click.option(
    "--have-backup",
    is_flag=True,
    help="With --repair: make no copy. Required for PostgreSQL: run pg_dump first.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of problems.")
@pass_app
def check_command(
    app: App, *, rebuild_events: bool, repair: bool, have_backup: bool, as_json: bool
) -> None:
    """Check the database for damage and inconsistencies.

    Checks the file, each record body, version, event and reference. Exits with code 6 if it finds
    a problem. Changes nothing without --repair.

    --rebuild-events also derives every event again from the stored versions, under the current
    rules, and the facts of the portfolio, and reports each difference. Differences may come from
    rules that changed since.

    --repair copies the database file first. It corrects counters, sizes and the order of events,
    removes rows that belong to no version, stores events as they are derived now, and fetches a
    damaged body again if the registry still has that version. It changes the level of an event
    only with --rebuild-events. Damage that cannot be repaired is listed, and the command exits
    with code 6.
    """
    if have_backup and not repair:
        raise UsageError("--have-backup works only with --repair")

    reports: list[ProblemRow] = []
    problems = check(app.settings.database.url)
    for problem in problems:
        _report(reports, problem.kind, problem.where, problem.says, quiet=as_json)
    if repair:
        left = _repair(
            app, problems, reports, relevel=rebuild_events, have_backup=have_backup, quiet=as_json
        )
    else:
        left = len(problems) + (_compare(app, reports, quiet=as_json) if rebuild_events else 0)
    if as_json:
        show_json(reports)
    if left:
        tell(counted(left, "problem"))
        click.get_current_context().exit(PROBLEMS)
    tell("no problem left" if reports else "no problem found")


def _report(reports: list[ProblemRow], kind: str, where: str, says: str, *, quiet: bool) -> None:
    reports.append(ProblemRow(kind, where, says))
    if not quiet:
        line = for_terminal(f"{kind}: {where}: {says}")
        click.echo(" ".join(line.split("\n")))


def _compare(app: App, reports: list[ProblemRow], *, quiet: bool) -> int:
    """Report events that differ from those derived from the versions; return their number."""
    differing = level_only = wording_only = unreadable = 0
    with app.store() as store:
        for found in rederive_events(store, thresholds_in_force(app.settings)):
            if found.unreadable:
                _report(reports, "unreadable trial", found.nct_id, found.unreadable, quiet=quiet)
                unreadable += 1
            problems = [one for one in found.differences if not one.is_wording_only]
            for one in problems:
                _report(reports, "event differs", place_of(found, one), one.says, quiet=quiet)
            differing += len(problems)
            level_only += sum(one.is_level_only for one in problems)
            wording_only += len(found.differences) - len(problems)
        for nct_id in wrong_facts(store):
            says = "the facts of the portfolio do not follow from its record"
            _report(reports, FACTS_DIFFER, nct_id, says, quiet=quiet)
            differing += 1
    if level_only:
        tell(
            f"{level_only:,} of {differing:,} differ only in their level: the rules or thresholds "
            "have changed since they were stored"
        )
    if wording_only:
        tell(
            f"{counted(wording_only, 'event')} with the wording of an earlier version of ctsync; "
            "this is not a problem; to update them: ctsync check --rebuild-events --repair"
        )
    if differing:
        tell("to repair these: ctsync check --rebuild-events --repair")
    return unreadable + differing


def _repair(
    app: App,
    problems: Sequence[Problem],
    reports: list[ProblemRow],
    *,
    relevel: bool,
    have_backup: bool,
    quiet: bool,
) -> int:
    """Repair and report problems; return the number of problems left."""
    if beyond_repair(problems):
        raise StoreError("the database file is damaged and nothing was changed: restore a backup")
    thresholds, repaired, failed = thresholds_in_force(app.settings), 0, 0
    with app.writable_store(create=False) as store, store.writer(holder="ctsync check --repair"):
        if not problems and not _differs(store, thresholds, relevel=relevel):
            return 0
        _back_up(app, have_backup=have_backup)
        for one in repair(
            store,
            problems,
            open_registry=app.registry,
            thresholds=thresholds,
            relevel=relevel,
        ):
            word = "repaired" if one.is_mended else "not repaired"
            _report(reports, f"{word}: {one.kind}", one.where, one.says, quiet=quiet)
            repaired += one.is_mended
            failed += not one.is_mended
    tell(f"{repaired:,} repaired")
    left = check(app.settings.database.url)
    for problem in left:
        _report(reports, f"left: {problem.kind}", problem.where, problem.says, quiet=quiet)
    return len(left) or failed


def _differs(store: Store, thresholds: Thresholds, *, relevel: bool) -> bool:
    """Return whether any stored event or fact differs from what the records give."""
    is_rewritten = next(to_rewrite(store, thresholds, relevel=relevel), None) is not None
    return is_rewritten or bool(wrong_facts(store))


def _back_up(app: App, *, have_backup: bool) -> None:
    """Copy the database file before the repair, unless the user has a backup."""
    if have_backup:
        return
    url = app.settings.database.url
    file = sqlite_path(url)
    if file is None:
        raise UsageError(
            "ctsync does not copy a PostgreSQL database: make a backup with pg_dump, then run: "
            "ctsync check --repair --have-backup"
        )
    to = Path(f"{file}.before-repair-{app.clock.now():%Y%m%dT%H%M%S.%fZ}")
    back_up(url, to)
    tell(f"copied the database to {to}")
