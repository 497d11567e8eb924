"""Finding a field in a record by its path or the end of it; pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ctsync.model import JsonObject


def values_at(body: JsonObject, path: str) -> dict[str, Any]:
    """Every value whose dotted path is `path` or ends with it, by its full path.

    Case does not matter. Items of a list are numbered from 0 in the full path
    ("...locations[3].city") and left out of what is asked for ("locations.city"). Where a
    value found holds further matches only the outer one is given.
    """
    wanted = tuple(path.lower().split("."))
    return dict(_search(body, (), "", wanted))


def _search(
    value: Any, steps: tuple[str, ...], where: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    if steps and steps[-len(wanted) :] == wanted:
        yield where, value
    elif isinstance(value, dict):
        for key, child in value.items():
            here = f"{where}.{key}" if where else key
            yield from _search(child, (*steps, key.lower()), here, wanted)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _search(item, steps, f"{where}[{number}]", wanted)
