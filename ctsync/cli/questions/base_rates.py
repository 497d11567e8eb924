"""`base-rates`: count the base rates of reports in the stored versions."""

from __future__ import annotations

from datetime import date

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.errors import UsageError
from ctsync.questions.portfolio.base_rates import (
    CountedRates,
    SavedCount,
    saved_count,
    stored_rates,
)
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.context.base_rates import BaseRate
from ctsync.record.context.own_rates import LARGE_ENOUGH
from ctsync.record.context.sponsor_past import FEWEST_TRIALS
from ctsync.record.value_text import counted


@click.command("base-rates")
@click.option("--watch", help="Only trials of this watch; cannot be saved.")
@click.option("--save", is_flag=True, help="Show these rates beside changes from now on.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of rates.")
@pass_app
def base_rates_command(app: App, *, watch: str | None, save: bool, as_json: bool) -> None:
    """Count the base rates of reports in the stored versions.

    A base rate says how many suspended trials restart, for example. Reports show published rates.
    With --save, a rate of your own replaces the published one if it counts 400 trials or more,
    and reports show the past of sponsors with 10 trials or more. Saved rates stay as they are:
    use --save again after a large load. A useful count needs a mirror with history.
    """
    if save and watch is not None:
        raise UsageError("--save needs all trials: leave out --watch")
    today = app.clock.now().date()
    with app.store() as store:
        require_watch(store, watch)
        found = stored_rates(store, today=today, watch=watch)
        saved = saved_count(store)
    if as_json:
        show_json(found.rows)
    else:
        _show(found)
    _tell_counts(found)
    if save:
        with app.writable_store(create=False) as store, store.unit() as unit:
            for key, value in found.marks(today).items():
                unit.marks.set(key, value)
        sponsors = counted(len(found.rates.sponsors), "sponsor")
        tell(f"saved {counted(len(found.rates), 'rate')} and the past of {sponsors}")
    elif saved is not None:
        tell(_age(saved, found, today, is_of_all=watch is None))


def _show(found: CountedRates) -> None:
    show_table(
        ("RATE", "OWN", "PUBLISHED", "PREFERRED"),
        [
            (
                row.id,
                _share(row.own),
                "; ".join(map(_share, row.published)),
                "own" if row.is_own_preferred else "published",
            )
            for row in found.rows
        ],
        wrap=("PUBLISHED",),
    )


def _share(rate: BaseRate | None) -> str:
    return "-" if rate is None else f"{rate.percent:.1f} % of {rate.n:,}"


def _tell_counts(found: CountedRates) -> None:
    rows = found.rows
    larger = sum(row.is_own_preferred for row in rows)
    tell(
        f"{larger} of {len(rows)} rates count {LARGE_ENOUGH} trials or more, "
        "enough to replace the published ones"
    )
    trials = counted(found.trials, "trial")
    tell(
        f"counted in {trials}; sponsors with {FEWEST_TRIALS} trials or more: "
        f"{len(found.rates.sponsors):,}"
    )


def _age(saved: SavedCount, found: CountedRates, today: date, *, is_of_all: bool) -> str:
    """Say how old the rates in use are, and how many trials have been stored since."""
    days = counted(max(0, (today - saved.day).days), "day")
    now = f"; now there are {found.trials:,}" if is_of_all else ""
    return (
        f"reports use the rates saved {days} ago, on {saved.day}, from "
        f"{counted(saved.trials, 'trial')}{now}; to replace them: ctsync base-rates --save"
    )
