"""The signs that a change is one of substance: numbers between 0 and about 2, each with a name.

Each sign is something a reader can check in the two texts. `weights.py` says how much each counts.
The signs of what is added in one direction are those of what is omitted in the other. Does no I/O.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import log, log1p

from ctsync.record.outcomes.likeness import Relation, relate
from ctsync.record.outcomes.outcome_text import OutcomeText
from ctsync.record.outcomes.pairing import Kept, Left
from ctsync.record.outcomes.timing import missing_points
from ctsync.record.outcomes.vocabulary import INSTRUMENTS, SCALE_WORDS, STATISTICS

Signs = dict[str, float]

_CLAUSES = re.compile(r"[.;:] |\band\b|\bor\b|,")
_GENERIC = frozenset(
    {"safety", "tolera", "respon", "sympto", "clinic", "endpoi", "functi", "physic"}
)


def measurement_signs(relation: Relation) -> Signs:
    """Return the signs that the later outcome says more about what or how it is measured."""
    before, after = relation.before, relation.after
    new_below = relation.new - relation.new_in_measure
    new_tools = (relation.new & INSTRUMENTS) - STATISTICS
    scale = len(relation.new & SCALE_WORDS)
    statistic = len(relation.new & STATISTICS)
    count = max(len(relation.new), 1)
    return {
        "words new in measure": log1p(len(relation.new_in_measure)) / 2,
        "words new in description": log1p(len(new_below)) / 3,
        "words lost": log1p(len(relation.lost)) / 2,
        "tools new": min(len(new_tools), 3) / 3,
        "tool new in measure": float(bool(new_tools & relation.new_in_measure)),
        "tool before": float(bool(before.instruments - STATISTICS)),
        "tool before, tool new": float(bool(before.instruments and new_tools)),
        "short before": max(0.0, 1 - len(before.measure) / 8),
        "generic before": float(len(before.measure - _GENERIC) <= 1),
        "described before": float(bool(before.description)),
        "described only after": float(bool(after.description) and not before.description),
        "defined": float(after.is_defined and not before.is_defined),
        "method": float(after.names_method and not before.names_method),
        "method before": float(before.names_method),
        "numbers new": log1p(len(after.numbers - before.numbers)) / 2,
        "numbers before": float(bool(before.numbers)),
        "unit new": float(bool(new_units(relation))),
        "scale words": scale / count,
        "statistics words": statistic / count,
        "names new": log1p(len(after.capitals - before.capitals)) / 2,
    } | _edit_signs(relation)


def _edit_signs(relation: Relation) -> Signs:
    """Return the signs that the text was edited in a few places, or extended."""
    before, after = relation.before, relation.after
    new_below = relation.new - relation.new_in_measure
    is_same_measure = before.measure == after.measure
    return {
        "nothing new": float(not relation.new),
        "few words new": float(0 < len(relation.new) <= 3 and len(relation.lost) <= 3),
        "few words exchanged": float(
            0 < len(relation.new - STATISTICS) <= 3 and 0 < len(relation.lost - STATISTICS) <= 3
        ),
        "number exchanged": float(
            bool(after.numbers - before.numbers) and bool(before.numbers - after.numbers)
        ),
        "measure extended": relation.extension,
        "edited in place": float(relation.kept_text > 0.7 and bool(relation.new)),
        "edited in place, words new": float(relation.kept_text > 0.7)
        * log1p(len(relation.new - STATISTICS)),
        "same measure": float(is_same_measure),
        "same measure, described only after": float(
            is_same_measure and bool(after.description) and not before.description
        ),
        "same measure, words new": float(is_same_measure) * log1p(len(new_below)) / 3,
        "half of measure lost": float(
            2 * len(relation.lost_in_measure) >= max(len(before.measure), 1)
        ),
    }


def new_units(relation: Relation) -> frozenset[str]:
    """Return the units of measure that only the later outcome names, times left out."""
    return relation.after.units - relation.before.units


def aggregation_signs(relation: Relation) -> Signs:
    """Return the signs that the later outcome has a metric or aggregation that is new."""
    before, after = relation.before, relation.after
    new = after.metrics - before.metrics
    named = after.measure_metrics - before.metrics
    return {
        "metric new in measure": min(len(named), 2) / 2,
        "metric new in description": min(len(new - named), 3) / 3,
        "no metric before": float(not before.metrics),
        "no metric before, new": float(not before.metrics and bool(new)),
        "metric lost": min(len(before.metrics - after.metrics), 2) / 2,
        "change new": float("change from baseline" in new),
        "percent change new": float("percent change" in new),
        "proportion new": float("proportion" in new),
        "number new": float("number" in new),
        "mean new": float("mean" in new),
        "dichotomy new": float("dichotomy" in new),
        "time to event before": float("time to event" in before.metrics),
        "time to event new": float("time to event" in new),
        "metric new and lost": float(bool(named) and bool(before.measure_metrics - after.metrics)),
    }


def timing_signs(relation: Relation) -> Signs:
    """Return the signs that the later outcome gives a time that the earlier does not."""
    before, after = relation.before, relation.after
    old_frame, new_frame = before.frame_times, after.frame_times
    told = before.measure_times.points | old_frame.points
    new_points = missing_points(new_frame.points | after.measure_times.points, before.points)
    marks_before = old_frame.anchors | before.measure_times.anchors
    new_marks = new_frame.anchors - marks_before - before.description_times.anchors
    frame_words = _frame_words(after) - before.words
    has_old, has_new = bool(told or old_frame.dates), bool(new_frame.points or new_frame.dates)
    return {
        "no frame before": float(not _says_when(before) and _says_when(after)),
        "no time before": float(not has_old and _says_when(after)),
        "frame said before": float(
            _says_when(after) and not new_points and not new_marks and not frame_words
        ),
        "no time before, time now": float(not has_old and has_new),
        "no frame, time in measure": float(not before.plain[1] and bool(told) and has_new),
        "frame without time before": float(bool(before.plain[1]) and not has_old and has_new),
        "time told elsewhere": float(has_new and not new_points),
        "times new": log1p(len(new_points)) / 2,
        "times new, times before": float(bool(new_points) and bool(told)),
        "marks new": min(len(new_marks), 3) / 3,
        "marks before": float(bool(marks_before)),
        "up to new": float("up to" in new_marks),
        "period new": float(bool(new_frame.periods - old_frame.periods)),
        "date new": float(bool(new_frame.dates - old_frame.dates)),
        "words new in frame": log1p(len(frame_words)) / 2,
        "time only in description before": float(
            not has_old and bool(before.description_times.points) and has_new
        ),
    }


def _says_when(outcome: OutcomeText) -> bool:
    """Return whether the time frame is more than a placeholder such as "a" or "select one"."""
    times = outcome.frame_times
    if times.points or times.dates or times.periods or times.anchors:
        return True
    return len(outcome.plain[1].split()) > 2


def _frame_words(outcome: OutcomeText) -> frozenset[str]:
    return outcome.words - outcome.measure - outcome.description


def both_ways(forward: Signs, backward: Signs) -> Signs:
    """Return signs that do not depend on the direction: the lesser and the greater of each."""
    signs = {}
    for name, value in forward.items():
        less, more = _both_names(name)
        other = backward[name]
        signs[less], signs[more] = (value, other) if value <= other else (other, value)
    return signs


@lru_cache(maxsize=256)
def _both_names(name: str) -> tuple[str, str]:
    return f"{name}, less", f"{name}, more"


def time_change_signs(relation: Relation) -> Signs:
    """Return further signs that a time is another one, the same in both directions."""
    before, after = relation.before, relation.after
    first = before.frame_times.points | before.measure_times.points
    second = after.frame_times.points | after.measure_times.points
    new, lost = missing_points(second, before.points), missing_points(first, after.points)
    highest, lowest = sorted((max(first, default=0.0), max(second, default=0.0)), reverse=True)
    return {
        "horizon": min(log(highest / lowest), 3.0) / 3 if lowest > 0 else 0.0,
        "horizon moved": float(lowest > 0 and highest > lowest * 1.04),
        "times on both sides": float(bool(first) and bool(second)),
        "times exchanged": float(bool(new) and bool(lost)),
        "times on one side only": float(bool(new) != bool(lost) and bool(first) and bool(second)),
        "same frame text": float(before.plain[1] == after.plain[1]),
        "dates differ": float(
            before.frame_times.dates != after.frame_times.dates
            and bool(before.frame_times.dates)
            and bool(after.frame_times.dates)
        ),
        "marks differ": min(len(before.frame_times.anchors ^ after.frame_times.anchors), 3) / 3,
    }


def replacement_signs(kept: Kept) -> Signs:
    """Return the signs that a kept outcome is another one, or has another one added to it."""
    relation = kept.relation
    before, after = relation.before, relation.after
    clauses = len(_CLAUSES.findall(after.plain[0])) - len(_CLAUSES.findall(before.plain[0]))
    gone, come = kept.gone_elsewhere, kept.come_elsewhere
    return {
        "kept": 1.0,
        "unlike": 1 - relation.likeness,
        "nothing in common": float(not before.words & after.words),
        "new share of measure": len(relation.new_in_measure) / max(len(after.measure), 1),
        "lost share of measure": len(relation.lost_in_measure) / max(len(before.measure), 1),
        "short measure": max(0.0, 1 - min(len(before.measure), len(after.measure)) / 5),
        "other times": float(not relation.has_same_frame),
        "old one elsewhere": max(0.0, gone - relation.likeness),
        "new one elsewhere": max(0.0, come - relation.likeness),
        "lost part elsewhere": kept.lost_elsewhere,
        "new part elsewhere": kept.new_elsewhere,
        "only outcome": float(kept.is_only),
        "clauses added": min(max(clauses, 0), 3) / 3 * float(len(relation.new_in_measure) > 1),
        "measure extended": relation.extension,
        "all kept and more": float(
            not relation.lost_in_measure and len(relation.new_in_measure) > 2
        ),
        "generic": float(min(len(before.measure - _GENERIC), len(after.measure - _GENERIC)) <= 1),
    }


def arrival_signs(left: Left) -> Signs:
    """Return the signs that a primary outcome without a counterpart is a new one."""
    outcome = left.outcome
    best = max((relation.likeness for relation in left.relations), default=0.0)
    known: frozenset[str] = frozenset()
    lost = outcome.measure
    for relation in left.relations:
        known |= relation.known_before
        lost &= relation.new_in_measure
    sibling = max((relate(other, outcome).likeness for other in left.siblings), default=0.0)
    return {
        "unpaired": 1.0,
        "unlike any": 1 - best,
        "share said before": 1 - len(lost) / max(len(outcome.measure), 1),
        "all said before": float(not lost and bool(outcome.measure)),
        "sibling of the same words": float(
            sibling > 0.5
            and any(
                not (outcome.measure ^ other.measure) - STATISTICS - outcome.numbers - other.numbers
                for other in left.siblings
            )
        ),
        "like a sibling": sibling,
        "in another list": left.elsewhere.likeness if left.elsewhere else 0.0,
        "one word": float(len(outcome.measure) <= 1),
    }
