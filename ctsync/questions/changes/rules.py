"""The rule table, and the thresholds in force. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ctsync.model import Kind, Level
from ctsync.questions.portfolio.watches import require_watch
from ctsync.record.rules.rules import RULES_VERSION, Thresholds, describe
from ctsync.store.store import Store

if TYPE_CHECKING:
    from ctsync.config.settings import Settings


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: the level of each change that meets its conditions."""

    id: str
    """The id of the rule; each change names the rule that gave its level."""
    level: Level
    """The level that it gives."""
    kinds: tuple[Kind, ...]
    """The kinds of change that it applies to."""
    says: str
    """What the rule is about, with the thresholds in force."""
    when: str
    """Its conditions, with the thresholds in force."""


@dataclass(frozen=True, slots=True)
class RuleTableRow:
    """The rule table: the first rule that applies to a change gives its level."""

    version: int
    """The version of the table; it increases if a rule changes its id, conditions or level."""
    thresholds: Mapping[str, float]
    """The thresholds in force, by name."""
    rules: tuple[RuleRow, ...]
    """The rules in the order in which they are tried."""


def rule_table_row(thresholds: Thresholds) -> RuleTableRow:
    """The rule table with these thresholds."""
    return RuleTableRow(
        version=RULES_VERSION,
        thresholds=asdict(thresholds),
        rules=tuple(
            RuleRow(
                rule.id,
                rule.level,
                kinds=tuple(kind for kind in Kind if kind in rule.kinds),
                says=says,
                when=when,
            )
            for rule, says, when in describe(thresholds)
        ),
    )


def thresholds_in_force(settings: Settings) -> Thresholds:
    """The thresholds of the settings."""
    return Thresholds().replace(settings.rules)


def listed_thresholds(settings: Settings, name: str) -> tuple[bool, Thresholds | None]:
    """Whether the settings list a watch, and its thresholds if it has any of its own."""
    listed = {watch.name: watch.own_rules for watch in settings.watches}
    own = listed.get(name)
    return name in listed, thresholds_in_force(settings).replace(own) if own else None


def watch_thresholds(settings: Settings, store: Store, name: str) -> Thresholds | None:
    """Return the thresholds of a watch, or None if it has none of its own.

    The settings file takes precedence over its copy from the last sync. Raises UsageError if there
    is no such watch.
    """
    is_listed, own = listed_thresholds(settings, name)
    if is_listed:
        return own
    require_watch(store, name)
    return store.watches.own_thresholds().get(name)


def own_thresholds(settings: Settings, store: Store) -> dict[str, Thresholds]:
    """Return the thresholds of each watch that has its own, as `watch_thresholds` does."""
    in_force = thresholds_in_force(settings)
    listed = {watch.name: watch.own_rules for watch in settings.watches}
    stored = store.watches.own_thresholds()
    return {name: own for name, own in stored.items() if name not in listed} | {
        name: in_force.replace(own) for name, own in listed.items() if own
    }


SCHEMAS = {"rule": RuleRow, "rule_table": RuleTableRow}
