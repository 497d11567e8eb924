"""The figures of docs/levels.md are those of the real records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ctsync.record.rules.presets import Preset
from tests.docs.test_levels import PAGE, ROW
from tests.rule_rates import loads, preset_lines, rates_of, tabulated

COUNT = re.compile(r"(?:([\d.]+) \((\d+) of (\d+)\)|0 \(of (\d+)\))\Z")


@pytest.mark.slow
def test_the_figures_are_those_of_the_corpus(corpus: Path) -> None:
    found = [rates_of(tabulated(corpus)), rates_of(loads(corpus))]
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
def test_the_lines_of_each_preset_are_those_of_the_corpus(corpus: Path) -> None:
    wrong = [
        f"{preset}: {lines}"
        for preset, lines in preset_lines(corpus)
        if f"| {f'`{preset}`' if preset in list(Preset) else preset} | {lines} |" not in PAGE
    ]
    assert wrong == []
