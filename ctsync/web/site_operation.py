"""The pages of a site about watches, runs, deliveries and rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from ctsync.questions.changes.rules import rule_table_row
from ctsync.questions.operation.runs import latest_runs, run_row
from ctsync.questions.portfolio.watches import list_watches
from ctsync.questions.results.delivery_rows import undone_deliveries
from ctsync.store.store import Store
from ctsync.web.frame import Frame
from ctsync.web.pages.deliveries import deliveries_page
from ctsync.web.pages.rules import rules_page
from ctsync.web.pages.runs import runs_page
from ctsync.web.pages.watches import watches_page
from ctsync.web.site_question import SiteQuestion

MOST_RUNS = 500


def operation_pages(store: Store, question: SiteQuestion, here: Frame) -> Iterator[tuple[str, str]]:
    """Yield the pages as pairs of relative path and text."""
    now, wanted = question.now, question.watch
    watches = [one for one in list_watches(store) if wanted in {None, one.row.name}]
    yield "watches.html", watches_page(here, watches)
    runs = latest_runs(store, limit=MOST_RUNS)
    yield "runs.html", runs_page(here, [run_row(run, now) for run in runs.runs], runs.total)
    yield "deliveries.html", deliveries_page(here, undone_deliveries(store, now))
    own = {name: asdict(one) for name, one in question.own_thresholds.items()}
    shown = {name: values for name, values in own.items() if wanted in {None, name}}
    yield "rules.html", rules_page(here, rule_table_row(question.thresholds), shown)
