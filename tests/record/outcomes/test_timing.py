from __future__ import annotations

import pytest

from ctsync.record.outcomes.timing import missing_points, normal_numbers, times_of


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("6 weeks after transplantation", {42}),
        ("up to day 42", {42}),
        ("at three years", {1095}),
        ("twelve-month rate", {364.8}),
        ("at 3, 6 and 12 months", {91.2, 182.4, 364.8}),
        ("weeks 9-12", {63, 84}),
        ("week 9 through week 12", {63, 84}),
        ("48h post or discharge", {2}),
        ("6-8 months", {182.4, 243.2}),
        ("1,5 years", {547.5}),
        ("every 8 weeks", set()),
        ("6-minute walk test", set()),
        ("forced expiratory volume in one second", set()),
        ("50 mg/ml", set()),
        ("", set()),
    ],
)
def test_times_are_read_in_days(text: str, points: set[float]) -> None:
    assert sorted(times_of(normal_numbers(text)).points) == pytest.approx(sorted(points))


def test_a_time_is_taken_out_of_the_other_words() -> None:
    found = times_of("mortality at 28 days, assessed every 7 days until june 2010")
    assert found.rest.split() == ["mortality", "at", ",", "assessed", "until"]
    assert found.periods == {"every 7 days"}
    assert found.dates == {"jun 2010"}


@pytest.mark.parametrize(
    ("one", "other"), [("42 days", "6 weeks"), ("52 weeks", "1 year"), ("3 months", "90 days")]
)
def test_the_same_time_in_another_unit_is_not_missing(one: str, other: str) -> None:
    first, second = times_of(one).points, times_of(other).points
    assert missing_points(first, second) == missing_points(second, first) == []


def test_another_time_is_missing() -> None:
    assert missing_points(times_of("12 months").points, times_of("6 months").points) == [364.8]
