"""The cost of comparing outcomes, beside the comparison of the same texts word by word."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ctsync.record.compare.text_diff import word_diff
from ctsync.record.outcomes import compare_outcomes
from tests.rated_pairs import corpus, module_of, pairs_in

pytestmark = pytest.mark.bench
Module = dict[str, list[dict[str, str]]]


def every_text(module: Module) -> str:
    """The texts of all outcomes of a record."""
    return "\n".join(
        str(outcome.get(key) or "")
        for outcomes in module.values()
        for outcome in outcomes
        for key in ("measure", "timeFrame", "description")
    )


def cpu_seconds(
    work: Callable[[list[tuple[Module, Module]]], None], pairs: list[tuple[Module, Module]]
) -> float:
    """Return the least processor time of a few rounds: other work on the machine counts less."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work(pairs)
        best = min(best, time.process_time() - began)
    return best


def compare_all(pairs: list[tuple[Module, Module]]) -> None:
    for before, after in pairs:
        compare_outcomes(before, after)


def word_diff_all(pairs: list[tuple[Module, Module]]) -> None:
    for before, after in pairs:
        word_diff(every_text(before), every_text(after))


def test_the_speed_of_comparing_outcomes_beside_a_word_diff() -> None:
    folder = corpus()
    if folder is None:
        pytest.skip("the rated pairs are not in ../shared/corpus; set CTSYNC_CORPUS")
    pairs = [(module_of(pair, "before"), module_of(pair, "after")) for pair in pairs_in(folder)]
    ours, theirs = cpu_seconds(compare_all, pairs), cpu_seconds(word_diff_all, pairs)
    print(
        f"\noutcomes: {len(pairs)} rated pairs, mean {ours / len(pairs) * 1e3:.2f} ms "
        f"({len(pairs) / ours:,.0f} pairs/s per core); a word diff of the same texts "
        f"{theirs / len(pairs) * 1e3:.2f} ms ({ours / theirs:.1f} times)"
    )
