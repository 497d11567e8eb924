"""Types of the field table: field, value shape, list key, table row, branch.

Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ctsync.model import Category, Kind


class Shape(StrEnum):
    """The type of value a field holds."""

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
    """How the items of a list are identified and matched, and whether their order is content.

    `key`: the fields that identify an item. "pmid/citation" means the first of the two that is
    present. An empty key means that the item's own value identifies it.
    `ordered`: order is content. Other lists are sorted by key.
    `like`, `within`, `same`: how to match items that share no key. Their `like` texts are
    compared, but only between items with equal `within` fields. Items whose `same` fields are
    equal too are the same item under a new name.
    `second_key`: the fields that identify an item whose key was edited, if all of them are given.

    If several items share a key, the ones with the most equal fields are matched.
    """

    key: tuple[str, ...] = ()
    ordered: bool = False
    like: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    second_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: path, label, category, event kind and value shape.

    `whole`: adding or removing the object is one change, not one per leaf.
    `summed`: one event reports all changes below the field.
    `volatile`: not content; changes with every data refresh and is not stored.
    `known`: false for a path that the table does not declare.
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
    """One line of the field table; `path` is relative to the branch."""

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
    """A module of the record, with the default category and kind of its rows."""

    path: str
    category: Category
    kind: Kind
    rows: tuple[Row, ...]
