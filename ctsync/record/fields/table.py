"""The one table of the fields of a record: what each is called, where it belongs, what it holds.

Pure, no I/O. A path is dotted and names no item of a list ("…locations.status"). The rows are
in `fields_protocol` and `fields_results`; here they are put together and looked up. A path that
is not declared is of the category unknown, wherever it stands: kept, shown and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import orjson

from ctsync.model import Category, Kind
from ctsync.record.fields.protocol import PROTOCOL
from ctsync.record.fields.results import REST
from ctsync.record.fields.schema import Branch, Field, ListKey, Row, Shape


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
"""Every declared field by its path; never changed."""

VOLATILE: tuple[str, ...] = tuple(f.path for f in FIELDS.values() if f.volatile)
"""What a record holds that is no content: it changes on every load."""

_UNTOLD = ListKey(ordered=True)


@lru_cache(maxsize=4096)
def field_at(path: str) -> Field:
    """What is known of a path.

    A path that is not in the table is `known` = False, of the category unknown, and labelled by
    itself.
    """
    found = FIELDS.get(path)
    if found is not None:
        return found
    return Field(path, path, Category.UNKNOWN, Kind.OTHER, Shape.OBJECT, known=False)


_ITEM = re.compile(r'\[("(?:[^"\\]|\\.)*")\]')


def field_of(path: str) -> str:
    """The field that a path with items in it is about: "a.b" of a["x"].b."""
    return _ITEM.sub("", path)


def outer_item(path: str) -> str | None:
    """The name of the first item in a path, None where there is none."""
    found = _ITEM.search(path)
    return str(orjson.loads(found[1])) if found else None


@lru_cache(maxsize=4096)
def listing_at(path: str) -> ListKey:
    """How the items of the list at a path are told apart; unknown lists by content and order."""
    return field_at(path).items or _UNTOLD


@lru_cache(maxsize=4096)
def told_at(path: str) -> Field:
    """The field whose event tells of a change at this path: itself, or the one that sums it up.

    Everything below an unknown path is told at the shortest unknown one, as nothing is known
    of what is inside.
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
