"""`base-rates`: count the base rates of reports in the stored versions."""

from __future__ import annotations

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.questions.portfolio.base_rates import SAVED_RATES, BaseRateRow, base_rates
from ctsync.record.context.base_rates import BaseRate
from ctsync.record.context.own_rates import LARGE_ENOUGH
from ctsync.report.rows.row_json import dump


@click.command("base-rates")
@click.option("--save", is_flag=True, help="Show these rates beside changes from now on.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of rates.")
@pass_app
def base_rates_command(app: App, *, save: bool, as_json: bool) -> None:
    """Count the base rates of reports in the stored versions.

    A base rate says how many suspended trials restart, for example. Reports show published rates.
    With --save, a rate of your own replaces the published one if it counts 400 trials or more. A
    useful count needs a mirror with history.
    """
    today = app.clock.now().date()
    with app.store() as store:
        found = base_rates(store, today=today)
    if as_json:
        show_json(found)
    else:
        show_table(
            ("RATE", "OWN", "PUBLISHED", "PREFERRED"),
            [
                (
                    row.id,
                    _share(row.own),
                    "; ".join(map(_share, row.published)),
                    "own" if row.is_own_preferred else "published",
                )
                for row in found
            ],
            wrap=("PUBLISHED",),
        )
    larger = sum(row.is_own_preferred for row in found)
    tell(
        f"{larger} of {len(found)} rates count {LARGE_ENOUGH} trials or more, "
        "enough to replace the published ones"
    )
    if save:
        _save(app, found)


def _share(rate: BaseRate | None) -> str:
    return "-" if rate is None else f"{rate.percent:.1f} % of {rate.n:,}"


def _save(app: App, found: tuple[BaseRateRow, ...]) -> None:
    rates = [row.own for row in found if row.own is not None]
    with app.writable_store(create=False) as store, store.unit() as unit:
        unit.marks.set(SAVED_RATES, dump(rates).decode())
    tell(f"saved {len(rates)} rates")
