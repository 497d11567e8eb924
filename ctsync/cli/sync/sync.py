"""`sync`: check all watched trials once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.interrupt import heeding_interrupts
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import TrialParam
from ctsync.cli.sync_messages import MOST_FAILURES, sentences, unknown_sentence
from ctsync.dates import format_minute
from ctsync.model import Event, Kind, Level, NctId, StoredEvent
from ctsync.record.registry.notices import uncovered
from ctsync.record.value_text import counted
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.cycle_result import CyclePreview, CycleResult
from ctsync.sync.result import RunCallbacks
from ctsync.text import for_terminal

PARTIAL = 3

accept_load_option = click.option(
    "--accept-load",
    is_flag=True,
    help="Accept registry data dated more than a day ahead of this computer's clock.",
)


@click.command("sync")
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option("--dry-run", is_flag=True, help="Fetch and compare, but store and send nothing.")
@click.option(
    "--no-send",
    is_flag=True,
    help="Store the messages, and leave them to `ctsync outbox retry`.",
)
@click.option(
    "--wait",
    type=float,
    default=0,
    metavar="SECONDS",
    help="Wait up to SECONDS for another writer.",
)
@click.option(
    "--accept-gone",
    is_flag=True,
    help="Accept that many trials are gone, or left a query, at once.",
)
@accept_load_option
@click.option("-q", "--quiet", is_flag=True, help="Print only changes and problems; for cron.")
@click.option("--json", "as_json", is_flag=True, help="Write the run and its events as JSON.")
@pass_app
def sync_command(
    app: App,
    *,
    trials: Sequence[NctId],
    dry_run: bool,
    no_send: bool,
    wait: float,
    accept_gone: bool,
    accept_load: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fetch watched trials, store new versions, report and notify.

    With NCT ids, only those trials are checked. Exits with code 3 if a trial could not be checked,
    and names it.
    """
    ids = tuple(dict.fromkeys(trials))
    app.sends = not dry_run
    if dry_run:
        with _round(app, accept_gone=accept_gone, accept_load=accept_load) as work:
            seen = work.preview(ids)
        _show_preview(seen, as_json=as_json)
        click.get_current_context().exit(0 if seen.is_whole else PARTIAL)
    result, misnamed = run_round(
        app,
        ids,
        wait=wait,
        accept_gone=accept_gone,
        accept_load=accept_load,
        sends=not no_send,
    )
    if as_json:
        # measured: 4 % of a sync without --json
        from ctsync.sync.cycle_row import sync_row  # noqa: PLC0415 - see above

        show_json(sync_row(result, app.stored_rates()))
    end_round(result, misnamed, tabled=not as_json, quiet=quiet)


@contextmanager
def _round(
    app: App, *, accept_gone: bool = False, accept_load: bool = False, sends: bool = True
) -> Iterator[SyncCycle]:
    with (
        app.writable_store(for_watched_trials=True) as store,
        app.registry(accept_load=accept_load) as registry,
        app.history(registry) as history,
        progress_bar() as watcher,
    ):
        yield SyncCycle(
            settings=app.settings,
            store=store,
            registry=registry,
            history=history,
            clock=app.clock,
            watcher=watcher,
            accept_gone=accept_gone,
            sends=sends,
        )


def run_round(
    app: App,
    ids: Sequence[NctId] = (),
    *,
    wait: float = 0,
    accept_gone: bool = False,
    accept_load: bool = False,
    sends: bool = True,
) -> tuple[CycleResult, list[str]]:
    """Run one sync; return its result and a message for each unknown watch in the settings."""
    with _round(app, accept_gone=accept_gone, accept_load=accept_load, sends=sends) as work:
        result = work.run(ids, holder="ctsync sync", wait_seconds=wait)
        names = list(work.store.watches.origins())
    return result, list(app.settings.unknown_watches(names))


