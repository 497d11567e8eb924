"""Laws of the comparison of outcomes, for made-up texts."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctsync.record.outcomes import OutcomeLabel, compare_outcomes

WORDS = ("pain score", "HbA1c", "overall survival", "FEV1", "adverse events", "graft function",
         "body weight", "blood pressure", "walking distance", "quality of life")  # fmt: skip
MEASURES = st.builds(
    lambda start, name, end: f"{start}{name}{end}",
    st.sampled_from(("", "Change in ", "Number of participants with ", "Mean ")),
    st.sampled_from(WORDS),
    st.sampled_from(("", " by MRI", " (mL)", " from baseline", " of 50 or more")),
)
TIMES = st.builds(
    lambda count, unit: f"{count} {unit}",
    st.integers(1, 60),
    st.sampled_from(("days", "weeks", "months", "hours", "years")),
)
OUTCOMES = st.fixed_dictionaries(
    {"measure": MEASURES},
    optional={
        "timeFrame": TIMES,
        "description": st.sampled_from(
            ("Assessed by an independent reader.", "Defined as death from any cause.")
        ),
    },
)
LISTS = st.lists(OUTCOMES, max_size=4)
MODULES = st.fixed_dictionaries(
    {"primaryOutcomes": LISTS}, optional={"secondaryOutcomes": LISTS, "otherOutcomes": LISTS}
)
ANY_TEXT = st.one_of(st.text(max_size=30), st.none(), st.integers())
ANY_OUTCOME = st.builds(
    lambda *texts: dict(zip(("measure", "timeFrame", "description"), texts, strict=True)),
    *(ANY_TEXT for _ in range(3)),
)
ANY_LIST = st.lists(ANY_OUTCOME, max_size=2)
SWAPPED = {
    "new_primary": "primary_omitted",
    "primary_from_secondary": "primary_to_secondary",
    **{f"added_{part}": f"omitted_{part}" for part in ("measurement", "timing", "aggregation")},
}
# the last two of each can be paired in two ways that are equally good
TIED_BEFORE = {
    "primaryOutcomes": [
        {"measure": "pain score"},
        {"measure": "pain score by MRI"},
        {"measure": "overall survival", "timeFrame": "1 days"},
    ]
}
TIED_AFTER = {
    "primaryOutcomes": [
        {"measure": "pain score"},
        {"measure": "HbA1c"},
        {"measure": "Number of participants with HbA1c"},
    ]
}
SWAPPED |= {after: before for before, after in SWAPPED.items()}


def swapped(labels: frozenset[OutcomeLabel]) -> frozenset[str]:
    return frozenset(SWAPPED.get(label, label) for label in labels)


def turned(module: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {key: entries[::-1] for key, entries in module.items()}


@settings(max_examples=20)
@given(MODULES)
def test_identical_outcomes_have_no_label(module: dict[str, list[Any]]) -> None:
    found = compare_outcomes(module, turned(module))
    assert found.labels == set()
    assert found.changes == ()


@settings(max_examples=20)
@given(MODULES, MODULES)
def test_the_order_of_the_lists_does_not_matter(
    before: dict[str, list[Any]], after: dict[str, list[Any]]
) -> None:
    assert compare_outcomes(before, after) == compare_outcomes(turned(before), turned(after))


@settings(max_examples=20)
@given(MODULES, MODULES)
@example(TIED_BEFORE, TIED_AFTER)
def test_exchanging_the_sides_exchanges_added_and_omitted(
    before: dict[str, list[Any]], after: dict[str, list[Any]]
) -> None:
    there, back = compare_outcomes(before, after), compare_outcomes(after, before)
    assert back.labels == swapped(there.labels)


@settings(max_examples=20)
@given(MEASURES, TIMES)
def test_a_time_that_moves_into_the_measure_has_no_label(measure: str, time: str) -> None:
    before = {"primaryOutcomes": [{"measure": measure, "timeFrame": time}]}
    after = {"primaryOutcomes": [{"measure": f"{measure} at {time}"}]}
    assert compare_outcomes(before, after).labels == set()
    assert compare_outcomes(after, before).labels == set()


@settings(max_examples=20)
@given(ANY_LIST, ANY_LIST)
def test_any_text_is_compared(before: list[Any], after: list[Any]) -> None:
    labels = compare_outcomes({"primaryOutcomes": before}, {"primaryOutcomes": after}).labels
    assert labels <= frozenset(OutcomeLabel)
    assert "unresolved" not in labels or labels == {"unresolved"}


def test_modules_without_lists_are_equal() -> None:
    assert compare_outcomes({}, {"primaryOutcomes": None}).labels == set()
