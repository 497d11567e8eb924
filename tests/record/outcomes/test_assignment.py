from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.record.outcomes.assignment import best_assignment

GAIN = st.integers(-3, 10).map(lambda tenths: tenths / 10)
TABLES = st.integers(0, 3).flatmap(
    lambda columns: st.lists(st.lists(GAIN, min_size=columns, max_size=columns), max_size=3)
)


def best_by_trying(gains: list[list[float]]) -> float:
    """The largest total over all orders of columns, each with rows left out at will."""
    columns = [*range(len(gains[0]) if gains else 0)]
    padded = columns + [-1] * len(gains)
    return max(
        sum(
            max(row[column], 0.0) if column >= 0 else 0.0
            for row, column in zip(gains, order, strict=False)
        )
        for order in permutations(padded, len(gains))
    )


@settings(max_examples=40)
@given(TABLES)
def test_no_other_assignment_gains_more(gains: list[list[float]]) -> None:
    pairs = best_assignment(gains)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(gains[row][column] > 0 for row, column in pairs)
    total = sum(gains[row][column] for row, column in pairs)
    assert abs(total - best_by_trying(gains)) < 1e-9


def test_the_sum_counts_and_not_the_best_single_pair() -> None:
    assert best_assignment([[0.9, 0.8], [0.8, 0.1]]) == [(0, 1), (1, 0)]
