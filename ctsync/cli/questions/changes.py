"""`changes`: list what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.param_types import MomentParam, NumberParam, TrialParam, WordParam
from ctsync.cli.terminal_table import show_table
from ctsync.model import Category, Kind, Level, NctId, StoredEvent
from ctsync.questions.changes.changes import day_of_change, find_changes
from ctsync.questions.changes.filters import last_report_end
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.context import BaseRates, shown_context
from ctsync.record.value_text import counted
from ctsync.report.rows.event_row import event_row
from ctsync.report.words.event_line import gap_words
from ctsync.report.words.event_text import sentence
from ctsync.store.data.event_filter import EventFilter


@click.command(epilog=f"Kinds: {', '.join(Kind)}.\n\nCategories: {', '.join(Category)}.")
@click.argument("trials", metavar="[NCT...]", type=TrialParam(), nargs=-1)
@click.option(
    "--since",
    type=MomentParam(or_last_report=True),
    help='Only from WHEN on: 2026-03-13, 7d, yesterday, "last week", "last report".',
)
@click.option("--until", type=MomentParam(end_of_day=True), help="Only changes up to WHEN.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=WordParam(Kind),
    metavar="KIND",
    help="Only this kind of change (listed below); may be repeated.",
)
@click.option("--level", type=WordParam(Level), help="Lowest level to list.")
@click.option(
    "--category",
    "categories",
    multiple=True,
    type=WordParam(Category),
    metavar="CATEGORY",
    help="Only this part of the record (listed below); may be repeated.",
)
@click.option("--watch", help="Only trials of this watch.")
@click.option("--limit", type=NumberParam(), help="List at most this many changes, the newest.")
@click.option(
    "--context", "with_context", is_flag=True, help="Add base rates and the past of each trial."
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array of events.")
@pass_app
def changes(
    app: App,
    *,
    trials: Sequence[NctId],
    since: datetime | str | None,
    until: datetime | None,
    kinds: Sequence[Kind],
    level: Level | None,
    categories: Sequence[Category],
    watch: str | None,
    limit: int | None,
    with_context: bool,
    as_json: bool,
) -> None:
    """List stored changes, oldest day first.

    For one trial on one day, the worst change comes first.
    """
    with app.store() as store:
        require_watch(store, watch)
        wanted = EventFilter(
            nct_ids=tuple(trials),
            since=last_report_end(store, app.clock.now()) if isinstance(since, str) else since,
            until=until,
            kinds=tuple(kinds),
            minimum_level=level,
            categories=tuple(categories),
            watch=watch,
            limit=limit,
        )
        found = find_changes(store, wanted)
        rates = app.rates(store) if as_json or with_context else None
    if as_json:
        show_json([event_row(event, rates) for event in found.events])
    else:
        _show(found.events, rates, with_context=with_context)
    if found.total > len(found.events):
        shown = len(found.events)
        tell(f"the newest {shown} of {found.total} changes; without --limit all are shown")
    elif not as_json:
        tell(counted(found.total, "change"))


def _show(events: Sequence[StoredEvent], rates: BaseRates | None, *, with_context: bool) -> None:
    show_table(
        ("DAY", "TRIAL", "LEVEL", "RULE", "WHAT", *(["CONTEXT"] if with_context else []), "TITLE"),
        [
            (
                day_of_change(stored).isoformat(),
                stored.nct_id,
                stored.event.level,
                stored.event.rule,
                "; ".join(filter(None, (sentence(stored.event), gap_words(stored)))),
                *([_context(stored, rates)] if with_context else []),
                stored.brief_title or "-",
            )
            for stored in events
        ],
        drop=("RULE", "TITLE"),
        shorten=("TITLE",),
        wrap=("WHAT", "CONTEXT"),
        least=32,
    )


def _context(stored: StoredEvent, rates: BaseRates | None) -> str:
    notes = shown_context(stored.event, rates, sponsor=stored.lead_sponsor)
    return " | ".join(note.text for note in notes) or "-"
