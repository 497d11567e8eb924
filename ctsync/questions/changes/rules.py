"""The rows of the rule table, from which each change gets its level; pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ctsync.model import Kind, Level
from ctsync.record.rules.rules import RULES_VERSION, Thresholds, describe


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: the level of each change that meets its conditions."""

    id: str
    """The id of the rule, which each change carries."""
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
