"""What a server keeps in memory between requests: pages and lists, each for one revision."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Content:
    """The body of an answer. With `filename`, a browser saves it as a file."""

    body: bytes
    media_type: str = "text/html"
    filename: str = ""
    status: int = 200


class NewestValues:
    """Keeps one value per name, and makes it again if its key changed.

    Requests that need the same value at the same time wait for the first of them.
    """

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    def get(
        self, name: str, key: Hashable, make: Callable[[], ValueT], *, keeps_older: bool = False
    ) -> ValueT:
        """Return the value of this name and key.

        With `keeps_older`, `older` returns the value of another key until this one is made.
        """
        with self._locks[name]:
            kept = self._kept.get(name)
            if kept is None or kept[0] != key:
                if not keeps_older:
                    self._kept.pop(name, None)  # before the next one: two would double the memory
                kept = self._kept[name] = key, make()
            value: ValueT = kept[1]
            return value

    def older(self, name: str) -> Any:
        """Return the kept value if another request is making a newer one, else None."""
        kept = self._kept.get(name)
        return kept[1] if kept is not None and self._locks[name].locked() else None


class RecentValues(Generic[ValueT]):
    """Keeps the values that were asked for last, for keys whose value never changes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, ValueT] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """Return the value of a key; two requests may make it at the same time."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


class PageCache:
    """Keeps the pages that were asked for last, up to a number of bytes."""

    def __init__(self, most_bytes: int, *, most_of_page: int) -> None:
        self._most_bytes = most_bytes
        self._most_of_page = most_of_page
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._pages: OrderedDict[Hashable, Content] = OrderedDict()
        self._bytes = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: Hashable, make: Callable[[], Content]) -> Content:
        """Return the page of a key; requests for a page that is being made wait for it."""
        with self._lock:
            page = self._found(key)
            making = self._making.setdefault(key, threading.Lock())
        if page is not None:
            return page
        with making:
            with self._lock:
                page = self._found(key)
            if page is not None:
                return page
            try:
                page = make()
                self._keep(key, page)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return page

    def _found(self, key: Hashable) -> Content | None:
        page = self._pages.get(key)
        if page is not None:
            self.hits += 1
            self._pages.move_to_end(key)
            self._making.pop(key, None)
        return page

    def _keep(self, key: Hashable, page: Content) -> None:
        with self._lock:
            self.misses += 1
            size = len(page.body)
            if size > self._most_of_page or key in self._pages:
                return
            self._pages[key] = page
            self._bytes += size
            while self._bytes > self._most_bytes:
                _, dropped = self._pages.popitem(last=False)
                self._bytes -= len(dropped.body)
