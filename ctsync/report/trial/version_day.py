"""The stored versions of a trial by number and day, to choose from. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class VersionDay:
    """A version with a record: its number, and the first day on which it was in force."""

    number: int
    since: date


def step_before(versions: Sequence[VersionDay], number: int) -> tuple[int, int] | None:
    """Return the step that ends with a version; None if there is none."""
    return next((pair for pair in _steps(versions) if pair[1] == number), None)


def step_after(versions: Sequence[VersionDay], number: int) -> tuple[int, int] | None:
    """Return the step that begins with a version; None if there is none."""
    return next((pair for pair in _steps(versions) if pair[0] == number), None)


def _steps(versions: Sequence[VersionDay]) -> list[tuple[int, int]]:
    return list(pairwise(version.number for version in versions))
