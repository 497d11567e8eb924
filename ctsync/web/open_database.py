"""The database of a server: opened for reading when it is first needed, and again if replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ctsync.errors import StoreError
from ctsync.store.store import Store

AnswerT = TypeVar("AnswerT")


class OpenDatabase:
    """Lends a view of the database to each request. Safe to use from several threads.

    A database that is missing, or that `ctsync restore` replaces, is found at the next request.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._lock = threading.Lock()
        self._store: Store | None = None

    @contextmanager
    def view(self) -> Iterator[Store]:
        """Yield a store whose reads all see the same moment. Raises StoreError."""
        with self._current().one_view() as store:
            yield store

    def ask(self, question: Callable[[Store], AnswerT]) -> AnswerT:
        """Answer a question about one moment; asks again if an open connection was lost.

        Raises StoreError.
        """
        was_open = self._store is not None
        try:
            with self.view() as store:
                return question(store)
        except StoreError:
            if not was_open:
                raise
            self.close()
        with self.view() as store:
            return question(store)

    def close(self) -> None:
        """Close every connection. Other threads end their questions."""
        with self._lock:
            self._forget()

    def _current(self) -> Store:
        with self._lock:
            if self._store is not None and self._store.was_replaced:
                self._forget()
            if self._store is None:
                self._store = self._open()
            return self._store

    def _forget(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
