"""The page docs/levels.md agrees with the rules, the presets and the base rates."""

import os
import re
from pathlib import Path

import pytest

from ctsync.record.context import PUBLISHED_RATES
from ctsync.record.rules.presets import Preset
from ctsync.record.rules.rules import RULES
from tests.rule_rates import loads, preset_lines, rates_of, tabulated

PAGE = (Path(__file__).parents[2] / "docs" / "levels.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (R-\w{3}-\d\d) \| (\w+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
COUNT = re.compile(r"(?:([\d.]+) \((\d+) of (\d+)\)|0 \(of (\d+)\))\Z")


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


@pytest.mark.slow
def test_the_figures_are_those_of_the_corpus() -> None:
    folder = os.environ.get("CTSYNC_CORPUS")
    if folder is None:
        pytest.skip("set CTSYNC_CORPUS to the corpus of real records")
    found = [rates_of(tabulated(Path(folder))), rates_of(loads(Path(folder)))]
    wrong = []
    for row in ROW.finditer(PAGE):
        if row[4] == "-":
            continue
        count = COUNT.match(row[4])
        assert count, row[0]
        steps = int(count[3] or count[4])
        (rates,) = [one for one in found if one.steps == steps]
        if rates.versions[row[1]] != int(count[2] or 0):
            wrong.append(f"{row[1]}: {row[4]}, now {rates.versions[row[1]]}")
        elif count[1] and f"{rates.per_thousand(row[1]):.1f}" != count[1]:
            wrong.append(f"{row[1]}: {row[4]}")
    assert wrong == []


@pytest.mark.slow
def test_the_lines_of_each_preset_are_those_of_the_corpus() -> None:
    folder = os.environ.get("CTSYNC_CORPUS")
    if folder is None:
        pytest.skip("set CTSYNC_CORPUS to the corpus of real records")
    wrong = [
        f"{preset}: {lines}"
        for preset, lines in preset_lines(Path(folder))
        if f"| {f'`{preset}`' if preset in list(Preset) else preset} | {lines} |" not in PAGE
    ]
    assert wrong == []
