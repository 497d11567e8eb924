"""How rows are best ordered for SQLite, which fills its pages in the order they come. Pure.

A row too large for a page keeps its last bytes in the table's own leaf, where they fill whole
overflow pages but for that rest; no leaf is ever filled up by a later row that would fit. In
the order they happen to come, an eighth of the space of packed records is left empty. The sizes are
SQLite's own: https://www.sqlite.org/fileformat2.html#b_tree_pages
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

PAGE = 4096
"""SQLite's page where nobody chose another; in a file with others the order is only useless."""

_LARGEST_LOCAL = PAGE - 35
_LEAST_LOCAL = (PAGE - 12) * 32 // 255 - 23
_OVERFLOW = PAGE - 4
_LEAF = PAGE - 8
_CELL = 10  # its length, its row id, its pointer; bytes
_FOLLOWS = 4  # the number of the first overflow page


def leaf_bytes(payload: int) -> int:
    """What a row of `payload` bytes takes of a leaf."""
    if payload <= _LARGEST_LOCAL:
        return payload + _CELL
    rest = _LEAST_LOCAL + (payload - _LEAST_LOCAL) % _OVERFLOW
    return (rest if rest <= _LARGEST_LOCAL else _LEAST_LOCAL) + _CELL + _FOLLOWS


def fill_pages(payloads: Sequence[int]) -> list[int]:
    """The order in which rows of these sizes fill SQLite's pages best: their indexes.

    The largest that still fits comes next; where none does, a page begins with the largest left.
    """
    parts = [leaf_bytes(payload) for payload in payloads]
    left = sorted(range(len(parts)), key=parts.__getitem__)
    sizes = [parts[index] for index in left]
    order: list[int] = []
    room = 0
    while left:
        at = bisect_right(sizes, room) - 1
        if at < 0:
            at, room = len(left) - 1, _LEAF
        room -= sizes.pop(at)
        order.append(left.pop(at))
    return order
