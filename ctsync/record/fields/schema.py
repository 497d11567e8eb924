"""What the field table is made of: a field, the shape of its value, how its list is told apart.

Pure, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ctsync.model import Category, Kind


class Shape(StrEnum):
    """What sort of value a field holds."""

    ENUM = "enum"
    DATE = "date"
    COUNT = "count"
    NUMBER = "number"
    BOOL = "bool"
    TEXT = "text"
    MARKUP = "markup"
    OBJECT = "object"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class ListKey:
    """How the items of a list are told apart, and what their order says.

    `key` are the fields that name an item; "pmid/citation" is the first of the two that is
    there, and no key at all means that the item names itself. `ordered` says that order is
    content; the items of other lists are sorted by key. Of items that share a key, those go
    together that agree in most fields. What is left over is matched by the text of `like`,
    only among items that agree in `within`; those that agree in `same` too are one item under
    another name.
    """

    key: tuple[str, ...] = ()
    ordered: bool = False
    like: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: what it is called, where it belongs, what it holds.

    `whole` marks an object whose coming or going is one change, not one for each of its
    leaves. Changes below a `summed` field are told in one event. `volatile` fields are no
    content at all. `known` is false for a path that no table declares.
    """

    path: str
    label: str
    category: Category
    kind: Kind
    shape: Shape
    items: ListKey | None = None
    whole: bool = False
    summed: bool = False
    volatile: bool = False
    known: bool = True


class Row(NamedTuple):
    """One line of the field table, its path below that of its branch."""

    path: str
    label: str
    shape: Shape
    items: ListKey | None = None
    category: Category | None = None
    kind: Kind | None = None
    whole: bool = False
    summed: bool = False
    volatile: bool = False


class Branch(NamedTuple):
    """A module of the record, with the category and kind of its rows where they say no other."""

    path: str
    category: Category
    kind: Kind
    rows: tuple[Row, ...]
