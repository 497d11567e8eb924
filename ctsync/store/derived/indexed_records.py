"""The records that searches by the text index found, kept for their later pages. No SQL here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import compress
from threading import Lock

MOST_BYTES = 32 * 2**20
"""The memory of the records that are kept; those of a search take a megabyte per 30,000 trials."""


@dataclass(frozen=True, slots=True)
class IndexedRecords:
    """Some of the records in the index, by their numbers: `text_bodies.id`.

    `flags` has one byte per number, 1 or 0. Texts have numbers too, and no meaning here. Number 0
    stands for a version whose record is not in the index. A set of numbers would take 50 times the
    memory.
    """

    flags: bytes

    @property
    def count(self) -> int:
        """How many records these are."""
        return self.flags.count(1)

    def has(self, number: int | None) -> bool:
        """Whether a record is one of them; None: it is not in the index."""
        return self.flags[number or 0] == 1

    def numbers(self) -> Iterator[int]:
        """Iterate over the numbers of the records, upwards."""
        return compress(range(len(self.flags)), self.flags)


class KeptRecords:
    """The records of the newest searches, so that each page of a search need not find them again.

    A key must name the state of the data. For several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, IndexedRecords] = OrderedDict()

    def records(self, key: Hashable, find: Callable[[], IndexedRecords]) -> IndexedRecords:
        """Return the records that are kept, or find them."""
        with self._lock:
            kept = self._kept.get(key)
        found = find() if kept is None else kept
        with self._lock:
            self._kept[key] = found
            self._kept.move_to_end(key)
            while sum(len(one.flags) for one in self._kept.values()) > MOST_BYTES:
                self._kept.popitem(last=False)
        return found
