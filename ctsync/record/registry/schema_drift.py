"""Drift of the registry's schema: fields nobody declared, and fields that vanish; pure, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ctsync.model import JsonObject
from ctsync.record.fields.table import FIELDS, field_at

SHARE_PERCENT = 50.0
"""Of the records that had a field, how many must have lost it for that to be drift."""

AT_LEAST = 10
"""How many records must have had a field before its vanishing says anything."""


_Declared = dict[str, "_Declared"]


def field_paths(body: JsonObject) -> set[str]:
    """Every path of a record, of objects, lists and leaves alike; known or not."""
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
    """The paths of a record that no table declares; of an unknown part only its own path."""
    found: set[str] = set()
    _look_through(body, _declared(), "", found)
    return found


def _look_through(value: Any, declared: _Declared, path: str, found: set[str]) -> None:
    if isinstance(value, dict):
        inside = f"{path}." if path else ""
        # by sets and not by paths: of most objects that is all there is to be asked
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
    """The names that the tables declare, each with those below it."""
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
    """A known field that many records of one load lost."""

    path: str
    had: int
    lost: int

    @property
    def summary(self) -> str:
        """What happened, in one line."""
        label = field_at(self.path).label
        return (
            f"Schema drift: {label} ({self.path}) is gone from {self.lost:,} of the "
            f"{self.had:,} records that had it"
        )


@dataclass(slots=True)
class DriftCount:
    """What of the schema was seen to drift in one load; fed with one trial after another."""

    unknown: Counter[str] = field(default_factory=Counter)
    _had: Counter[str] = field(default_factory=Counter)
    _lost: Counter[str] = field(default_factory=Counter)

    def add(self, before: JsonObject | None, after: JsonObject) -> None:
        """Count one trial fetched; `before` is its record of the load before, if there is one.

        A trial that did not change counts too: give the same record twice.
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
        """The known fields that more than a share of the records lost, outermost ones only."""
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
