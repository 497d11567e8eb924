"""The rule table: readable texts, and a level for every event."""

import itertools
from string import Formatter

import pytest

from ctsync.model import Kind, Level
from ctsync.record.rules.rules import (
    RULES,
    RuleCondition,
    Thresholds,
    assign,
    describe,
)

RELATIONS = {"is", "is not", "in", "below", "not below", "at least", "not at least"}


def test_rule_ids_are_unique_and_well_formed():
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(len(i) == 8 and i.startswith("R-") and i[6:].isdigit() for i in ids)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_event_kind_has_a_rule_that_always_fires(kind):
    rule_id, level = assign(kind, {}, Thresholds())
    assert level in Level
    own = [rule for rule in RULES if kind in rule.kinds]
    assert own[-1].when == () or kind is Kind.STATUS
    assert rule_id in {rule.id for rule in own}


def test_every_condition_has_a_known_relation_and_every_threshold_is_used():
    conditions = list(itertools.chain.from_iterable(rule.when for rule in RULES))
    assert {c.relation for c in conditions} <= RELATIONS
    compared = {c.value for c in conditions if c.relation.endswith(("below", "at least"))}
    of_runs = {"reprocessing_share_percent", "reprocessing_trials"}
    assert compared == set(Thresholds.__dataclass_fields__) - of_runs


def test_the_text_of_a_rule_shows_the_given_thresholds():
    given = Thresholds().replace({"enrollment_below_target_percent": 70})
    described = {rule.id: (says, when) for rule, says, when in describe(given)}
    assert described["R-ENR-02"][0] == "actual enrollment below 70 % of the last target"
    assert "below 70 (enrollment_below_target_percent)" in described["R-ENR-02"][1]
    assert described["R-ADM-01"] == ("contacts and officials", "always")
    named = {name for rule in RULES for _, name, *_ in Formatter().parse(rule.says) if name}
    assert named <= set(Thresholds.__dataclass_fields__)


def test_an_unknown_threshold_is_refused():
    with pytest.raises(ValueError, match="slip_days"):
        Thresholds().replace({"slip_days": 1})


@pytest.mark.parametrize(
    ("relation", "value", "found", "holds"),
    [
        ("below", "slip_notable_days", 89.9, True),
        ("below", "slip_notable_days", 90, False),
        ("not below", "slip_notable_days", 90, True),
        ("at least", "slip_notable_days", 90, True),
        ("not at least", "slip_notable_days", 89, True),
        ("below", "slip_notable_days", None, False),
        ("at least", "slip_notable_days", None, False),
        ("not below", "slip_notable_days", None, True),
        ("not at least", "slip_notable_days", None, True),
        ("at least", "slip_notable_days", "90", False),
        ("is", "x", "x", True),
        ("is", "x", None, False),
        ("is not", "x", None, True),
        ("in", ("x", "y"), "y", True),
        ("in", ("x", "y"), None, False),
    ],
)
def test_each_relation_compares_an_input_with_its_value(relation, value, found, holds):
    condition = RuleCondition("input", relation, value)
    assert condition.holds({"input": found}, Thresholds()) is holds
    if found is None:
        assert condition.holds({}, Thresholds()) is holds
