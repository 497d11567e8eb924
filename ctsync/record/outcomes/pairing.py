"""Which outcome of the earlier record is which of the later one, over all lists together.

Measure, time frame and description count together; the assignment with the largest total
likeness is taken. Outcomes of the same list are preferred. Does no I/O.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ctsync.record.outcomes.assignment import best_assignment
from ctsync.record.outcomes.likeness import Relation, relate
from ctsync.record.outcomes.outcome_text import OutcomeText, measure_words, read_outcome
from ctsync.record.outcomes.taxonomy import OutcomePlace

# an outcome that stays primary counts twice, because its two entries would otherwise find two
# partners in other lists that together count more
_STAYS = 2.0
_SAME_LIST = 0.15
_BETWEEN_LISTS = 0.5
_SURELY_THE_SAME = 0.8
_PRIMARY = ("primary",)
_OTHERS = ("secondary", "other")


class _Entry(NamedTuple):
    """An entry of an outcome list, and where it stands."""

    place: OutcomePlace
    item: Mapping[str, Any]


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
    old, new = _entries(before, _PRIMARY), _entries(after, _PRIMARY)
    old_left, new_left = _unequal(old, new)
    if not old_left and not new_left:
        return Pairing((), (), (), len(old), len(new))
    olds = [read_outcome(entry.item, entry.place) for entry in old_left]
    news = [read_outcome(entry.item, entry.place) for entry in new_left]
    old_others, new_others = _unequal(_entries(before, _OTHERS), _entries(after, _OTHERS))
    return _assigned(
        _Side(olds, _near(old_others, news)),
        _Side(news, _near(new_others, olds)),
        (len(old), len(new)),
    )


def _entries(module: Mapping[str, Any], ranks: Sequence[str]) -> list[_Entry]:
    lists = ((rank, module.get(f"{rank}Outcomes")) for rank in ranks)
    return [
        _Entry(OutcomePlace(rank, index), item)
        for rank, entries in lists if isinstance(entries, list)
        for index, item in enumerate(entries) if isinstance(item, Mapping)
    ]  # fmt: skip


def _key(entry: _Entry) -> tuple[str, str, str]:
    item = entry.item
    return (
        str(item.get("measure") or ""),
        str(item.get("timeFrame") or ""),
        str(item.get("description") or ""),
    )


def _unequal(old: list[_Entry], new: list[_Entry]) -> tuple[list[_Entry], list[_Entry]]:
    """Return the entries without an equal one on the other side, in an order of their own."""
    if old == new:
        return [], []
    old_keys, new_keys = Counter(map(_key, old)), Counter(map(_key, new))
    sides = ((old, old_keys - new_keys), (new, new_keys - old_keys))
    old_left, new_left = (_last_of(entries, left) for entries, left in sides)
    return old_left, new_left


def _last_of(entries: list[_Entry], left: Counter[tuple[str, str, str]]) -> list[_Entry]:
    """Return the last entries of each key, as many as are left, in the order of the keys."""
    known: dict[tuple[str, str, str], list[_Entry]] = defaultdict(list)
    for entry in entries:
        known[_key(entry)].append(entry)
    return [entry for key in sorted(left) if left[key] for entry in known[key][-left[key] :]]


def _near(entries: list[_Entry], primaries: Sequence[OutcomeText]) -> list[OutcomeText]:
    """Return those entries of other lists whose measure shares words with a primary outcome."""
    near = []
    for place, item in entries:
        words = measure_words(item)
        if any(
            2 * len(words & primary.words) >= len(words)
            or 2 * len(primary.measure & words) >= len(primary.measure)
            for primary in primaries
        ):
            named = {"measure": item.get("measure"), "timeFrame": item.get("timeFrame")}
            near.append(read_outcome(named, place))
    return near


@dataclass(frozen=True, slots=True)
class _Side:
    """The outcomes of one record: the primary ones that differ, and near ones of other lists."""

    primary: list[OutcomeText]
    other: list[OutcomeText]

    @property
    def every(self) -> list[OutcomeText]:
        return [*self.primary, *self.other]


def _assigned(before: _Side, after: _Side, counts: tuple[int, int]) -> Pairing:
    before, after = _linked(before, after)
    rows, columns = before.every, after.every
    old_count, new_count = len(before.primary), len(after.primary)
    # a pair without a primary outcome needs no relation
    relations = [
        [relate(row, column) for column in (columns if index < old_count else after.primary)]
        for index, row in enumerate(rows)
    ]
    gains = _gains(relations, rows, columns, counts=(old_count, new_count))
    pairs = _best_pairs(gains, rows, columns)
    row_of = {column: row for row, column in pairs}
    column_of = dict(pairs)
    kept = tuple(
        _kept(relations, (row, column), before, after, is_only=counts == (1, 1))
        for row, column in pairs
        if row < old_count and column < new_count
    )
    gone = tuple(
        _left(
            row,
            before.primary,
            relations[row][column] if column >= new_count else None,
            (relation.reversed() for relation in relations[row][:new_count]),
        )
        for row in range(old_count)
        if not 0 <= (column := column_of.get(row, -1)) < new_count
    )
    come = tuple(
        _left(
            column,
            after.primary,
            relations[row][column] if row >= old_count else None,
            (line[column] for line in relations[:old_count]),
        )
        for column in range(new_count)
        if not 0 <= (row := row_of.get(column, -1)) < old_count
    )
    return Pairing(kept, come, gone, *counts)


def _linked(before: _Side, after: _Side) -> tuple[_Side, _Side]:
    """Leave out outcomes of other lists that no primary outcome may become or have been.

    An outcome that surely is one of those stays too, because it competes for it.
    """
    olds = [one for one in before.other if _is_like_any(one, after.primary, _BETWEEN_LISTS)]
    news = [one for one in after.other if _is_like_any(one, before.primary, _BETWEEN_LISTS)]
    old_rivals = [
        one for one in before.other if one not in olds and _is_like_any(one, news, _SURELY_THE_SAME)
    ]
    new_rivals = [
        one for one in after.other if one not in news and _is_like_any(one, olds, _SURELY_THE_SAME)
    ]
    return (
        _Side(before.primary, [*olds, *old_rivals]),
        _Side(after.primary, [*news, *new_rivals]),
    )


def _is_like_any(one: OutcomeText, others: list[OutcomeText], least: float) -> bool:
    return any(_common_words(one, other) >= least for other in others)


def _common_words(before: OutcomeText, after: OutcomeText) -> float:
    """Return the larger share of the words of one measure that the other has."""
    least = min(len(before.measure), len(after.measure))
    return len(before.measure & after.measure) / least if least else 0.0


def _kept(
    relations: list[list[Relation]],
    pair: tuple[int, int],
    before: _Side,
    after: _Side,
    *,
    is_only: bool,
) -> Kept:
    row, column = pair
    relation = relations[row][column]
    return Kept(
        relation,
        gone_elsewhere=_best(relations[row][len(after.primary) :]),
        come_elsewhere=_best(line[column] for line in relations[len(before.primary) :]),
        lost_elsewhere=_covered(relation.lost_in_measure, after.other),
        new_elsewhere=_covered(relation.new_in_measure, before.other),
        is_only=is_only,
    )


def _left(
    index: int,
    primary: list[OutcomeText],
    elsewhere: Relation | None,
    relations: Iterable[Relation],
) -> Left:
    siblings = (*primary[:index], *primary[index + 1 :])
    return Left(primary[index], elsewhere, tuple(relations), siblings)


def _best_pairs(
    gains: list[list[float]], rows: list[OutcomeText], columns: list[OutcomeText]
) -> list[tuple[int, int]]:
    """Return the best pairs; with the two records exchanged, they are the same pairs exchanged."""
    if [row.raw for row in rows] <= [column.raw for column in columns]:
        return best_assignment(gains)
    # several assignments can be equally good: both directions must choose the same one
    turned = best_assignment([list(line) for line in zip(*gains, strict=True)])
    return sorted((row, column) for column, row in turned)


def _gains(
    relations: list[list[Relation]],
    rows: list[OutcomeText],
    columns: list[OutcomeText],
    *,
    counts: tuple[int, int],
) -> list[list[float]]:
    old_count, new_count = counts
    return [
        [
            *(
                _gain(
                    relation.likeness,
                    is_old_primary=row < old_count,
                    is_new_primary=column < new_count,
                )
                for column, relation in enumerate(line)
            ),
            *(_others_gain(rows[row], column) for column in columns[len(line) :]),
        ]
        for row, line in enumerate(relations)
    ]


def _gain(likeness: float, *, is_old_primary: bool, is_new_primary: bool) -> float:
    if is_old_primary and is_new_primary:
        return _STAYS * (likeness + _SAME_LIST)
    return likeness if likeness >= _BETWEEN_LISTS else 0.0


def _others_gain(before: OutcomeText, after: OutcomeText) -> float:
    """Return the gain of a pair without a primary outcome, by the words of the measures alone."""
    total = len(before.measure) + len(after.measure)
    common = 2 * len(before.measure & after.measure) / total if total else 0.0
    if common >= _SURELY_THE_SAME:
        return common
    return common / 2 if common >= _BETWEEN_LISTS else 0.0


def _best(relations: Iterable[Relation]) -> float:
    return max((relation.likeness for relation in relations), default=0.0)


def _covered(words: frozenset[str], others: list[OutcomeText]) -> float:
    """Return the largest share of the words that one of the other outcomes' measures has."""
    if not words:
        return 0.0
    return max((len(words & other.measure) / len(words) for other in others), default=0.0)
