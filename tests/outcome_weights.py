"""Fit the weights of `ctsync.record.outcomes` on rated pairs, and cross-validate them by trial.

`make weights` writes ctsync/record/outcomes/weights.py from the rated pairs of Holst et al. (PLoS
Med 2023;20(10):e1004306), which are not part of the project. Each model is a logistic regression
with a ridge penalty. A pair with several outcomes counts by its strongest one. Trials are divided
into five folds by the SHA-256 of their NCT id. The limits are chosen on scores from models that
did not see the trial; for the cross-validated figures, this is repeated inside each four folds.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ctsync.record.outcomes.compare_outcomes import (
    CHANGED,
    UNCHANGED,
    compare_outcomes,
    weighed_outcomes,
)
from ctsync.record.outcomes.pairing import pair_outcomes
from ctsync.record.outcomes.scores import (
    ADDED,
    CONSTANT,
    MODELS,
    REMOVED,
    SUBSTANCE,
    Scores,
    Weights,
    change_score,
    highest,
    scored,
)
from ctsync.record.outcomes.signs import Signs
from ctsync.record.outcomes.taxonomy import OutcomeLabel
from tests.rated_pairs import ROOT, corpus, module_of, pairs_in

TABLE = ROOT / "ctsync" / "record" / "outcomes" / "weights.py"
FOLDS = 5
RIDGE = {"outcome added": 2.0, "timing added": 3.0, "timing changed": 5.0, "measurement added": 3.0,
         "measurement changed": 5.0, "aggregation added": 3.0, "aggregation changed": 5.0,
         SUBSTANCE: 2.0}  # fmt: skip
ROUNDS = 4
# what the limits aim at, on trials that the models did not see
MOST_UNRESOLVED, MOST_FLAGGED, MOST_MISSED = 0.285, 0.095, 0.09
NEVER = 9.0
# a smaller weight is left out
LEAST = 0.05
LABELS_OF: dict[str, set[str]] = {
    ADDED: {OutcomeLabel.NEW_PRIMARY, OutcomeLabel.PRIMARY_FROM_SECONDARY},
    REMOVED: {OutcomeLabel.PRIMARY_OMITTED, OutcomeLabel.PRIMARY_TO_SECONDARY},
    **{kind: {kind} for kind in MODELS if kind not in {ADDED, REMOVED, SUBSTANCE}},
}
Floats: TypeAlias = Any  # numpy arrays; numpy is not installed where types are checked


@dataclass(frozen=True, slots=True)
class RatedPair:
    """Two states of a trial, what the raters called the change, and the signs of its outcomes."""

    id: str
    fold: int
    before: dict[str, Any]
    after: dict[str, Any]
    labels: frozenset[str]
    differs: bool
    signs: tuple[Mapping[str, Signs], ...]

    def is_kind(self, kind: str) -> bool:
        """Whether the raters saw the kind of change."""
        if kind == SUBSTANCE:
            return bool(self.labels)
        return bool(self.labels & LABELS_OF[kind])


@dataclass(frozen=True, slots=True)
class Example:
    """The outcomes of one pair, as one model sees them in one direction."""

    is_positive: bool
    outcomes: tuple[Signs, ...]


def fold_of(nct_id: str) -> int:
    """Return the fold of a trial."""
    return int(hashlib.sha256(nct_id.encode()).hexdigest(), 16) % FOLDS


def rated_pairs(folder: Path) -> list[RatedPair]:
    """Read the rated pairs and their signs."""
    return [_rated(pair) for pair in pairs_in(folder)]


def _rated(pair: Mapping[str, Any]) -> RatedPair:
    before, after = module_of(pair, "before"), module_of(pair, "after")
    pairing = pair_outcomes(before, after)
    is_scored = bool(pairing.before and pairing.after)
    return RatedPair(
        pair["id"],
        fold_of(pair["nct"]),
        before,
        after,
        frozenset(pair["labels"]),
        not pair["text_identical"],
        tuple(one.signs for one in weighed_outcomes(pairing)) if is_scored else (),
    )


def fitted(pairs: Sequence[RatedPair]) -> dict[str, dict[str, float]]:
    """Fit every model."""
    return {
        model: _fit(list(_examples(pairs, model)), RIDGE[model])
        for model in sorted(set(MODELS.values()))
    }


def _examples(pairs: Sequence[RatedPair], model: str) -> Iterable[Example]:
    for pair in pairs:
        for kind, its_model in MODELS.items():
            if its_model == model:
                outcomes = tuple(signs[kind] for signs in pair.signs if kind in signs)
                if outcomes:
                    yield Example(pair.is_kind(kind), outcomes)


def _fit(examples: list[Example], ridge: float) -> dict[str, float]:
    names = sorted({name for one in examples for signs in one.outcomes for name in signs})
    tables = [
        np.array([[1.0, *(signs.get(name, 0.0) for name in names)] for signs in one.outcomes])
        for one in examples
    ]
    found: Floats = None
    for _ in range(ROUNDS):
        rows, targets, counts = [], [], []
        for one, table in zip(examples, tables, strict=True):
            if one.is_positive:
                # the strongest outcome carries the label
                rows.append(table.mean(0) if found is None else table[np.argmax(table @ found)])
                targets.append(1.0)
                counts.append(1.0)
            else:
                rows.extend(table)
                targets.extend([0.0] * len(table))
                counts.extend([len(table) ** -0.5] * len(table))
        found = _regression(np.array(rows), np.array(targets), np.array(counts), ridge)
    return dict(zip([CONSTANT, *names], (round(float(one), 2) for one in found), strict=True))


def _regression(rows: Floats, targets: Floats, counts: Floats, ridge: float) -> Floats:
    """Return the weights of a ridge logistic regression, by Newton's method."""
    penalty = np.full(rows.shape[1], ridge)
    penalty[0] = 1e-3
    found = np.zeros(rows.shape[1])
    for _ in range(12):
        odds = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        slope = rows.T @ (counts * (odds - targets)) + penalty * found
        curve = (rows * (counts * odds * (1 - odds) + 1e-9)[:, None]).T @ rows + np.diag(penalty)
        found = found - np.linalg.solve(curve, slope)
    return found


