"""The tables of rules and thresholds, for the page about levels."""

from __future__ import annotations

from ctsync.model import Kind
from ctsync.record.rules.rules import Rule, Thresholds, describe
from docs.generators.markdown_text import code, escape, table
from docs.generators.settings_page import texts_below_fields


def rule_table() -> str:
    """Return the rules in their order; the first that fires gives the level."""
    rows = [
        (f"{code(rule.id)}<br>{rule.level}", escape(text), f"{_kinds(rule)}: {escape(when)}")
        for rule, text, when in describe(Thresholds())
    ]
    return table(("Rule, level", "What happened", "Kind of change, and condition"), rows)


def threshold_table() -> str:
    """Return the thresholds with their defaults."""
    rows = [
        (code(name), f"{Thresholds.__dataclass_fields__[name].default:g}", escape(text))
        for name, text in texts_below_fields(Thresholds).items()
    ]
    return table(("Threshold", "Default", "Effect"), rows)


def _kinds(rule: Rule) -> str:
    if len(rule.kinds) == len(Kind):
        return "every kind"
    return ", ".join(code(kind) for kind in Kind if kind in rule.kinds)
