"""How two outcomes relate: which words are new, which are lost, and how alike they are.

Abbreviations count as their words ("PFS" is "progression-free survival"), and a word with the same
beginning as a lost one is a spelling of it. Does no I/O.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from ctsync.record.outcomes.outcome_text import OutcomeText
from ctsync.record.outcomes.timing import missing_points
from ctsync.record.outcomes.vocabulary import GRAMMAR, NEGATIONS, OPPOSITES, QUALIFIERS, stem

_LISTED_EFFICACY = re.compile(r"\befficacy(?:,| and\b| ?[&/])|(?:,|\band|[&/]) ?efficacy\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SAME_BEGINNING = 4
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Relation:
    """An outcome before and one after. `new` is what only the later one says, `lost` the rest."""

    before: OutcomeText
    after: OutcomeText
    known_before: frozenset[str]
    known_after: frozenset[str]

    def reversed(self) -> Relation:
        """Return the relation in the other direction."""
        return Relation(self.after, self.before, self.known_after, self.known_before)

    @cached_property
    def new(self) -> frozenset[str]:
        """The words only the later outcome has, in any field."""
        return _without(self.after.words, self.known_before)

    @cached_property
    def lost(self) -> frozenset[str]:
        """The words only the earlier outcome has, in any field."""
        return _without(self.before.words, self.known_after)

    @cached_property
    def new_in_measure(self) -> frozenset[str]:
        """The words of the later measure that the earlier outcome has in no field."""
        return _without(self.after.measure, self.known_before)

    @cached_property
    def lost_in_measure(self) -> frozenset[str]:
        """The words of the earlier measure that the later outcome has in no field."""
        return _without(self.before.measure, self.known_after)

    @cached_property
    def likeness(self) -> float:
        """0 (nothing in common) to 1 (same words and times)."""
        before, after = self.before, self.after
        if before.plain == after.plain:
            return 1.0
        kept_before = _share(len(before.measure) - len(self.lost_in_measure), len(before.measure))
        kept_after = _share(len(after.measure) - len(self.new_in_measure), len(after.measure))
        contained = max(kept_before, kept_after)
        dice = _share(
            len(before.measure) + len(after.measure)
            - len(self.lost_in_measure) - len(self.new_in_measure),
            len(before.measure) + len(after.measure),
        )  # fmt: skip
        return 0.5 * dice + 0.4 * contained + 0.1 * self.has_same_frame

    @cached_property
    def is_wording_only(self) -> bool:
        """Whether both say the same words, numbers, metrics and times, in whatever field."""
        before, after = self.before, self.after
        return (
            before.words == after.words
            and before.metrics == after.metrics
            and not self.has_other_bound
            and not self.has_other_frame_number
            and before.dates_and_periods == after.dates_and_periods
            and not missing_points(before.points, after.points)
            and not missing_points(after.points, before.points)
        )

    @cached_property
    def has_other_bound(self) -> bool:
        """Whether a number that both compare with has another sign: ≥ 50 % and > 50 %."""
        old, new = self.before.bounds, self.after.bounds
        if old == new:
            return False
        numbers = {number for number, _ in old} & {number for number, _ in new}
        lost, come = ({n for n, _ in one if n in numbers} for one in (old - new, new - old))
        return bool(lost & come)

    @cached_property
    def has_other_frame_number(self) -> bool:
        """Whether the time frames differ in nothing but a number: 59 months and 58 months."""
        old, new = self.before.plain[1], self.after.plain[1]
        if old == new or _NUMBER.sub("", old) != _NUMBER.sub("", new):
            return False
        return [*map(float, _NUMBER.findall(old))] != [*map(float, _NUMBER.findall(new))]

    @property
    def has_opposite_measure(self) -> bool:
        """Whether fillers give the measures another meaning: pain, no pain; safety and efficacy."""
        before, after = self.before, self.after
        if before.plain[0] == after.plain[0]:
            return False
        lists = [bool(_LISTED_EFFICACY.search(one.plain[0])) for one in (before, after)]
        names = ["efficacy" in one.plain[0] for one in (before, after)]
        if lists[0] != lists[1] and names[0] != names[1]:
            return True
        old, new = ({*map(stem, one.measure_sequence)} for one in (before, after))
        lost, come = old - new, new - old
        return bool((lost | come) & NEGATIONS) or any(
            (one in lost and other in come) or (other in lost and one in come)
            for one, other in OPPOSITES
        )

    @property
    def has_other_qualifier(self) -> bool:
        """Whether fillers may be all that says what is measured: survival, overall survival.

        Either a word that narrows the measure is new or lost, or the measures have only fillers.
        """
        before, after = self.before, self.after
        if before.plain[0] == after.plain[0]:
            return False
        old, new = ({*map(stem, one.measure_sequence)} for one in (before, after))
        if not before.measure or not after.measure:
            return old - GRAMMAR != new - GRAMMAR
        return bool(((old - self.known_after) | (new - self.known_before)) & QUALIFIERS)

    @cached_property
    def extension(self) -> float:
        """How much the later measure is the earlier one with words added: 0 to 1 for 8 words."""
        old, new = Counter(self.before.measure_sequence), Counter(self.after.measure_sequence)
        if (old - new).total() > 1 or not self.new_in_measure:
            return 0.0
        return min((new - old).total(), 8) / 8

    @cached_property
    def kept_text(self) -> float:
        """The share of the words of all fields, fillers included, that both texts have."""
        old, new = Counter(self.before.sequence), Counter(self.after.sequence)
        return _share(2 * (old & new).total(), old.total() + new.total())

    @property
    def has_same_frame(self) -> bool:
        """Whether the two name the same times."""
        before, after = self.before.points, self.after.points
        if not before and not after:
            return self.before.plain[1] == self.after.plain[1]
        return not missing_points(before, after) and not missing_points(after, before)


def relate(before: OutcomeText, after: OutcomeText) -> Relation:
    """Relate an outcome of the earlier record to one of the later."""
    if before.capitals == after.capitals:
        return Relation(before, after, before.bag, after.bag)
    old_words, old_shorts = _spelled_out(before, after)
    new_words, new_shorts = _spelled_out(after, before)
    return Relation(
        before,
        after,
        before.bag.union(old_words, new_shorts),
        after.bag.union(new_words, old_shorts),
    )


def _share(part: int, total: int) -> float:
    return part / total if total else 0.0


def _without(words: frozenset[str], known: frozenset[str]) -> frozenset[str]:
    left = words - known
    if not left:
        return _NOTHING
    beginnings = tuple({word[:_SAME_BEGINNING] for word in left if len(word) > _SAME_BEGINNING})
    if not beginnings:
        return left
    spelled = {
        word[:_SAME_BEGINNING]
        for word in known
        if len(word) > _SAME_BEGINNING and word.startswith(beginnings)
    }
    if not spelled:
        return left
    return frozenset(
        word
        for word in left
        if not (len(word) > _SAME_BEGINNING and word[:_SAME_BEGINNING] in spelled)
    )


def _spelled_out(outcome: OutcomeText, other: OutcomeText) -> tuple[list[str], list[str]]:
    """Return the words of `other` that spell out abbreviations of `outcome`, and these."""
    words: list[str] = []
    shorts: list[str] = []
    for short in outcome.capitals - other.capitals:
        if found := _words_of(short, other):
            words.extend(map(stem, found))
            shorts.append(stem(short))
    return words, shorts


def _words_of(short: str, outcome: OutcomeText) -> tuple[str, ...]:
    """Return the words of an outcome whose initials make the abbreviation, or nothing."""
    letters = short.rstrip("s") if len(short) > 3 else short
    if not 2 <= len(letters) <= 6 or not letters.isalpha():
        return ()
    for words, initials in outcome.initials:
        at = initials.find(letters)
        if at >= 0:
            return words[at : at + len(letters)]
    return ()
