"""A record as parts of a bounded size, so that an answer can have some of them. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ctsync.model import JsonObject
from ctsync.report.rows.row_json import dump

LARGEST_PIECE = 6_000
"""The most bytes of the JSON of a part; a single text or number may be larger."""


@dataclass(frozen=True, slots=True)
class RecordPiece:
    """A part of a record: a module, or if it is large, a field or a list item of it."""

    path: str
    """The place of the part in the record; list items are numbered from 0."""
    value: Any
    """The value at that place, as `ctsync show --json` writes it."""


def pieces_of(body: JsonObject) -> Iterator[RecordPiece]:
    """Yield the modules of a record in its order; large modules are divided."""
    for section, modules in body.items():
        if isinstance(modules, dict) and modules:
            for name, module in modules.items():
                yield from divided(f"{section}.{name}", module)
        else:
            yield RecordPiece(section, modules)


def divided(path: str, value: Any) -> Iterator[RecordPiece]:
    """Yield a value, or its fields or items if its JSON is large."""
    is_group = isinstance(value, dict | list) and bool(value)
    if not is_group or len(dump(value)) <= LARGEST_PIECE:
        yield RecordPiece(path, value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from divided(f"{path}.{name}", inner)
    else:
        for number, inner in enumerate(value):
            yield from divided(f"{path}[{number}]", inner)
