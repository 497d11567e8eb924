"""The field table of a record: label, category, kind and shape of every declared path.

`protocol.py` and `results.py` hold the rows; this module joins them and looks paths up. Paths
are dotted and name no list items ("…locations.status"). An undeclared path has the category
unknown wherever it occurs: ctsync stores, shows and counts it.

Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import orjson

from ctsync.model import Category, Kind
from ctsync.record.fields.field_types import Branch, Field, ListKey, Row, Shape
from ctsync.record.fields.protocol import PROTOCOL
from ctsync.record.fields.results import REST


def _declared() -> Iterator[Field]:
    for branch in (*PROTOCOL, *REST):
        for row in branch.rows:
            yield _field(branch, row)
    yield Field("protocolSection", "Protocol", Category.IDENTIFICATION, Kind.OTHER, Shape.OBJECT)


def _field(branch: Branch, row: Row) -> Field:
    return Field(
        path=f"{branch.path}.{row.path}" if row.path else branch.path,
        label=row.label,
        category=row.category or branch.category,
        kind=row.kind or branch.kind,
        shape=row.shape,
        items=row.items,
        whole=row.whole,
        summed=row.summed,
        volatile=row.volatile,
    )


FIELDS: dict[str, Field] = {field.path: field for field in _declared()}
"""Every declared field by path. Never modified."""

VOLATILE: tuple[str, ...] = tuple(f.path for f in FIELDS.values() if f.volatile)
"""Paths that are not content, because they change with every data refresh."""

_UNDECLARED_LIST = ListKey(ordered=True)


@lru_cache(maxsize=4096)
def field_at(path: str) -> Field:
    """Return the field declared at a path.

    For an undeclared path, return a field with `known` False, the category unknown, and the
    path as its label.
    """
    found = FIELDS.get(path)
    if found is not None:
        return found
    return Field(path, path, Category.UNKNOWN, Kind.OTHER, Shape.OBJECT, known=False)


_ITEM = re.compile(r'\[("(?:[^"\\]|\\.)*")\]')


def field_of(path: str) -> str:
    """Return the field path of a path with list items: "a.b" for a["x"].b."""
    return _ITEM.sub("", path)


def outer_item(path: str) -> str | None:
    """Return the name of the first list item in a path, or None."""
    found = _ITEM.search(path)
    return str(orjson.loads(found[1])) if found else None


def items_of(path: str) -> Iterator[tuple[str, str]]:
    """Yield each list item of a path, outermost first: the field of its list, and its name."""
    for found in _ITEM.finditer(path):
        yield field_of(path[: found.start()]), str(orjson.loads(found[1]))


@lru_cache(maxsize=4096)
def listing_at(path: str) -> ListKey:
    """Return the list key for a path.

    Items of an undeclared list are identified by their content, and their order is content.
    """
    return field_at(path).items or _UNDECLARED_LIST


@lru_cache(maxsize=4096)
def reporting_field(path: str) -> Field:
    """Return the field whose event reports a change at a path.

    This is the field itself or the summed field above it. Below an undeclared path it is the
    shortest undeclared path, because the structure below is unknown.
    """
    summed: Field | None = None
    steps = path.split(".")
    for length in range(1, len(steps) + 1):
        field = field_at(".".join(steps[:length]))
        if not field.known:
            return field
        if field.summed:
            summed = field
    return summed or field_at(path)
