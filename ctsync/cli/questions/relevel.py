"""`relevel`: list stored events whose level would change under other thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import MomentParam
from ctsync.cli.terminal_table import show_table
from ctsync.errors import UsageError
from ctsync.questions.changes.relevel import relevel_events, relevelled_row
from ctsync.questions.changes.rules import thresholds_in_force, watch_thresholds
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.text import nearest


class ThresholdParam(click.ParamType[tuple[str, float]]):
    """A threshold and its value, as in slip_notable_days=60."""

    name = "KEY=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Return the name and the number; raises UsageError for an unknown threshold."""
        if isinstance(value, tuple):
            return value
        key, is_set, number = (part.strip() for part in str(value).partition("="))
        known = Thresholds.__dataclass_fields__
        if key not in known:
            raise UsageError(f"no threshold {key!r}; {nearest(key, known)}")
        try:
            amount = float(number)
        except ValueError:
            amount = -1
        if not is_set or not 0 <= amount < float("inf"):
            self.fail(f"{value!r}: write a number of at least 0, as in {key}=60", param, ctx)
        return key, amount


@click.command("relevel")
@click.option(
    "--set",
    "given",
    type=ThresholdParam(),
    multiple=True,
    help="Threshold to try; may be repeated.",
)
@click.option("--since", type=MomentParam(), help="Only changes since WHEN: 2026-03-13, 90d.")
@click.option("--watch", metavar="NAME", help="Only trials of this watch, with its thresholds.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON array of events with their new level."
)
@pass_app
def relevel_command(
    app: App,
    *,
    given: Sequence[tuple[str, float]],
    since: datetime | None,
    watch: str | None,
    as_json: bool,
) -> None:
    """List stored events that would get another level.

    Changes nothing. To use new thresholds, write them to the settings file. Without --set, the
    current rules are applied.
    """
    with app.store() as store:
        own = None if watch is None else watch_thresholds(app.settings, store, watch)
        thresholds = (own or thresholds_in_force(app.settings)).replace(dict(given))
        wanted = EventFilter(since=since, watch=watch)
        found = relevel_events(store, wanted, thresholds=thresholds, told_under=own)
        rates = app.rates(store)
    if as_json:
        show_json([relevelled_row(one, rates) for one in found.differing])
    else:
        show_table(
            ("SEEN", "TRIAL", "LEVEL", "RULE", "WOULD BE", "RULE", "WHAT"),
            [
                (
                    f"{one.stored.observed or one.stored.fetched:%Y-%m-%d}",
                    one.stored.nct_id,
                    one.stored.event.level,
                    one.stored.event.rule,
                    one.replayed.level,
                    one.replayed.rule,
                    one.stored.event.summary,
                )
                for one in found.differing
            ],
        )
    tell(
        f"{len(found.differing):,} of {found.looked_at:,} events would get another level; nothing "
        "was changed"
    )
