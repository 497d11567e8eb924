"""`rules`, `replay`, `forecast`: where levels come from, and what the registry will do itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from ctsync.cli.app import App, pass_app, show_json, tell
from ctsync.cli.param_types import MomentParam, SpanParam
from ctsync.cli.terminal_table import show_table
from ctsync.errors import UsageError

if TYPE_CHECKING:
    from ctsync.model import JsonObject
    from ctsync.questions.changes.relevel import RelevelledEvent
    from ctsync.questions.portfolio.unknown_forecast import ExpectedUnknown
    from ctsync.record.rules.rules import Rule, Thresholds
    from ctsync.store.store import Store

FORECAST_DAYS = 90


@click.command()
@click.option("--watch", metavar="NAME", help="The thresholds of this watch.")
@click.option("--json", "as_json", is_flag=True, help="The thresholds and the table as JSON.")
@pass_app
def rules(app: App, watch: str | None, as_json: bool) -> None:
    """Print the table that levels come from, with the thresholds in force.

    The first rule that fires for an event gives its level. Thresholds are set in the settings
    file, for all under [rules] and for a watch under rules.
    """
    from ctsync.record.rules.rules import RULES_VERSION, Thresholds, describe

    thresholds = thresholds_in_force(app)
    if watch is not None:
        with app.store() as store:
            thresholds = _own(app, store, watch) or thresholds
    table = list(describe(thresholds))
    if as_json:
        show_json(
            {
                "version": RULES_VERSION,
                "thresholds": asdict(thresholds),
                "rules": [_rule_json(rule, says, when) for rule, says, when in table],
            }
        )
        return
    show_table(
        ("RULE", "LEVEL", "SAYS", "FOR", "WHEN"),
        [(rule.id, rule.level, says, _kinds(rule), when) for rule, says, when in table],
    )
    usual = asdict(Thresholds())
    for name, value in asdict(thresholds).items():
        changed = "" if value == usual[name] else f", usually {usual[name]:g}"
        tell(f"{name} = {value:g}{changed}")
    tell(f"rules version {RULES_VERSION}; the first rule that fires gives the level")


def _kinds(rule: Rule) -> str:
    from ctsync.model import Kind

    every = len(rule.kinds) == len(Kind)
    return "every kind" if every else ", ".join(kind for kind in Kind if kind in rule.kinds)


def _rule_json(rule: Rule, says: str, when: str) -> JsonObject:
    from ctsync.model import Kind

    kinds = [kind for kind in Kind if kind in rule.kinds]
    return {"id": rule.id, "level": rule.level, "kinds": kinds, "says": says, "when": when}


class ThresholdParam(click.ParamType[tuple[str, float]]):
    """A threshold and its value, as in slip_notable_days=60."""

    name = "KEY=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Give the name and the number; raises UsageError for a threshold there is not."""
        from ctsync.record.rules.rules import Thresholds
        from ctsync.text import nearest

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
            self.fail(f"{value!r}: write a number that is not negative: {key}=60", param, ctx)
        return key, amount


@click.command("replay")
@click.option(
    "--set",
    "given",
    type=ThresholdParam(),
    multiple=True,
    help="A threshold to try; may be repeated.",
)
@click.option("--since", type=MomentParam(), help="Only what happened since: 2026-03-13, 90d.")
@click.option("--watch", metavar="NAME", help="Only the trials of this watch, by its thresholds.")
@click.option(
    "--dry-run", is_flag=True, help="Said for clearness: a replay never writes, with it or without."
)
@click.option("--json", "as_json", is_flag=True, help="An array of events with their new level.")
@pass_app
def replay_command(
    app: App,
    *,
    given: Sequence[tuple[str, float]],
    since: datetime | None,
    watch: str | None,
    dry_run: bool,  # noqa: ARG001 - what a replay is anyway
    as_json: bool,
) -> None:
    """Show which stored events would have another level under other rules.

    Nothing is fetched and nothing is written: to put thresholds in force, write them into the
    settings file. Without --set, history is replayed under the rules in force now.
    """
    from ctsync.questions.changes.relevel import relevel_events
    from ctsync.store.data.events import EventFilter

    with app.store() as store:
        own = None if watch is None else _own(app, store, watch)
        thresholds = (own or thresholds_in_force(app)).replace(dict(given))
        wanted = EventFilter(since=since, watch=watch)
        found = relevel_events(store, wanted, thresholds=thresholds, told_under=own)
    if as_json:
        show_json([_relevelled_json(one) for one in found.differing])
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
        f"{len(found.differing):,} of {found.looked_at:,} events would have another level; "
        "nothing was written"
    )


