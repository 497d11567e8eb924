"""`forecast`: list watched trials that will be UNKNOWN, or whose results will be due."""

from __future__ import annotations

from datetime import date, timedelta

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import SpanParam
from ctsync.cli.terminal_table import show_table
from ctsync.questions.portfolio.forecast import (
    Expectation,
    ExpectedChange,
    expected_change_row,
    forecast_changes,
)
from ctsync.record.enum_words import enum_words
from ctsync.record.value_text import short_duration

FORECAST_DAYS = 90
_EXPECTED = {Expectation.UNKNOWN: "Unknown", Expectation.RESULTS_DUE: "results due"}


@click.command("forecast")
@click.option(
    "--within",
    type=SpanParam(),
    default=f"{FORECAST_DAYS}d",
    show_default=True,
    help="Time span to look ahead: 30d, 12w, 6m, 1y, or all.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON array of trials, soonest first."
)
@pass_app
def forecast_command(app: App, *, within: timedelta | None, as_json: bool) -> None:
    """List trials that will become Unknown or have results due.

    The registry sets the status to UNKNOWN if an active trial was last verified more than 24
    months ago and its completion date has passed. It posts no update then. A trial that should
    have the status already is listed as overdue.

    Results become due by the rule of 42 CFR 11.44. For results that are due already, see
    `ctsync flags`.
    """
    today = app.clock.now().date()
    with app.store() as store:
        found = forecast_changes(store, today, within=within)
    if as_json:
        show_json([expected_change_row(one, today) for one in found.expected])
    else:
        show_table(
            ("ON", "TRIAL", "STATUS", "IN", "EXPECTED", "WHY", "TITLE"),
            [
                (
                    f"{one.on}",
                    one.nct_id,
                    enum_words(one.key.status or "-"),
                    _when(one, today),
                    _EXPECTED[one.what],
                    one.why,
                    one.key.brief_title or "-",
                )
                for one in found.expected
            ],
            drop=("TITLE", "STATUS"),
            shorten=("TITLE",),
            wrap=("WHY",),
        )
    overdue = sum(one.is_overdue for one in found.expected)
    results = sum(one.what is Expectation.RESULTS_DUE for one in found.expected)
    tell(
        f"of {found.watched:,} watched trials {len(found.expected) - overdue - results:,} will "
        f"become Unknown if nobody updates them, {overdue:,} should have already; "
        f"{results:,} will have results due"
    )
    if found.later:
        tell(f"{found.later:,} more will later: ctsync forecast --within all")


def _when(trial: ExpectedChange, today: date) -> str:
    """The time to the expected day; past days are overdue only if newer data is stored."""
    days = (trial.on - today).days
    if trial.is_overdue:
        return f"overdue by {short_duration(-days)}" if days < 0 else "overdue"
    return f"{short_duration(-days)} ago" if days < 0 else short_duration(days)
