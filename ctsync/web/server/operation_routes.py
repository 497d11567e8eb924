"""The pages about watches, runs, deliveries and rules."""

from __future__ import annotations

from dataclasses import asdict

from ctsync.questions.changes.rules import (
    own_thresholds,
    rule_table_row,
    thresholds_in_force,
)
from ctsync.questions.operation.runs import latest_runs, run_row
from ctsync.questions.portfolio.watches import list_watches
from ctsync.questions.results.delivery_rows import undone_deliveries
from ctsync.web.pages.deliveries import deliveries_page
from ctsync.web.pages.rules import rules_page
from ctsync.web.pages.runs import runs_page
from ctsync.web.pages.watches import watches_page
from ctsync.web.server.kept_values import Content
from ctsync.web.server.page_request import PageRequest, html

_MOST_RUNS = 500
_MOST_TRIALS = 200
"""Most trials of a watch on the page; the list of trials has all."""


def watches(asked: PageRequest) -> Content:
    """The watches, and why each trial is in one or left it."""
    asked.parameters.require_known(())
    return html(watches_page(asked.frame, list_watches(asked.store, most=_MOST_TRIALS)))


def runs(asked: PageRequest) -> Content:
    """The newest runs with their verdicts."""
    asked.parameters.require_known(())
    found = latest_runs(asked.store, limit=_MOST_RUNS)
    rows = [run_row(run, asked.now) for run in found.runs]
    return html(runs_page(asked.frame, rows, found.total))


def deliveries(asked: PageRequest) -> Content:
    """What waits to be sent."""
    asked.parameters.require_known(())
    return html(deliveries_page(asked.frame, undone_deliveries(asked.store, asked.now)))


def rules(asked: PageRequest) -> Content:
    """The rule table with the thresholds in force."""
    asked.parameters.require_known(())
    table = rule_table_row(thresholds_in_force(asked.settings))
    own = own_thresholds(asked.settings, asked.store)
    return html(rules_page(asked.frame, table, {name: asdict(one) for name, one in own.items()}))
