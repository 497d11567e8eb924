"""Batches of ids, halved if the registry cannot answer them. Remembers the size that worked.

The registry documents no largest number of ids in a request. Does no I/O; a callable fetches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import TypeVar

from ctsync.errors import (
    AnswerTooLarge,
    BadAnswer,
    DeadlineExceeded,
    RegistryError,
    RequestRefused,
)
from ctsync.model import NctId
from ctsync.text import for_log

DIVISIBLE = (RequestRefused, BadAnswer, AnswerTooLarge, DeadlineExceeded)
"""The errors that a smaller batch may avoid. Other errors say nothing about the batch."""

_T = TypeVar("_T")
_logger = logging.getLogger(__name__)


class IdBatches:
    """Splits ids into batches; shared by all requests of a run.

    If a batch fails with a DIVISIBLE error, its halves are tried, down to single ids. If an id
    fails alone, it was the cause, and later batches are as large as before. Otherwise their size
    was the cause: later batches are not larger than the largest that worked.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._worked = 0
        self._failed: int | None = None

    @property
    def size(self) -> int:
        """The number of ids in the next batch."""
        return self._worked if self._worked and self._failed is not None else self._largest

    def each(
        self, ids: Sequence[NctId], fetch: Callable[[Sequence[NctId]], _T], *, most: int
    ) -> Iterator[tuple[Sequence[NctId], _T | RegistryError]]:
        """Yield each batch with what `fetch` returns for it, in the order of `ids`.

        A batch that cannot be fetched is yielded with its error, and the next one is tried. `most`
        limits the size: as many ids as fit into the URL.
        """
        waiting = [ids] if ids else []
        while waiting:
            batch, size = waiting.pop(), min(most, self.size)
            if len(batch) > size:
                if self._failed is not None:
                    size = ceil(len(batch) / ceil(len(batch) / size))  # equal parts
                waiting.append(batch[size:])
                batch = batch[:size]
            try:
                answer = fetch(batch)
            except DIVISIBLE as error:
                if len(batch) == 1:
                    self._failed = None
                    yield batch, error
                    continue
                _logger.info(
                    "the registry did not answer a request for %d trials; requesting them in two "
                    "halves: %s",
                    len(batch),
                    for_log(str(error)),
                )
                self._note_failure(len(batch))
                middle = len(batch) // 2
                waiting += [batch[middle:], batch[:middle]]
            except RegistryError as error:
                _logger.info(
                    "the registry did not answer a request for %s: %s",
                    "1 trial" if len(batch) == 1 else f"{len(batch)} trials",
                    for_log(str(error)),
                )
                yield batch, error
            else:
                self._worked = max(self._worked, len(batch))
                yield batch, answer

    def _note_failure(self, count: int) -> None:
        self._failed = count
        if self._worked >= count:
            self._worked = 0  # it no longer works at this size