def scores_of(pairs: Iterable[RatedPair], weights: Weights) -> dict[str, Scores]:
    """Return the highest score per kind of each pair that a rule does not decide."""
    return {
        pair.id: highest(scored(signs, weights) for signs in pair.signs)
        for pair in pairs
        if pair.signs
    }


def held_out_scores(pairs: Sequence[RatedPair]) -> dict[str, Scores]:
    """Score each pair by models fitted on the other folds."""
    scores: dict[str, Scores] = {}
    for fold in sorted({pair.fold for pair in pairs}):
        weights = fitted([pair for pair in pairs if pair.fold != fold])
        scores |= scores_of([pair for pair in pairs if pair.fold == fold], weights)
    return scores


def limits(pairs: Sequence[RatedPair], scores: Mapping[str, Scores]) -> dict[str, float]:
    """Choose the thresholds: of change, of no change, and one of each kind of change."""
    differing = [pair for pair in pairs if pair.differs]
    values = np.array([
        change_score(scores[pair.id]) if pair.id in scores
        else 50.0 if pair.labels else -50.0
        for pair in differing
    ])  # fmt: skip
    changed = np.array([bool(pair.labels) for pair in differing])
    low, high = _two_limits(values, changed)
    thresholds = {UNCHANGED: round(low, 2), CHANGED: round(high, 2)}
    firm = [
        pair for pair, value in zip(differing, values, strict=True)
        if value >= high and pair.id in scores
    ]  # fmt: skip
    missed = [pair for pair, value in zip(differing, values, strict=True) if value < low]
    for model in sorted(set(MODELS.values()) - {SUBSTANCE}):
        kinds = [kind for kind, its_model in MODELS.items() if its_model == model]
        limit = _limit(firm, missed, scores, kinds)
        thresholds |= {str(kind): round(limit, 2) for kind in kinds}
    return thresholds


