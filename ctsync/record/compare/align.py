"""Alignment of two lists: which item before corresponds to which item after.

Items are paired in rounds; each round works on the items that the previous one left over:

1. Items that are equal, byte for byte.
2. Items with the same key, ignoring letter case and blanks. If several items share a key, those
   with the most equal fields are paired.
3. Items with the same second key: a site's name, zip and country, if the city was edited.
4. Items whose identifying text (a measure, a facility) is similar by at least `ALIKE` percent, or
   that are in the same place (a site's city and zip) or described alike (an arm). The most similar
   are paired first.

Items left over after that were removed or added. Swapping the two lists gives the same pairs.

Does no I/O.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ctsync.record.compare.canonical import as_text, key_of, key_part
from ctsync.record.fields.field_types import ListKey

ALIKE = 75.0
"""Minimum similarity, in percent, for two texts to count as one edited text."""

_MOST_COMPARISONS = 40_000
_MOST_COMPARISONS_OF_A_LIST = 400_000
_LONGEST_COMPARED = 1_000
_LONGEST_NAME = 160
_UNNAMED = "(unnamed)"

Key = tuple[str, ...]
Pair = tuple[int, int]
_Signature = tuple[str, Key]


@dataclass(frozen=True, slots=True)
class Alignment:
    """The result of aligning two lists, as positions.

    `pairs` are (before, after), sorted by the position before. `equal` are the pairs whose items
    are identical. `removed` are positions before, `added` positions after, without a counterpart.
    """

    pairs: tuple[Pair, ...]
    equal: frozenset[Pair]
    removed: tuple[int, ...]
    added: tuple[int, ...]

    @property
    def reordered(self) -> bool:
        """Whether the paired items changed their order."""
        return any(a[1] > b[1] for a, b in zip(self.pairs, self.pairs[1:], strict=False))


def align(before: list[Any], after: list[Any], listing: ListKey) -> Alignment:
    """Pair the items of two lists as the module docstring describes."""
    equal, old, new = _equal_items(before, after)
    pairs = list(equal)
    if old and new:
        pairs += _same_key(before, after, (old, new), listing)
        old, new = _left_over(before, after, pairs)
    if old and new and listing.second_key:
        complete = _with_second_key(before, after, (old, new), listing)
        pairs += _same_key(before, after, complete, ListKey(listing.second_key))
        old, new = _left_over(before, after, pairs)
    if old and new and listing.like:
        pairs += _alike(before, after, (old, new), listing)
        old, new = _left_over(before, after, pairs)
    return Alignment(tuple(sorted(pairs)), frozenset(equal), tuple(old), tuple(new))


class Names:
    """Readable, unique names for the items of one list, made from their keys."""

    __slots__ = ("_again", "_listing", "_taken")

    def __init__(self, listing: ListKey) -> None:
        self._listing = listing
        self._taken: set[str] = set()
        self._again: dict[str, int] = {}

    def give(self, item: Any) -> str:
        """Return a name for the next item: its key; a repeated key gets a number, as in "X #2"."""
        name = " | ".join(filter(None, key_of(item, self._listing))) or _UNNAMED
        if len(name) > _LONGEST_NAME:
            name = name[:_LONGEST_NAME] + "…"
        unique = name
        while unique in self._taken:
            self._again[name] = self._again.get(name, 1) + 1
            unique = f"{name} #{self._again[name]}"
        self._taken.add(unique)
        return unique


def _left_over(
    before: Sequence[Any], after: Sequence[Any], pairs: Sequence[Pair]
) -> tuple[list[int], list[int]]:
    old, new = {i for i, _ in pairs}, {j for _, j in pairs}
    return (
        [i for i in range(len(before)) if i not in old],
        [j for j in range(len(after)) if j not in new],
    )


def _equal_items(before: list[Any], after: list[Any]) -> tuple[list[Pair], list[int], list[int]]:
    """Return the pairs of equal items, and the positions left over before and after."""
    start, end = _common_ends(before, after)
    stop = len(before) - end, len(after) - end
    places: dict[bytes, deque[int]] = defaultdict(deque)
    for j in range(start, stop[1]):
        places[orjson.dumps(after[j])].append(j)
    pairs = [(n, n) for n in range(start)]
    old = []
    for i in range(start, stop[0]):
        same = places.get(orjson.dumps(before[i]))
        if same:
            pairs.append((i, same.popleft()))
        else:
            old.append(i)
    pairs += zip(range(stop[0], len(before)), range(stop[1], len(after)), strict=True)
    return pairs, old, sorted(j for left in places.values() for j in left)


def _common_ends(before: list[Any], after: list[Any]) -> tuple[int, int]:
    """Return how many items are equal at the beginning, and at the end of the remainder."""
    shorter = min(len(before), len(after))
    start = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    rest = shorter - start
    end = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
    ends = (
        (before[:start], after[:start]),
        (before[len(before) - end :], after[len(after) - end :]),
    )
    # 1, 1.0 and True are equal in Python but are different JSON: compare the bytes too
    if any(orjson.dumps(old) != orjson.dumps(new) for old, new in ends):
        return 0, 0
    return start, end


def _same_key(
    before: Sequence[Any],
    after: Sequence[Any],
    left: tuple[list[int], list[int]],
    listing: ListKey,
) -> list[Pair]:
    groups: dict[tuple[bool, Key], tuple[list[int], list[int]]] = {}
    for side, items in enumerate((before, after)):
        for position in left[side]:
            key = _plain_key(items[position], listing)
            groups.setdefault(key, ([], []))[side].append(position)
    pairs: list[Pair] = []
    for old, new in groups.values():
        if len(old) == len(new) == 1:
            pairs.append((old[0], new[0]))
        elif old and new:
            pairs += _closest(old, new, lambda i, j: _agreement(before[i], after[j]))
    return pairs


def _with_second_key(
    before: Sequence[Any],
    after: Sequence[Any],
    left: tuple[list[int], list[int]],
    listing: ListKey,
) -> tuple[list[int], list[int]]:
    """Return the positions of the items that have all fields of the second key."""
    old, new = (
        [n for n in positions if all(key_of(items[n], ListKey(listing.second_key)))]
        for items, positions in zip((before, after), left, strict=True)
    )
    return old, new


def _plain_key(item: Any, listing: ListKey) -> tuple[bool, Key]:
    parts = (" ".join(part.split()).casefold() for part in key_of(item, listing))
    return isinstance(item, dict), tuple(parts)


def _agreement(before: Any, after: Any) -> float:
    """Return the number of equal fields of two items."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return 0.0
    return sum(1.0 for key, value in before.items() if key in after and after[key] == value)


