"""`forecast`: list watched trials that will be UNKNOWN, or get a flag by time alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import SpanParam, WordParam
from ctsync.cli.terminal_table import show_table
from ctsync.questions.portfolio.forecast import (
    Expectation,
    ExpectedChange,
    Forecast,
    expected_change_row,
    forecast_changes,
)
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.enum_words import enum_words
from ctsync.record.value_text import short_duration

FORECAST_DAYS = 90
_EXPECTED = {
    Expectation.UNKNOWN: "Unknown",
    Expectation.RESULTS_DUE: "results due",
    Expectation.OPEN_PAST_COMPLETION: "open past completion",
    Expectation.RECRUITING_PAST_PRIMARY_COMPLETION: "recruiting past primary completion",
    Expectation.VERIFICATION_STALE: "verification more than a year old",
}


@click.command("forecast", epilog=f"What to expect: {', '.join(Expectation)}.")
@click.option(
    "--within",
    type=SpanParam(),
    default=f"{FORECAST_DAYS}d",
    show_default=True,
    help="Time span to look ahead: 30d, 12w, 6m, 1y, or all.",
)
@click.option("--watch", help="Only trials of this watch.")
@click.option(
    "--what",
    multiple=True,
    type=WordParam(Expectation),
    metavar="WHAT",
    help="Only this (listed below); may be repeated.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON array of trials, soonest first."
)
@pass_app
def forecast_command(
    app: App,
    *,
    within: timedelta | None,
    watch: str | None,
    what: Sequence[Expectation],
    as_json: bool,
) -> None:
    """List trials that will become Unknown or get a flag.

    The registry sets the status to UNKNOWN if an active trial was last verified more than 24
    months ago and its completion date has passed. It posts no update then. A trial that should
    have the status already is listed as overdue.

    Flags become true without an update: results are due by the rule of 42 CFR 11.44, a completion
    date passes while the status is open, or the verification is more than a year old. `ctsync
    flags` lists those that are true already.
    """
    today = app.clock.now().date()
    with app.store() as store:
        require_watch(store, watch)
        found = forecast_changes(store, today, within=within, watch=watch, what=what)
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
    tell("; ".join(_counts(found)))
    if found.later:
        tell(f"{found.later:,} more will later: ctsync forecast --within all")


def _counts(found: Forecast) -> Iterator[str]:
    overdue = sum(one.is_overdue for one in found.expected)
    number = Counter(one.what for one in found.expected)
    yield (
        f"of {found.watched:,} watched trials {number[Expectation.UNKNOWN] - overdue:,} will "
        f"become Unknown if nobody updates them, {overdue:,} should have already"
    )
    yield f"{number[Expectation.RESULTS_DUE]:,} will have results due"
    for what, words in (
        (Expectation.OPEN_PAST_COMPLETION, "will be open past completion"),
        (Expectation.RECRUITING_PAST_PRIMARY_COMPLETION, "recruiting past primary completion"),
        (Expectation.VERIFICATION_STALE, "will have a verification more than a year old"),
    ):
        if number[what]:
            yield f"{number[what]:,} {words}"


def _when(trial: ExpectedChange, today: date) -> str:
    """The time to the expected day; past days are overdue only if newer data is stored."""
    days = (trial.on - today).days
    if trial.is_overdue:
        return f"overdue by {short_duration(-days)}" if days < 0 else "overdue"
    return f"{short_duration(-days)} ago" if days < 0 else short_duration(days)
