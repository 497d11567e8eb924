"""`rules`: show the rule table and the thresholds in force."""

from __future__ import annotations

from dataclasses import asdict

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.cli.terminal_table import show_table
from ctsync.model import Kind
from ctsync.questions.changes.rules import (
    listed_thresholds,
    rule_table_row,
    thresholds_in_force,
    watch_thresholds,
)
from ctsync.record.rules.rules import RULES_VERSION, Rule, Thresholds, describe


@click.command()
@click.option("--watch", metavar="NAME", help="Use the thresholds of this watch.")
@click.option("--json", "as_json", is_flag=True, help="Write the thresholds and the rules as JSON.")
@pass_app
def rules(app: App, watch: str | None, as_json: bool) -> None:
    """Show the rules that set the level of a change.

    The first rule that matches an event sets its level. Set thresholds in the settings file: for
    all trials under [rules], for one watch under its `rules`.
    """
    thresholds = thresholds_in_force(app.settings)
    if watch is not None:
        is_listed, own = listed_thresholds(app.settings, watch)
        if not is_listed:
            with app.store() as store:
                own = watch_thresholds(app.settings, store, watch)
        thresholds = own or thresholds
    table = list(describe(thresholds))
    if as_json:
        show_json(rule_table_row(thresholds))
        return
    show_table(
        ("RULE", "LEVEL", "SAYS", "FOR", "WHEN"),
        [(rule.id, rule.level, says, _kinds(rule), when) for rule, says, when in table],
        drop=("FOR",),
        wrap=("SAYS", "FOR"),
    )
    usual = asdict(Thresholds())
    for name, value in asdict(thresholds).items():
        changed = "" if value == usual[name] else f" (default {usual[name]:g})"
        tell(f"{name} = {value:g}{changed}")
    tell(f"rules version {RULES_VERSION}; the first rule that matches an event sets its level")


def _kinds(rule: Rule) -> str:
    every = len(rule.kinds) == len(Kind)
    return "every kind" if every else ", ".join(kind for kind in Kind if kind in rule.kinds)
