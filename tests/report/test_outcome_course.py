"""What each version did to the outcome measures of a trial."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from ctsync.report.trial.outcome_course import OutcomeLine, OutcomeStep, outcome_course

SURVIVAL = {"measure": "Overall survival", "timeFrame": "12 months"}
PAIN = {"measure": "Change of pain on the visual analogue scale", "timeFrame": "6 weeks"}
SAFETY = {"measure": "Number of serious adverse events", "timeFrame": "1 year"}


def module(primary: list[Any], secondary: list[Any] | None = None) -> dict[str, Any]:
    return {"primaryOutcomes": primary, "secondaryOutcomes": secondary or []}


def course(*modules: dict[str, Any], stage: str = "") -> list[tuple[OutcomeLine, list[str]]]:
    """Return each outcome with the words of its notes; version 1 is of January, 2 of February."""
    steps = [
        OutcomeStep(n + 1, date(2021, n + 1, 1), before, after, stage)
        for n, (before, after) in enumerate(itertools.pairwise(modules), 1)
    ]
    return [
        (line, [note.words for note in line.notes]) for line in outcome_course(modules[-1], steps)
    ]


def test_an_outcome_that_no_version_changed_has_no_note() -> None:
    ((line, words),) = course(module([SURVIVAL]))

    assert (line.rank, line.measure, line.time_frame) == (
        "primary",
        "Overall survival",
        "12 months",
    )
    assert words == []


def test_each_change_of_a_time_frame_is_a_note_with_its_version_and_stage() -> None:
    shorter = SURVIVAL | {"timeFrame": "6 months"}
    shortest = SURVIVAL | {"timeFrame": "3 months"}
    ((line, words),) = course(
        module([SURVIVAL]), module([shorter]), module([shortest]), stage="while recruiting"
    )

    assert words == [
        "time frame 12 months → 6 months; in substance: change timing",
        "time frame 6 months → 3 months; in substance: change timing",
    ]
    assert [(note.version, f"{note.day}", note.stage) for note in line.notes] == [
        (2, "2021-02-01", "while recruiting"),
        (3, "2021-03-01", "while recruiting"),
    ]


def test_an_outcome_keeps_its_notes_when_others_come_before_it() -> None:
    edited = SAFETY | {"timeFrame": "2 years"}
    found = course(
        module([SURVIVAL], [SAFETY]),
        module([SURVIVAL], [edited]),
        module([SURVIVAL], [PAIN, edited]),
    )

    assert {line.measure: words for line, words in found} == {
        "Overall survival": [],
        "Change of pain on the visual analogue scale": ["added as secondary"],
        "Number of serious adverse events": ["time frame 1 year → 2 years"],
    }


def test_a_removed_outcome_stays_with_what_was_done_to_it() -> None:
    found = course(module([SURVIVAL], [SAFETY]), module([SURVIVAL]))

    line, words = found[-1]
    assert line.is_removed
    assert (line.measure, words) == ("Number of serious adverse events", ["removed (secondary)"])


def test_a_promoted_outcome_is_one_outcome() -> None:
    found = course(module([SURVIVAL], [SAFETY]), module([SURVIVAL, SAFETY]))

    assert [line.measure for line, _ in found] == [
        "Overall survival",
        "Number of serious adverse events",
    ]
    assert found[1][1][0].startswith("promoted from secondary to primary")


def test_a_reworded_secondary_outcome_shows_its_earlier_words() -> None:
    reworded = SAFETY | {"measure": "Number of all serious adverse events"}
    found = course(module([SURVIVAL], [SAFETY]), module([SURVIVAL], [reworded]))

    assert found[1][1] == ['measure was "Number of serious adverse events"']


def test_malformed_outcomes_are_left_out() -> None:
    found = course(
        {"primaryOutcomes": "none", "secondaryOutcomes": [None, 3]},
        module([{"timeFrame": "1 year"}]),
    )

    assert [line.measure for line, _ in found] == ["no name"]