def _two_limits(values: Floats, changed: Floats) -> tuple[float, float]:
    best, found = -np.inf, (0.0, 0.0)
    every = np.unique(values)
    for high in every:
        for low in every[every <= high]:
            unsure = (values >= low) & (values < high)
            if unsure.mean() > MOST_UNRESOLVED:
                continue
            hits = ((values >= high) & changed).sum()
            false = ((values >= high) & ~changed).sum()
            missed = ((values < low) & changed).sum()
            flagged = false / max((~changed & ~unsure).sum(), 1)
            merit = 2 * hits / (2 * hits + false + missed)
            merit -= 3 * max(0.0, flagged - MOST_FLAGGED)
            merit -= 3 * max(0.0, missed / changed.sum() - MOST_MISSED)
            if merit > best:
                best, found = merit, (float(low), float(high))
    return found


def _limit(
    firm: list[RatedPair],
    missed: list[RatedPair],
    scores: Mapping[str, Scores],
    kinds: list[str],
) -> float:
    """Return the threshold with the best F1, one for both directions of a kind of change."""
    found = [
        (scores[pair.id][kind], pair.is_kind(kind))
        for pair in firm for kind in kinds if kind in scores[pair.id]
    ]  # fmt: skip
    positive = sum(pair.is_kind(kind) for pair in [*firm, *missed] for kind in kinds)
    best, limit = 0.0, NEVER
    for candidate in sorted({score for score, _ in found}):
        reached = [is_kind for score, is_kind in found if score >= candidate]
        merit = 2 * sum(reached) / (len(reached) + positive)
        if merit > best:
            best, limit = merit, candidate
    return limit


def cross_validated(pairs: Sequence[RatedPair]) -> dict[str, list[str]]:
    """Predict each trial by weights and limits that were chosen without it."""
    found = {}
    for fold in range(FOLDS):
        rest = [pair for pair in pairs if pair.fold != fold]
        weights, thresholds = fitted(rest), limits(rest, held_out_scores(rest))
        for pair in (pair for pair in pairs if pair.fold == fold):
            comparison = compare_outcomes(
                pair.before, pair.after, weights=weights, thresholds=thresholds
            )
            found[pair.id] = sorted(map(str, comparison.labels))
    return found


def table(weights: Weights, thresholds: Mapping[str, float]) -> str:
    """Return the source of weights.py."""
    lines = [
        '"""Weights of the signs, fitted by tests/outcome_weights.py (`make weights`). Data only.',
        "",
        "Fitted on the ratings of Holst et al., PLoS Med 2023;20(10):e1004306: 648 pairs of",
        "primary outcomes of 280 trials. A sign without a weight counts nothing. Do not edit it.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "# log odds from which a kind of change is reported, and the limits of `unresolved`",
        "THRESHOLDS: dict[str, float] = {",
        *(f'    "{name}": {value},' for name, value in sorted(thresholds.items())),
        "}",
        "",
        "WEIGHTS: dict[str, dict[str, float]] = {",
    ]
    for model, weight_of in sorted(weights.items()):
        entries = sorted(weight_of.items(), key=lambda item: (item[0] != CONSTANT, item[0]))
        lines += [
            f'    "{model}": {{',
            *(
                f'        "{name}": {value},'
                for name, value in entries
                if name == CONSTANT or abs(value) >= 0.05
            ),
            "    },",
        ]
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Write weights.py."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    folder = corpus()
    if folder is None:
        print("skipped: the rated pairs are not in ../shared/corpus; set CTSYNC_CORPUS")
        return 0
    pairs = rated_pairs(folder)
    weights, thresholds = fitted(pairs), limits(pairs, held_out_scores(pairs))
    TABLE.write_text(table(weights, thresholds), encoding="utf-8")
    count = sum(len(weight_of) for weight_of in weights.values())
    print(f"{TABLE.relative_to(ROOT)}: {count} weights from {len(pairs)} pairs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
