"""The page docs/levels.md agrees with the rules, the presets and the base rates."""

import re
from pathlib import Path

from ctsync.record.context import PUBLISHED_RATES
from ctsync.record.rules.presets import Preset
from ctsync.record.rules.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "levels.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (R-\w{3}-\d\d) \| (\w+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_each_rule_has_one_row_with_its_level_and_a_reason() -> None:
    rows = [(found[1], found[2]) for found in ROW.finditer(PAGE)]
    assert rows == [(rule.id, rule.level.value) for rule in RULES]
    print(f"levels: {len(rows)} of {len(RULES)} rules have a row")


def test_each_preset_has_a_row() -> None:
    assert all(f"| `{preset}` |" in PAGE for preset in Preset)


def test_each_counted_base_rate_is_on_the_page() -> None:
    stops = [
        rate
        for rates in PUBLISHED_RATES.values()
        for rate in rates
        if rate.source.startswith("ctcovidstop")
    ]
    missing = [
        rate for rate in stops if f"{rate.count:,} of {rate.n:,} ({rate.percent} %)" not in PAGE
    ]
    assert missing == []
