"""Schema drift of the registry: undeclared fields, and fields that vanish. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ctsync.model import JsonObject
from ctsync.record.fields.table import FIELDS, field_at

SHARE_PERCENT = 50.0
"""Share of the records with a field, in percent; if more than this lost it, it is drift."""

AT_LEAST = 10
"""Minimum number of records with a field for its loss to count as drift."""


_Declared = dict[str, "_Declared"]


def field_paths(body: JsonObject) -> set[str]:
    """Return every path of a record: objects, lists and leaves, declared or not."""
    return set(_paths(body, ""))


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            here = f"{path}.{key}" if path else key
            yield here
            yield from _paths(child, here)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _paths(item, path)


def unknown_paths(body: JsonObject) -> set[str]:
    """Return the undeclared paths of a record, without the paths below an undeclared one."""
    found: set[str] = set()
    _look_through(body, _declared(), "", found)
    return found


def _look_through(value: Any, declared: _Declared, path: str, found: set[str]) -> None:
    if isinstance(value, dict):
        inside = f"{path}." if path else ""
        # A set difference per object is faster than a lookup per path: most objects have no
        # undeclared keys.
        found.update(f"{inside}{key}" for key in value.keys() - declared.keys())
        for key, child in value.items():
            if isinstance(child, dict | list) and key in declared:
                _look_through(child, declared[key], f"{inside}{key}", found)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                _look_through(item, declared, path, found)


@cache
def _declared() -> _Declared:
    """Return the declared field names as a tree: each name maps to the names below it."""
    at: dict[str, _Declared] = {path: {} for path in FIELDS}
    top: _Declared = {}
    for path, below in at.items():
        outer, _, name = path.rpartition(".")
        if not outer:
            top[name] = below
        elif outer in at:
            at[outer][name] = below
    return top


@dataclass(frozen=True, slots=True)
class VanishedField:
    """A declared field that many records of one load lost."""

    path: str
    had: int
    lost: int

    @property
    def summary(self) -> str:
        """The loss in one line."""
        label = field_at(self.path).label
        return (
            f"Schema drift: {label} ({self.path}) is gone from {self.lost:,} of the "
            f"{self.had:,} records that had it"
        )


@dataclass(slots=True)
class DriftCount:
    """Counts the schema drift of one load, trial by trial."""

    unknown: Counter[str] = field(default_factory=Counter)
    _had: Counter[str] = field(default_factory=Counter)
    _lost: Counter[str] = field(default_factory=Counter)

    def add(self, before: JsonObject | None, after: JsonObject) -> None:
        """Count one fetched trial. `before` is its record from the previous load, None if new.

        Count unchanged trials too: pass the same record twice.
        """
        self.unknown.update(unknown_paths(after))
        if before is None:
            return
        had = field_paths(before)
        self._had.update(had)
        if before is not after:
            self._lost.update(had - field_paths(after))

    def vanished(
        self, *, share_percent: float = SHARE_PERCENT, at_least: int = AT_LEAST
    ) -> list[VanishedField]:
        """Return the declared fields that most records lost; of nested ones only the outermost."""
        found = [
            path
            for path, lost in self._lost.items()
            if field_at(path).known
            and self._had[path] >= at_least
            and 100 * lost > share_percent * self._had[path]
        ]
        inner = {path for path in found if path.rpartition(".")[0] in found}
        return [
            VanishedField(path, self._had[path], self._lost[path])
            for path in sorted(found)
            if path not in inner
        ]
