"""`check`: proves the database against itself, and the events against the versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctsync.cli.app import App, pass_app, show_json, sqlite_path, tell
from ctsync.cli.rules import thresholds_in_force
from ctsync.errors import StoreError, UsageError
from ctsync.text import for_terminal

if TYPE_CHECKING:
    from ctsync.model import JsonObject
    from ctsync.store.store import Store

PROBLEMS = 6
_FILE_DAMAGE = {"damaged file", "broken reference", "wrong schema", "unreadable"}


@click.command("check")
@click.option(
    "--rebuild-events",
    is_flag=True,
    help="Also derive every event anew and compare; takes a while on a large database.",
)
@click.option(
    "--repair",
    is_flag=True,
    help="With --rebuild-events: store the events as they are derived, after a copy of the file.",
)
@click.option("--json", "as_json", is_flag=True, help="An array of problems.")
@pass_app
def check_command(app: App, *, rebuild_events: bool, repair: bool, as_json: bool) -> None:
    """Prove the database against itself; ends with 6 where anything is wrong.

    Looks at the file, every body, chain, head, event and reference, and changes nothing. With
    --rebuild-events all events are derived from the stored versions under the rules in force,
    and every difference is told: also those that come from rules changed since.
    """
    if repair and not rebuild_events:
        raise UsageError("--repair goes with --rebuild-events: events alone can be made anew")
    from ctsync.store.check import check

    told: list[JsonObject] = []
    problems = check(app.settings.database.url)
    for problem in problems:
        _tell(told, problem.kind, problem.where, problem.says, quiet=as_json)
    if repair and _FILE_DAMAGE & {problem.kind for problem in problems}:
        raise StoreError("the database itself is damaged; restore a backup before events are made")
    unsound = len(problems)
    if rebuild_events:
        unsound += _rebuild(app, told, repair=repair, quiet=as_json)
    if as_json:
        show_json(told)
    if unsound:
        tell(f"{unsound:,} problems" if unsound != 1 else "1 problem")
        click.get_current_context().exit(PROBLEMS)
    tell("no problem is left" if told else "no problem found")


def _tell(told: list[JsonObject], kind: str, where: str, says: str, *, quiet: bool) -> None:
    told.append({"problem": kind, "where": where, "says": says})
    if not quiet:
        line = for_terminal(f"{kind}: {where}: {says}")
        click.echo(" ".join(line.split("\n")))


def _rebuild(app: App, told: list[JsonObject], *, repair: bool, quiet: bool) -> int:
    """Tell what is not stored as it is derived, and mend it if asked; how much is left."""
    from ctsync.tracking.rebuild import rebuild, rewrite

    differing = level_only = unreadable = 0
    with _opened(app, to_write=repair) as store:
        for found in rebuild(store, thresholds_in_force(app)):
            if found.unreadable:
                _tell(told, "unreadable trial", found.nct_id, found.unreadable, quiet=quiet)
                unreadable += 1
                continue
            if repair and not differing:
                _copy(app)
            for one in found.differences:
                where = f"{found.nct_id} version {one.version} {one.path or 'as a whole'}"
                _tell(told, "event differs", where, one.says, quiet=quiet)
            differing += len(found.differences)
            level_only += sum(one.is_level_only for one in found.differences)
            if repair:
                with store.unit() as unit:
                    rewrite(unit, found)
    if level_only:
        tell(
            f"{level_only:,} of {differing:,} differ in their level alone: the rules or thresholds "
            "were others when they were stored"
        )
    if differing:
        mended = f"{differing:,} mended: the events are stored as they are derived"
        tell(mended if repair else "ctsync check --rebuild-events --repair would mend these")
    return unreadable + (0 if repair else differing)


@contextmanager
def _opened(app: App, *, to_write: bool) -> Iterator[Store]:
    """The store, under the writer lock where it will be written to."""
    with app.store(create=False) as store:
        if to_write:
            with store.writer(holder="ctsync check --repair"):
                yield store
        else:
            yield store


def _copy(app: App) -> None:
    """Copy the file before anything in it is changed."""
    from ctsync.store.backup import back_up

    url = app.settings.database.url
    file = sqlite_path(url)
    if file is None:
        tell("no copy is made of a PostgreSQL database; each trial is mended in one transaction")
        return
    to = Path(f"{file}.before-repair-{app.clock.now():%Y%m%dT%H%M%SZ}")
    back_up(url, to)
    tell(f"copied the database to {to}")


COMMANDS = [check_command]
