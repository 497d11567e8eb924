"""`runs`: list all runs with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import NumberParam
from ctsync.cli.terminal_table import show_table
from ctsync.dates import LOAD_TOLERANCE, mark_future
from ctsync.questions.operation.runs import latest_runs, one_run, run_row
from ctsync.record.registry.notices import read_notices
from ctsync.store.data.runs import Run
from ctsync.text import for_terminal

SHOWN_RUNS = 20
_HEADINGS = (
    *("ID", "KIND", "STARTED", "SECONDS", "DATA OF", "REQUESTS", "ASKED", "ANSWERED", "SAME"),
    *("CHANGED", "NEW", "GONE", "FAILED", "VERDICT"),
)
_DROPPED = ("REQUESTS", "SECONDS", "SAME", "ASKED", "GONE", "NEW", "FAILED", "STARTED")
_COUNTS = ("asked", "answered", "same", "changed", "new", "gone", "failed")


@click.command("runs")
@click.argument("run_id", metavar="[ID]", type=NumberParam(), required=False)
@click.option(
    "--limit",
    type=NumberParam(),
    default=SHOWN_RUNS,
    show_default=True,
    help="Number of runs to list.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON array of runs, or one object for one run."
)
@pass_app
def runs_command(app: App, *, run_id: int | None, limit: int, as_json: bool) -> None:
    """List runs, newest first, or show one run.

    A run shows its times, the registry data before and after, counts and its verdict. ASKED is the
    number of trials to check, ANSWERED the number checked. The verdict "running" also stands for a
    run that was killed.
    """
    now = app.clock.now()
    with app.store() as store:
        if run_id is not None:
            run = one_run(store, run_id)
            show_json(run_row(run, now)) if as_json else _show_run(run, now)
            return
        found = latest_runs(store, limit=limit)
    if as_json:
        show_json([run_row(run, now) for run in found.runs])
    else:
        _show_runs(found.runs, now)
    if found.total > len(found.runs):
        tell(
            f"the newest {len(found.runs):,} of {found.total:,}: "
            f"ctsync runs --limit {found.total} shows all"
        )


def _show_runs(found: Sequence[Run], now: datetime) -> None:
    show_table(
        _HEADINGS,
        [
            (
                str(run.id),
                run.kind,
                mark_future(run.started, now),
                _seconds(run),
                _load(run.load_after or run.load_before, now),
                str(run.requests),
                *(str(getattr(run, name)) for name in _COUNTS),
                run.verdict if run.error is None else f"{run.verdict}: {run.error}",
            )
            for run in found
        ],
        drop=_DROPPED,
    )


def _show_run(run: Run, now: datetime) -> None:
    before, after = _load(run.load_before, now), _load(run.load_after, now)
    lines = [
        ("run", f"{run.id}, {run.kind}"),
        ("started", mark_future(run.started, now)),
        ("finished", _finished(run, now)),
        ("registry data of", f"{before} before, {after} after"),
        ("registry API", run.api_version or "-"),
        ("requests", f"{run.requests:,}, of which retries {run.retries:,}"),
        ("trials", ", ".join(f"{name} {getattr(run, name):,}" for name in _COUNTS)),
        ("messages sent", f"{run.delivered:,}"),
        ("verdict", run.verdict if run.error is None else f"{run.verdict}: {run.error}"),
        *(("notice", notice.line) for notice in read_notices(run.notices)),
    ]
    for name, value in lines:
        click.echo(f"{name:<17} {for_terminal(value)}")


def _load(stamp: datetime | None, now: datetime) -> str:
    return mark_future(stamp, now, tolerance=LOAD_TOLERANCE) if stamp else "-"


def _finished(run: Run, now: datetime) -> str:
    if run.finished is None:
        return "never"
    return f"{mark_future(run.finished, now)} ({_seconds(run)} s)"


def _seconds(run: Run) -> str:
    return f"{(run.finished - run.started).total_seconds():.0f}" if run.finished else "-"