def _alike(
    before: Sequence[Any],
    after: Sequence[Any],
    left: tuple[list[int], list[int]],
    listing: ListKey,
) -> list[Pair]:
    groups: dict[Key, tuple[list[int], list[int]]] = {}
    texts: tuple[dict[int, _Signature], dict[int, _Signature]] = ({}, {})
    for side, items in enumerate((before, after)):
        for position in left[side]:
            item = items[position]
            if isinstance(item, dict):
                group = tuple(as_text(item.get(name)) for name in listing.within)
                groups.setdefault(group, ([], []))[side].append(position)
                texts[side][position] = _signature(item, listing)
    pairs: list[Pair] = []
    # bounds the work for lists of many thousands of items that have nothing in common:
    # beyond it, items stay removed and added
    left_to_compare = _MOST_COMPARISONS_OF_A_LIST
    for _, (old, new) in sorted(groups.items()):
        left_to_compare -= len(old) * len(new)
        if old and new and len(old) * len(new) <= min(_MOST_COMPARISONS, left_to_compare):
            pairs += _closest(
                old, new, lambda i, j: _resemblance(texts[0][i], texts[1][j]), at_least=ALIKE
            )
    return pairs


def _signature(item: dict[str, Any], listing: ListKey) -> _Signature:
    text = " ".join(as_text(item.get(name)) for name in listing.like)
    same = tuple(key_part(item, name) for name in listing.same)
    return " ".join(text[:_LONGEST_COMPARED].split()).casefold(), same


def _resemblance(before: _Signature, after: _Signature) -> float:
    """Return the similarity of two items, at least ALIKE if their `same` fields are equal."""
    alike = likeness(before[0], after[0])
    if before[1] == after[1] and all(before[1]) and before[1]:
        return ALIKE + alike * (100 - ALIKE) / 100
    return alike


def likeness(before: str, after: str) -> float:
    """Return the similarity of two texts in percent, the higher of plain and word-sorted order."""
    from rapidfuzz import fuzz  # noqa: PLC0415 - slow to import; most commands compare no texts

    plain: float = fuzz.ratio(before, after)
    if plain >= ALIKE:
        return plain
    sorted_words: float = fuzz.token_sort_ratio(before, after)
    return max(plain, sorted_words)


def _closest(
    old: list[int],
    new: list[int],
    score: Callable[[int, int], float],
    *,
    at_least: float = 0.0,
) -> list[Pair]:
    """Pair the positions that score highest first; equal scores pair nearer positions first.

    Swapping the two sides gives the same pairs. Too many positions to compare are paired in
    their order.
    """
    if len(old) * len(new) > _MOST_COMPARISONS:
        return list(zip(old, new, strict=False))
    candidates = [
        (-points, abs(i - j), i + j, i, j)
        for i in old
        for j in new
        if (points := score(i, j)) >= at_least
    ]
    pairs: list[Pair] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for *_, i, j in sorted(candidates):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            pairs.append((i, j))
    return pairs
