"""Which outcome of the earlier record is which of the later one, over all lists together.

Measure, time frame and description count together; the assignment with the largest total
likeness is taken. Outcomes of the same list are preferred. Does no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctsync.record.outcomes.assignment import best_assignment
from ctsync.record.outcomes.likeness import Relation, relate
from ctsync.record.outcomes.outcome_text import OutcomeText, read_outcome

# an outcome that stays primary counts twice, because its two entries would otherwise find two
# partners in other lists that together count more
_STAYS = 2.0
_SAME_LIST = 0.15
_BETWEEN_LISTS = 0.5
_SURELY_THE_SAME = 0.8
_OTHER_LISTS = ("secondaryOutcomes", "otherOutcomes")


@dataclass(frozen=True, slots=True)
class Left:
    """A primary outcome without a primary counterpart, and its counterpart in another list."""

    outcome: OutcomeText
    elsewhere: Relation | None
    relations: tuple[Relation, ...]
    siblings: tuple[OutcomeText, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A primary outcome before and after, and the closest outcomes of the other lists."""

    relation: Relation
    gone_elsewhere: float
    come_elsewhere: float
    lost_elsewhere: float
    new_elsewhere: float
    is_only: bool

    def reversed(self) -> Kept:
        """Return the same with the two records exchanged."""
        return Kept(
            self.relation.reversed(),
            gone_elsewhere=self.come_elsewhere,
            come_elsewhere=self.gone_elsewhere,
            lost_elsewhere=self.new_elsewhere,
            new_elsewhere=self.lost_elsewhere,
            is_only=self.is_only,
        )


@dataclass(frozen=True, slots=True)
class Pairing:
    """The primary outcomes that differ: kept ones, and those that came and went."""

    kept: tuple[Kept, ...]
    come: tuple[Left, ...]
    gone: tuple[Left, ...]
    before: int
    after: int


def pair_outcomes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Pairing:
    """Pair the primary outcomes of two outcomesModule objects, equal ones left out."""
    old, new = _entries(before, ("primaryOutcomes",)), _entries(after, ("primaryOutcomes",))
    old_left, new_left = _unequal(old, new)
    if not old_left and not new_left:
        return Pairing((), (), (), len(old), len(new))
    olds, news = (
        [read_outcome(item) for item in old_left],
        [read_outcome(item) for item in new_left],
    )
    old_others, new_others = _unequal(_entries(before, _OTHER_LISTS), _entries(after, _OTHER_LISTS))
    old_rest, new_rest = _near(old_others, news), _near(new_others, olds)
    return _assigned(olds, news, old_rest, new_rest, (len(old), len(new)))


def _entries(module: Mapping[str, Any], keys: Sequence[str]) -> list[Mapping[str, Any]]:
    lists = (module.get(key) for key in keys)
    return [
        item for entries in lists if isinstance(entries, list)
        for item in entries if isinstance(item, Mapping)
    ]  # fmt: skip


def _key(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        str(item.get("measure") or ""),
        str(item.get("timeFrame") or ""),
        str(item.get("description") or ""),
    )


def _unequal(
    old: list[Mapping[str, Any]], new: list[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the entries without an equal one on the other side, in an order of their own."""
    if old == new:
        return [], []
    old_keys, new_keys = Counter(map(_key, old)), Counter(map(_key, new))
    sides = ((old, old_keys - new_keys), (new, new_keys - old_keys))
    return tuple(_first_of(entries, left) for entries, left in sides)  # type: ignore[return-value]


def _first_of(
    entries: list[Mapping[str, Any]], left: Counter[tuple[str, str, str]]
) -> list[Mapping[str, Any]]:
    known = {_key(item): item for item in entries}
    return [known[key] for key in sorted(left.elements())]


def _near(entries: list[Mapping[str, Any]], primaries: Sequence[OutcomeText]) -> list[OutcomeText]:
    """Return those entries of other lists whose measure shares words with a primary outcome."""
    near = []
    for item in entries:
        outcome = read_outcome({"measure": item.get("measure"), "timeFrame": item.get("timeFrame")})
        if any(
            2 * len(outcome.measure & primary.words) >= len(outcome.measure)
            or 2 * len(primary.measure & outcome.measure) >= len(primary.measure)
            for primary in primaries
        ):
            near.append(outcome)
    return near


def _assigned(
    olds: list[OutcomeText],
    news: list[OutcomeText],
    old_rest: list[OutcomeText],
    new_rest: list[OutcomeText],
    counts: tuple[int, int],
) -> Pairing:
    rows, columns = [*olds, *old_rest], [*news, *new_rest]
    relations = [[relate(row, column) for column in columns] for row in rows]
    gains = [
        [
            _gain(relation.likeness, row < len(olds), column < len(news))
            for column, relation in enumerate(line)
        ]
        for row, line in enumerate(relations)
    ]
    pairs = best_assignment(gains)
    row_of = {column: row for row, column in pairs}
    column_of = dict(pairs)
    many = len(olds)
    kept = tuple(
        Kept(
            relations[row][column],
            gone_elsewhere=_best(relations[row][len(news) :]),
            come_elsewhere=_best(line[column] for line in relations[many:]),
            lost_elsewhere=_covered(relations[row][column].lost_in_measure, new_rest),
            new_elsewhere=_covered(relations[row][column].new_in_measure, old_rest),
            is_only=counts == (1, 1),
        )
        for row, column in pairs
        if row < many and column < len(news)
    )
    gone = tuple(
        Left(
            olds[row],
            relations[row][column] if column is not None else None,
            tuple(relation.reversed() for relation in relations[row][: len(news)]),
            tuple(other for other in olds if other is not olds[row]),
        )
        for row in range(many)
        if (column := column_of.get(row)) is None or column >= len(news)
    )
    come = tuple(
        Left(
            news[column],
            relations[row][column] if row is not None else None,
            tuple(line[column] for line in relations[:many]),
            tuple(other for other in news if other is not news[column]),
        )
        for column in range(len(news))
        if (row := row_of.get(column)) is None or row >= many
    )
    return Pairing(kept, come, gone, *counts)


def _gain(likeness: float, is_old_primary: bool, is_new_primary: bool) -> float:
    if is_old_primary and is_new_primary:
        return _STAYS * (likeness + _SAME_LIST)
    if likeness < _BETWEEN_LISTS:
        return 0.0
    if is_old_primary or is_new_primary or likeness >= _SURELY_THE_SAME:
        return likeness
    return likeness / 2


def _best(relations: Iterable[Relation]) -> float:
    return max((relation.likeness for relation in relations), default=0.0)


def _covered(words: frozenset[str], others: list[OutcomeText]) -> float:
    """Return the largest share of the words that one of the other outcomes' measures has."""
    if not words:
        return 0.0
    return max((len(words & other.measure) / len(words) for other in others), default=0.0)
