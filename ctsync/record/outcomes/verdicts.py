"""The verdict on each primary outcome that differs, with its reason in words.

Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ctsync.record.compare.text_diff import normal_form
from ctsync.record.outcomes.instruments import exchanged_instruments
from ctsync.record.outcomes.likeness import Relation
from ctsync.record.outcomes.outcome_text import OutcomeText
from ctsync.record.outcomes.pairing import Kept, Left
from ctsync.record.outcomes.scores import ADDED, REMOVED, SUBSTANCE, Scores
from ctsync.record.outcomes.signs import new_units
from ctsync.record.outcomes.taxonomy import OutcomeChange, OutcomeLabel
from ctsync.record.outcomes.timing import with_digits
from ctsync.record.outcomes.vocabulary import stem
from ctsync.text import shorten

_SAME_ELSEWHERE = 0.6
_PART_ELSEWHERE = 0.99
_NAME_WIDTH = 80
_FRAME_WIDTH = 60
_MOST_WORDS = 6
_MAYBE = -3.0
_WORD = re.compile(r"\w+")


def labels_of(
    scores: Scores, thresholds: Mapping[str, float], *, at_least_one: bool = False
) -> frozenset[str]:
    """Return the kinds whose score reaches its threshold; with `at_least_one`, the nearest."""
    margins = {
        kind: score - thresholds[kind] for kind, score in scores.items() if kind != SUBSTANCE
    }
    reached = frozenset(kind for kind, margin in margins.items() if margin >= 0)
    if reached or not at_least_one or not margins:
        return reached
    nearest = max(margins.values())
    return frozenset(kind for kind, margin in margins.items() if margin == nearest)


def certain_kinds(kept: Kept) -> frozenset[str]:
    """Return the kinds of change that a rule decides, whatever the scores."""
    relation = kept.relation
    before, after = relation.before, relation.after
    kinds: set[str] = set()
    if exchanged_instruments(before, after) or relation.has_other_bound:
        kinds.add(OutcomeLabel.CHANGE_MEASUREMENT)
    if relation.has_other_frame_number:
        kinds.add(OutcomeLabel.CHANGE_TIMING)
    for kind, one in (
        (OutcomeLabel.ADDED_AGGREGATION, relation),
        (OutcomeLabel.OMITTED_AGGREGATION, relation.reversed()),
    ):
        # both the metric and its unit are new, and the measure is otherwise the same
        says_nothing = not one.before.metrics and "change" not in one.before.bag
        units = new_units(one) - {"point", "points"}
        if one.extension and says_nothing and units and one.after.metrics:
            kinds.add(kind)
    return frozenset(kinds)


def kept_verdict(kept: Kept, kinds: frozenset[str], score: float | None) -> OutcomeChange:
    """Return the verdict on an outcome that stayed primary."""
    labels, reasons = set(), []
    kinds = _without_details(kept.relation, kinds)
    for kind in sorted(kinds):
        if kind == ADDED:
            is_known = kept.come_elsewhere >= _SAME_ELSEWHERE or (
                kept.new_elsewhere >= _PART_ELSEWHERE
            )
            labels.add(_arrived(is_known=is_known))
        elif kind == REMOVED:
            is_known = kept.gone_elsewhere >= _SAME_ELSEWHERE or (
                kept.lost_elsewhere >= _PART_ELSEWHERE
            )
            labels.add(_departed(is_known=is_known))
        else:
            labels.add(OutcomeLabel(kind))
            reasons.append(_detail(OutcomeLabel(kind), kept.relation))
    if kinds & {ADDED, REMOVED}:
        reasons.insert(0, _replacement(kinds, labels, kept.relation))
    reason = "; ".join(reasons) if labels else _wording(kept.relation)
    return _change(labels, reason, kept.relation.before, kept.relation.after, score=score)


def _without_details(relation: Relation, kinds: frozenset[str]) -> frozenset[str]:
    """Return the kinds, without details of the measurement if another outcome took its place."""
    major = frozenset({ADDED, REMOVED})
    if kinds & major and not relation.before.words & relation.after.words:
        kinds |= major
    if not major <= kinds:
        return kinds
    return frozenset(kind for kind in kinds if kind in major or kind.endswith("timing"))


def arrived_verdict(left: Left, *, is_new: bool, score: float | None) -> OutcomeChange:
    """Return the verdict on a primary outcome that has no counterpart before."""
    other = left.elsewhere.before if left.elsewhere else None
    if not is_new:
        return _change(set(), "split from a primary outcome", None, left.outcome, score=score)
    known = other if left.elsewhere and left.elsewhere.likeness >= _SAME_ELSEWHERE else None
    reason = "secondary outcome before, primary now" if known else "new primary outcome"
    return _change({_arrived(is_known=known is not None)}, reason, known, left.outcome, score=score)


def departed_verdict(left: Left, *, is_gone: bool, score: float | None) -> OutcomeChange:
    """Return the verdict on a primary outcome that has no counterpart after."""
    other = left.elsewhere.after if left.elsewhere else None
    if not is_gone:
        return _change(set(), "merged into a primary outcome", left.outcome, None, score=score)
    known = other if left.elsewhere and left.elsewhere.likeness >= _SAME_ELSEWHERE else None
    reason = "primary outcome before, secondary now" if known else "primary outcome dropped"
    return _change(
        {_departed(is_known=known is not None)}, reason, left.outcome, known, score=score
    )


def unresolved(change: OutcomeChange, scores: Scores) -> OutcomeChange:
    """Return the verdict that the texts do not decide, with what it may be."""
    kinds = sorted(
        (kind for kind, score in scores.items() if kind != SUBSTANCE and score >= _MAYBE),
        key=lambda kind: (-scores[kind], kind),
    )
    maybe = " or ".join(_KIND_WORDS[kind] for kind in kinds[:2]) or "wording"
    reason = f"cannot tell whether in substance; perhaps {maybe}"
    return replace(change, labels=frozenset({OutcomeLabel.UNRESOLVED}), reason=reason)


_KIND_WORDS: dict[str, str] = {
    ADDED: "a new outcome",
    REMOVED: "a dropped outcome",
    OutcomeLabel.ADDED_TIMING: "a time added",
    OutcomeLabel.OMITTED_TIMING: "a time dropped",
    OutcomeLabel.CHANGE_TIMING: "another time",
    OutcomeLabel.ADDED_MEASUREMENT: "a detail added",
    OutcomeLabel.OMITTED_MEASUREMENT: "a detail dropped",
    OutcomeLabel.CHANGE_MEASUREMENT: "another way to measure",
    OutcomeLabel.ADDED_AGGREGATION: "a metric added",
    OutcomeLabel.OMITTED_AGGREGATION: "a metric dropped",
    OutcomeLabel.CHANGE_AGGREGATION: "another metric",
}


def _arrived(*, is_known: bool) -> OutcomeLabel:
    return OutcomeLabel.PRIMARY_FROM_SECONDARY if is_known else OutcomeLabel.NEW_PRIMARY


def _departed(*, is_known: bool) -> OutcomeLabel:
    return OutcomeLabel.PRIMARY_TO_SECONDARY if is_known else OutcomeLabel.PRIMARY_OMITTED


def _change(
    labels: set[OutcomeLabel],
    reason: str,
    before: OutcomeText | None,
    after: OutcomeText | None,
    *,
    score: float | None,
) -> OutcomeChange:
    return OutcomeChange(
        frozenset(labels),
        reason,
        before.raw[0] if before else None,
        after.raw[0] if after else None,
        None if score is None else round(score, 2),
        before.place if before else None,
        after.place if after else None,
    )


def _replacement(kinds: frozenset[str], labels: set[OutcomeLabel], relation: Relation) -> str:
    name = shorten(relation.after.raw[0], _NAME_WIDTH)
    if ADDED in kinds and REMOVED in kinds:
        return f'replaced by "{name}"'
    if ADDED in kinds:
        part = _listed(relation.after, relation.new_in_measure)
        is_promoted = OutcomeLabel.PRIMARY_FROM_SECONDARY in labels
        return f"{'promoted from secondary' if is_promoted else 'another outcome added'}{part}"
    part = _listed(relation.before, relation.lost_in_measure)
    is_demoted = OutcomeLabel.PRIMARY_TO_SECONDARY in labels
    return f"{'part moved to secondary' if is_demoted else 'part dropped'}{part}"


def _detail(label: OutcomeLabel, relation: Relation) -> str:
    before, after = relation.before, relation.after
    what, _, part = label.value.partition("_")
    if part == "timing":
        return _timing(what, before, after)
    if part == "aggregation":
        new, lost = after.metrics - before.metrics, before.metrics - after.metrics
        return _parts("metric", what, ", ".join(sorted(lost)), ", ".join(sorted(new)))
    exchanged = exchanged_instruments(before, after)
    if what == "change" and exchanged:
        return "; ".join(f"measurement {was} -> {is_now}" for was, is_now in exchanged)
    if what == "change" and relation.has_other_bound:
        return f"limit {_bounds(before, after)} -> {_bounds(after, before)}"
    new_words, lost_words = _listed(after, relation.new), _listed(before, relation.lost)
    return _parts("measurement", what, lost_words.lstrip(": "), new_words.lstrip(": "))


def _bounds(outcome: OutcomeText, other: OutcomeText) -> str:
    """Return the limits that only one outcome has: ">= 50"."""
    return ", ".join(f"{sign} {number}" for number, sign in sorted(outcome.bounds - other.bounds))


def _parts(name: str, what: str, lost: str, new: str) -> str:
    if what == "added":
        return f"{name} detail added: {new}" if new else f"{name} detail added"
    if what == "omitted":
        return f"{name} detail dropped: {lost}" if lost else f"{name} detail dropped"
    return f"{name} {lost} -> {new}" if lost and new else f"{name} changed: {new or lost}"


def _timing(what: str, before: OutcomeText, after: OutcomeText) -> str:
    old, new = _frame(before), _frame(after)
    if what == "added":
        return f"time frame added: {new}" if not old else f"time frame made precise: {new}"
    if what == "omitted":
        return f"time frame dropped: {old}" if not new else f"time frame less precise: {new}"
    return f"time frame {old or 'not given'} -> {new or 'not given'}"


def _frame(outcome: OutcomeText) -> str:
    if not outcome.raw[1].strip() and outcome.measure_times.points:
        return "given in the measure"
    return shorten(" ".join(outcome.raw[1].split()), _FRAME_WIDTH)


def _listed(outcome: OutcomeText, stems: frozenset[str]) -> str:
    """Return the words of an outcome that have the stems, in reading order: ": mL, baseline"."""
    words = dict.fromkeys(word for word in outcome.sequence if stem(word) in stems)
    shown = list(words)[:_MOST_WORDS]
    return f": {', '.join(shown)}{' …' if len(words) > _MOST_WORDS else ''}" if shown else ""


def _spelling(before: OutcomeText, after: OutcomeText) -> str:
    """Return what differs between two outcomes that read the same, in whatever field."""
    differ = [
        (one, other) for one, other in zip(before.raw, after.raw, strict=True) if one != other
    ]
    if not differ:
        return "only where they stand differs"
    if all(_WORD.findall(one.casefold()) == _WORD.findall(two.casefold()) for one, two in differ):
        return "only letter case or punctuation differs"
    if all(normal_form(one) == normal_form(two) for one, two in differ):
        return "only letter case, punctuation, numbering or markup differs"
    if all(with_digits(one) == with_digits(two) for one, two in differ):
        return "only how a number is written differs"
    return "only spelling, letter case or punctuation differs"


def _wording(relation: Relation) -> str:
    before, after = relation.before, relation.after
    if before.plain == after.plain:
        return _spelling(before, after)
    moved = before.points == after.points and before.plain[1] != after.plain[1]
    if relation.is_wording_only and moved:
        return "only where the time stands moved"
    return "only the wording differs"