def _relevelled_json(one: RelevelledEvent) -> JsonObject:
    from ctsync.report.event_json import event_json

    return event_json(one.stored) | {
        "replayed_level": one.replayed.level,
        "replayed_rule": one.replayed.rule,
    }


def thresholds_in_force(app: App) -> Thresholds:
    """The thresholds of the settings."""
    from ctsync.record.rules.rules import Thresholds

    return Thresholds().replace(app.settings.rules)


def _own(app: App, store: Store, name: str) -> Thresholds | None:
    """The thresholds of a watch, None where it has none of its own.

    The settings file goes before what the last sync took from it. Raises UsageError where
    there is no such watch.
    """
    listed: Mapping[str, Mapping[str, float]] = {
        watch.name: watch.rules for watch in app.settings.watches
    }
    if name in listed:
        return thresholds_in_force(app).replace(listed[name]) if listed[name] else None
    if name not in store.watch_origins():
        raise UsageError(f"there is no watch {name!r}; see: ctsync watch list")
    return store.own_thresholds().get(name)


@click.command("forecast")
@click.option(
    "--within",
    type=SpanParam(),
    default=f"{FORECAST_DAYS}d",
    show_default=True,
    help="How far ahead: 30d, 12w, 6m, 1y, or all.",
)
@click.option("--json", "as_json", is_flag=True, help="An array of trials, soonest first.")
@pass_app
def forecast_command(app: App, *, within: timedelta | None, as_json: bool) -> None:
    """List the watched trials that the registry will turn UNKNOWN, and when.

    It does so by itself when an active trial was last verified more than 24 months ago and its
    completion date has passed, and posts no update. A trial that should have turned and has not
    is overdue.
    """
    from ctsync.questions.portfolio.unknown_forecast import forecast_unknown

    today = app.clock.now().date()
    with app.store() as store:
        found = forecast_unknown(store, today, within=within)
    if as_json:
        show_json([_expected_json(one, today) for one in found.expected])
    else:
        show_table(
            ("ON", "TRIAL", "STATUS", "IN", "WHY", "TITLE"),
            [
                (
                    f"{one.on}",
                    one.nct_id,
                    one.key.status or "-",
                    "overdue" if one.is_overdue else f"{(one.on - today).days:,} d",
                    one.why,
                    one.key.brief_title or "-",
                )
                for one in found.expected
            ],
        )
    overdue = sum(one.is_overdue for one in found.expected)
    tell(
        f"of {found.watched:,} watched trials {len(found.expected) - overdue:,} will turn UNKNOWN "
        f"if nobody updates them, {overdue:,} should have already"
    )
    if found.later:
        tell(f"{found.later:,} more will later: ctsync forecast --within all")


def _expected_json(one: ExpectedUnknown, today: date) -> JsonObject:
    from ctsync.model import STUDY_PAGE

    return {
        "nct_id": one.nct_id,
        "on": one.on.isoformat(),
        "outlook": "overdue" if one.is_overdue else "due",
        "days": (one.on - today).days,
        "status": one.key.status,
        "verified": one.key.verified,
        "completion_date": one.key.completion_date,
        "why": one.why,
        "title": one.key.brief_title,
        "url": STUDY_PAGE + one.nct_id,
    }


COMMANDS = [rules, replay_command, forecast_command]