def end_round(
    result: CycleResult,
    misnamed: Sequence[str] = (),
    *,
    tabled: bool,
    quiet: bool = False,
) -> None:
    """Report the result of a sync; exit with PARTIAL if it is incomplete."""
    if not quiet or misnamed or _is_notable(result):
        if tabled:
            show_result(result)
        for sentence in (*sentences(result), *misnamed):
            tell(for_terminal(sentence))
    if not result.is_whole:
        click.get_current_context().exit(PARTIAL)


@contextmanager
def progress_bar(what: str = "trials") -> Iterator[RunCallbacks]:
    """Show a progress bar if stderr is a terminal; Ctrl-C stops the run it reports on."""
    if not sys.stderr.isatty():
        with heeding_interrupts() as check:
            yield RunCallbacks(check=check)
        return
    # measured: 3 % of a sync under cron, which has no terminal
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415 - see above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, transient=True) as progress,
        heeding_interrupts() as check,
    ):
        task = progress.add_task(what, total=None)
        yield RunCallbacks(lambda done, of: progress.update(task, completed=done, total=of), check)


def _is_notable(result: CycleResult) -> bool:
    """Check whether --quiet must report a sync; cron mails every line of output."""
    delivered = result.delivered
    return bool(
        _is_worth_reporting(result.sync.events)
        or result.sync.unknown
        or result.sync.notices
        or not result.is_whole
        or delivered.waiting
        or delivered.parked
    )


def _is_worth_reporting(events: Iterable[StoredEvent]) -> bool:
    """Whether there is a baseline, or a change beyond administrative fields."""
    return any(
        stored.event.kind is Kind.FIRST_SEEN or stored.event.level is not Level.ADMINISTRATIVE
        for stored in events
    )


def show_result(result: CycleResult) -> None:
    """Write the changes that a sync found to stdout."""
    shown = uncovered(result.sync.events, result.sync.notices)
    since = min((stored.observed or stored.fetched for stored in shown), default=None)
    if since is not None:
        _show_changes(shown, command=f"ctsync changes --since {since:%Y-%m-%d}")


def _show_changes(events: Iterable[StoredEvent], *, command: str) -> None:
    # measured: 5 % of a sync that found no change
    from ctsync.cli.sync.changes_table import show_changes  # noqa: PLC0415 - see above

    show_changes(events, command=command)


def _show_preview(seen: CyclePreview, *, as_json: bool) -> None:
    from ctsync.cli.sync.preview_rows import (  # noqa: PLC0415 - see sync_command
        preview_events,
        preview_rows,
    )

    found = seen.events
    if as_json:
        show_json(preview_rows(seen))
    else:
        _show_changes(preview_events(seen), command="ctsync sync --dry-run --json")
    if seen.unknown:
        tell(unknown_sentence(seen.unknown))
    for nct_id, reason in seen.unchecked[:MOST_FAILURES]:
        tell(for_terminal(f"could not check {nct_id}: {reason}"))
    if (more := len(seen.unchecked) - MOST_FAILURES) > 0:
        tell(f"and {more:,} more that could not be checked: ctsync sync --json")
    for reason in seen.reasons:
        tell(for_terminal(reason))
    for lost in seen.unresolved:
        tell(for_terminal(f"watch {lost.watch}: {lost.reason}"))
    tell(
        f"dry run: checked {len(seen.examined) - len(seen.unchecked):,} of "
        f"{counted(len(seen.examined), 'trial')} against the registry data of "
        f"{format_minute(seen.load.data_timestamp)}: {_found(found)}; nothing stored or sent"
    )


def _found(events: Sequence[tuple[NctId, Event]]) -> str:
    baselines = sum(event.kind is Kind.FIRST_SEEN for _, event in events)
    changes = len(events) - baselines
    parts = [counted(baselines, "new baseline")] if baselines else []
    return ", ".join([*parts, counted(changes, "change")] if changes else parts) or "no changes"
