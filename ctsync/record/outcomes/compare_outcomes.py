"""Compare the primary outcomes of two states of a trial.

The order: pair the outcomes over all lists, weigh the signs of each one that differs, decide
whether anything changed in substance, then say what. Between two limits the texts do not decide
it, and the verdict is `unresolved`. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ctsync.record.outcomes.pairing import Kept, Left, Pairing, pair_outcomes
from ctsync.record.outcomes.scores import (
    ADDED,
    REMOVED,
    Scores,
    Weights,
    change_score,
    highest,
    scored,
    signs_of_kept,
    signs_of_left,
)
from ctsync.record.outcomes.signs import Signs
from ctsync.record.outcomes.taxonomy import (
    MAJOR,
    OutcomeChange,
    OutcomeComparison,
    OutcomeLabel,
)
from ctsync.record.outcomes.verdicts import (
    arrived_verdict,
    certain_kinds,
    departed_verdict,
    kept_verdict,
    labels_of,
    unresolved,
)
from ctsync.record.outcomes.weights import THRESHOLDS, WEIGHTS

CHANGED, UNCHANGED = "changed", "unchanged"


@dataclass(frozen=True, slots=True)
class WeighedOutcome:
    """A primary outcome that differs, with its signs by kind of change."""

    outcome: Kept | Left
    kind: str
    signs: Mapping[str, Signs]


def compare_outcomes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    weights: Weights = WEIGHTS,
    thresholds: Mapping[str, float] = THRESHOLDS,
) -> OutcomeComparison:
    """Compare the primary outcomes of two `outcomesModule` objects.

    The lists `primaryOutcomes`, `secondaryOutcomes` and `otherOutcomes` have objects with
    `measure`, `timeFrame` and `description`. Lists may be absent; without the secondary ones no
    promotion or demotion can be seen. The changes are those of primary outcomes, and of outcomes
    that became or ceased to be primary.
    """
    pairing = pair_outcomes(before, after)
    if not (pairing.kept or pairing.come or pairing.gone):
        return OutcomeComparison()
    if not pairing.before or not pairing.after:
        return _first_or_none(pairing)
    weighed = weighed_outcomes(pairing)
    wording = [
        _doubted(kept_verdict(kept, frozenset(), None), kept) for kept in _wording_only(pairing)
    ]
    verdicts = _verdicts(weighed, weights, thresholds)
    changes = sorted([*verdicts, *wording], key=_order)
    return OutcomeComparison(tuple(changes), _labels(changes))


def weighed_outcomes(pairing: Pairing) -> list[WeighedOutcome]:
    """Return the outcomes that a rule does not decide, with their signs."""
    return [
        *(
            WeighedOutcome(kept, "kept", signs_of_kept(kept))
            for kept in pairing.kept
            if not kept.relation.is_wording_only
        ),
        *(WeighedOutcome(left, ADDED, signs_of_left(left, ADDED)) for left in pairing.come),
        *(WeighedOutcome(left, REMOVED, signs_of_left(left, REMOVED)) for left in pairing.gone),
    ]


def _wording_only(pairing: Pairing) -> Iterator[Kept]:
    return (kept for kept in pairing.kept if kept.relation.is_wording_only)


def _first_or_none(pairing: Pairing) -> OutcomeComparison:
    """Without primary outcomes on one side, each of the other side is new or gone."""
    changes = [
        *(arrived_verdict(left, is_new=True, score=None) for left in pairing.come),
        *(departed_verdict(left, is_gone=True, score=None) for left in pairing.gone),
    ]
    return OutcomeComparison(tuple(sorted(changes, key=_order)), _labels(changes))


def _verdicts(
    weighed: list[WeighedOutcome], weights: Weights, thresholds: Mapping[str, float]
) -> list[OutcomeChange]:
    scores = [scored(one.signs, weights) for one in weighed]
    both = list(zip(weighed, scores, strict=True))
    top = highest(scores)
    score = change_score(top) if top else thresholds[UNCHANGED] - 1
    wanted: frozenset[str] = frozenset()
    if score >= thresholds[CHANGED]:
        wanted = labels_of(top, thresholds, at_least_one=True)
    is_unsure = thresholds[UNCHANGED] <= score < thresholds[CHANGED]
    verdicts = []
    for one, found in both:
        certain = certain_kinds(one.outcome) if isinstance(one.outcome, Kept) else frozenset()
        reached = frozenset(
            kind
            for kind in wanted
            if kind in found and (found[kind] >= thresholds[kind] or found[kind] == top[kind])
        )
        verdict = _verdict(one, reached | certain, found)
        verdicts.append(unresolved(verdict, found) if is_unsure and not certain else verdict)
    return verdicts


def _verdict(one: WeighedOutcome, kinds: frozenset[str], scores: Scores) -> OutcomeChange:
    outcome, score = one.outcome, change_score(scores)
    if isinstance(outcome, Kept):
        return _doubted(kept_verdict(outcome, kinds, score), outcome)
    if one.kind == ADDED:
        return arrived_verdict(outcome, is_new=ADDED in kinds, score=score)
    return departed_verdict(outcome, is_gone=REMOVED in kinds, score=score)


def _doubted(verdict: OutcomeChange, kept: Kept) -> OutcomeChange:
    """Return a verdict of wording only as unresolved if fillers may change the measure."""
    relation = kept.relation
    if verdict.is_cosmetic and (relation.has_opposite_measure or relation.has_other_qualifier):
        return unresolved(verdict, {OutcomeLabel.CHANGE_MEASUREMENT: 0.0})
    return verdict


def _labels(changes: list[OutcomeChange]) -> frozenset[OutcomeLabel]:
    found = frozenset(label for change in changes for label in change.labels)
    firm = found - {OutcomeLabel.UNRESOLVED}
    return firm or found


def _order(change: OutcomeChange) -> tuple[bool, bool, str, str, str]:
    is_major = bool(change.labels & MAJOR)
    return (
        not is_major,
        change.is_cosmetic,
        change.before or "",
        change.after or "",
        change.reason,
    )
