"""Scores of a change: the weighted signs, one score per kind of change.

A score is the log odds that raters call it that kind. What is omitted in one direction scores as
what is added in the other, so that the comparison reads the same both ways. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import exp, log

from ctsync.record.outcomes import signs
from ctsync.record.outcomes.pairing import Kept, Left
from ctsync.record.outcomes.signs import Signs
from ctsync.record.outcomes.taxonomy import OutcomeLabel

Scores = dict[str, float]
Weights = Mapping[str, Mapping[str, float]]

CONSTANT = "constant"
SUBSTANCE = "substance"
ADDED, REMOVED = "added", "removed"
# the kinds of change, with the model that scores each
MODELS = {
    ADDED: "outcome added",
    REMOVED: "outcome added",
    OutcomeLabel.ADDED_TIMING: "timing added",
    OutcomeLabel.OMITTED_TIMING: "timing added",
    OutcomeLabel.CHANGE_TIMING: "timing changed",
    OutcomeLabel.ADDED_MEASUREMENT: "measurement added",
    OutcomeLabel.OMITTED_MEASUREMENT: "measurement added",
    OutcomeLabel.CHANGE_MEASUREMENT: "measurement changed",
    OutcomeLabel.ADDED_AGGREGATION: "aggregation added",
    OutcomeLabel.OMITTED_AGGREGATION: "aggregation added",
    OutcomeLabel.CHANGE_AGGREGATION: "aggregation changed",
    SUBSTANCE: SUBSTANCE,
}
_MOST = 30.0


def signs_of_kept(kept: Kept) -> dict[str, Signs]:
    """Return the signs of a kept outcome, by kind of change."""
    there, back = kept.relation, kept.relation.reversed()
    measurement = signs.measurement_signs(there), signs.measurement_signs(back)
    aggregation = signs.aggregation_signs(there), signs.aggregation_signs(back)
    timing = signs.timing_signs(there), signs.timing_signs(back)
    replacement = signs.replacement_signs(kept), signs.replacement_signs(kept.reversed())
    either = {
        "measurement": signs.both_ways(*measurement),
        "aggregation": signs.both_ways(*aggregation),
        "timing": signs.both_ways(*timing) | signs.time_change_signs(there),
        "replacement": signs.both_ways(*replacement),
    }
    return {
        ADDED: replacement[0],
        REMOVED: replacement[1],
        OutcomeLabel.ADDED_TIMING: timing[0],
        OutcomeLabel.OMITTED_TIMING: timing[1],
        OutcomeLabel.CHANGE_TIMING: either["timing"],
        OutcomeLabel.ADDED_MEASUREMENT: measurement[0],
        OutcomeLabel.OMITTED_MEASUREMENT: measurement[1],
        OutcomeLabel.CHANGE_MEASUREMENT: either["measurement"],
        OutcomeLabel.ADDED_AGGREGATION: aggregation[0],
        OutcomeLabel.OMITTED_AGGREGATION: aggregation[1],
        OutcomeLabel.CHANGE_AGGREGATION: either["aggregation"],
        SUBSTANCE: {
            _full_name(part, name): value
            for part, found in either.items()
            for name, value in found.items()
        },
    }


@lru_cache(maxsize=512)
def _full_name(part: str, name: str) -> str:
    return f"{part}: {name}"


def signs_of_left(left: Left, kind: str) -> dict[str, Signs]:
    """Return the signs of an outcome without a counterpart; `kind` is added or removed."""
    found = signs.arrival_signs(left)
    return {kind: found, SUBSTANCE: found}


def scored(found: Mapping[str, Signs], weights: Weights) -> Scores:
    """Weigh the signs of one outcome."""
    scores = {}
    for kind, values in found.items():
        weight_of = weights[MODELS[kind]]
        score = weight_of[CONSTANT]
        for name, value in values.items():
            if value:
                score += value * weight_of.get(name, 0.0)
        scores[kind] = score
    return scores


def highest(scores: Iterable[Scores]) -> Scores:
    """Return the highest score of each kind over several outcomes."""
    top: Scores = {}
    for one in scores:
        for kind, score in one.items():
            top[kind] = max(score, top.get(kind, score))
    return top


def change_score(scores: Scores) -> float:
    """Return the log odds that anything changed in substance.

    The mean of two estimates: the model of substance, and that at least one kind of change holds
    if each is independent of the others.
    """
    none = 1.0
    for kind in sorted(scores):
        if kind != SUBSTANCE:
            none *= 1 - _probability(scores[kind])
    independent = log((1 - none + 1e-9) / (none + 1e-9))
    return (independent + scores.get(SUBSTANCE, -_MOST)) / 2


def _probability(score: float) -> float:
    return 1 / (1 + exp(-max(-_MOST, min(_MOST, score))))
