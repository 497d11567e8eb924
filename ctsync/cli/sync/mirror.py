"""`mirror`: load the complete registry once and update it daily."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from ctsync.cli.app import App, pass_app, sqlite_path
from ctsync.cli.output import show_json, tell
from ctsync.cli.sync.sync import PARTIAL, accept_load_option, show_result
from ctsync.dates import format_minute
from ctsync.files import absolute, temporary_folder
from ctsync.questions.results.sync_rows import MirrorRow
from ctsync.record.context import BaseRates
from ctsync.record.value_text import counted
from ctsync.registry.archive_download import ArchiveDownload
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.cycle_result import CycleResult
from ctsync.sync.cycle_row import sync_row, unchecked_rows
from ctsync.sync.mirror.result import MirrorResult
from ctsync.sync.result import RunCallbacks
from ctsync.text import for_terminal

SHOWN = 20
_STEPS = {"bulk": "bulk load", "pages": "load by pages", "delta": "changes", "sweep": "full scan"}
"""Names of the steps of a run, for people."""


@click.command("mirror")
@click.option(
    "--bulk",
    "archive",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Load this bulk archive (ctg-studies.json.zip) instead of downloading one.",
)
@click.option("--full-scan", is_flag=True, help="Run the full scan now, even if it is not due.")
@accept_load_option
@click.option(
    "--wait",
    type=float,
    default=0,
    metavar="SECONDS",
    help="Wait up to SECONDS for another writer.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@pass_app
def mirror_command(
    app: App,
    *,
    archive: Path | None,
    full_scan: bool,
    accept_load: bool,
    wait: float,
    as_json: bool,
) -> None:
    """Load the whole registry once, then fetch its changes.

    The first run downloads the registry's bulk archive, or reads the one given by --bulk. Each
    later run fetches the records posted since. A weekly full scan compares eight fields of every
    trial, which finds changes that updated no date. Watched trials are synced too, with all
    fields.

    An interrupted run resumes when you run it again.
    """
    app.sends = True
    wanted = app.settings.mirror
    with (
        app.writable_store() as store,
        app.registry(accept_load=accept_load) as registry,
        mirror_progress() as watcher,
    ):
        work = SyncCycle(
            settings=app.settings,
            store=store,
            registry=registry,
            clock=app.clock,
            watcher=watcher,
        )
        bulk = ArchiveDownload(registry.transport, deadline_seconds=60.0 * wanted.download_minutes)
        result, synced = work.mirror(
            bulk,
            folder=wanted.folder or _folder(app),
            archive=archive,
            sweep=full_scan,
            holder="ctsync mirror",
            wait_seconds=wait,
        )
    if as_json:
        show_json(mirror_row(result, synced, app.stored_rates()))
    elif synced is not None:
        show_result(synced)
    for sentence in _sentences(result):
        tell(for_terminal(sentence))
    if result.verdict != "ok" or (synced is not None and not synced.is_whole):
        click.get_current_context().exit(PARTIAL)


def _folder(app: App) -> Path:
    """Return the database file's folder; for a server, the folder for temporary files."""
    file = sqlite_path(app.settings.database.url)
    return temporary_folder() if file is None else absolute(file).parent


class _Rate(ProgressColumn):
    """Trials per second."""

    def render(self, task: Task) -> Text:
        """Return the rate; empty if unknown."""
        return Text("" if not task.speed else f"{task.speed:,.0f}/s")


@contextmanager
def mirror_progress() -> Iterator[RunCallbacks]:
    """Show a progress bar with rate and remaining time if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield RunCallbacks()
        return
    console = Console(file=sys.stderr)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("trials", total=None)
        yield RunCallbacks(lambda done, of: progress.update(task, completed=done, total=of or None))


def _sentences(result: MirrorResult) -> Iterator[str]:
    """Report the steps done and the trials that could not be checked."""
    tally = result.tally
    steps = ", ".join(_STEPS.get(step, step) for step in result.steps) or "nothing to do"
    yield (
        f"mirror ({steps}), registry data of {format_minute(result.load.data_timestamp)}: "
        f"{tally.new:,} new, {tally.changed:,} changed, {tally.gone:,} gone, {tally.same:,} the "
        f"same; {counted(tally.requests, 'request')}"
    )
    yield from result.said
    yield from (notice.line for notice in result.notices)
    for failed in result.failed[:SHOWN]:
        yield f"could not check {failed.nct_id}: {failed.error}"
    if (more := len(result.failed) - SHOWN) > 0:
        yield f"and {more:,} more: ctsync status"
    if result.missing:
        shown = ", ".join(result.missing[:SHOWN])
        more = len(result.missing) - SHOWN
        rest = f" and {more:,} more (--json lists them)" if more > 0 else ""
        yield f"missing in this data refresh; the next one must confirm it: {shown}{rest}"


def mirror_row(
    result: MirrorResult, synced: CycleResult | None, rates: BaseRates | None
) -> MirrorRow:
    """Return the row of a mirror run, and of the sync of watched trials that followed it.

    `rates` are the base rates of the context; with None, events have no context.
    """
    return MirrorRow(
        run=result.run_id,
        verdict=result.verdict,
        load=result.load.data_timestamp,
        steps=tuple(result.steps),
        **asdict(result.tally),
        messages=tuple(result.said),
        could_not_check=unchecked_rows(result.failed),
        missing=tuple(result.missing),
        notices=tuple(notice.line for notice in result.notices),
        watched=None if synced is None else sync_row(synced, rates),
    )
