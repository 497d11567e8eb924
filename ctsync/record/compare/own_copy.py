"""A package imported for ctsync alone, without the optional packages that it would load."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


@contextmanager
def own_copy(package: str, *, without: frozenset[str]) -> Iterator[None]:
    """Import `package` in this block as if the packages `without` were not installed.

    What the block imports of it belongs to the caller: afterwards the package is not listed as
    imported, and another import of it makes a complete copy. Other threads find every package. A
    package that is already loaded is used as it is, because it costs nothing more.
    """
    hidden = _Hidden(without)
    before = set(_modules_of(package))
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
        for name in set(_modules_of(package)) - before:
            del sys.modules[name]


def _modules_of(package: str) -> list[str]:
    return [name for name in list(sys.modules) if name.partition(".")[0] == package]


class _Hidden(MetaPathFinder):
    """Finds no package of these names in the thread that made it."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for a hidden package; leave all others to the next finder."""
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None
