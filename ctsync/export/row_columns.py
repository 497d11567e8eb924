"""Rows of questions as rows of typed columns, by the types of their fields. Does no I/O.

    text, an enumeration          TEXT
    int, float, bool              INTEGER, FLOAT, FLAG
    date                          DATE
    datetime                      TIME, in UTC
    a registry date               three columns, as in export.columns
    a list, an object, any value  TEXT: its JSON, as row_json writes it

A registry date is a text field with a name of REGISTRY_DATES, or a PartialDate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from ctsync.dates import PartialDate
from ctsync.export.columns import (
    REGISTRY_DATES,
    ColumnType,
    Row,
    date_values,
    dated_columns,
)
from ctsync.model import MISSING
from ctsync.report.rows.row_json import dump

_TYPES: tuple[tuple[type, ColumnType], ...] = (
    (bool, ColumnType.FLAG),  # before int, which a bool is as well
    (int, ColumnType.INTEGER),
    (float, ColumnType.FLOAT),
    (datetime, ColumnType.TIME),  # before date, which a datetime is as well
    (date, ColumnType.DATE),
    (Enum, ColumnType.TEXT),
    (str, ColumnType.TEXT),
)


def columns_of(row_type: type) -> Mapping[str, ColumnType]:
    """Return the columns of a type of row, in the order of its fields."""
    found: dict[str, ColumnType] = {}
    for name, column in _fields(row_type).items():
        found |= {name: column} if column is not None else dated_columns(name)
    return found


def values_of(row: Any) -> Row:
    """Return a row as values of its columns."""
    found: Row = {}
    for name, column in _fields(type(row)).items():  # type: ignore[arg-type]  # it has a hash
        value = getattr(row, name)
        if column is None:
            found |= date_values(name, getattr(value, "text", value))
        else:
            found[name] = None if value is None or value is MISSING else _value(value, column)
    return found


@cache
def _fields(row_type: type) -> Mapping[str, ColumnType | None]:
    """Return the type of each field; None for a registry date."""
    hints = get_type_hints(row_type)
    found: dict[str, ColumnType | None] = {}
    for field in fields(row_type):
        kind = _without_none(hints[field.name])
        is_date = kind is PartialDate or (kind is str and field.name in REGISTRY_DATES)
        found[field.name] = None if is_date else _column(kind)
    return found


def _without_none(hint: Any) -> Any:
    """Return the one type of an optional value; other types are returned unchanged."""
    hint = getattr(hint, "__supertype__", hint)  # a NewType, such as NctId
    parts = [part for part in get_args(hint) if part is not NoneType]
    is_optional = NoneType in get_args(hint) and len(parts) == 1
    return getattr(parts[0], "__supertype__", parts[0]) if is_optional else hint


def _column(kind: Any) -> ColumnType:
    if isinstance(kind, type):
        for one, column in _TYPES:
            if issubclass(kind, one):
                return column
    return ColumnType.TEXT


def _value(value: Any, column: ColumnType) -> Any:
    return _CONVERTERS.get(column, _unchanged)(value)


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return value if isinstance(value, str) else dump(value).decode()


def _unchanged(value: Any) -> Any:
    return value


_CONVERTERS: Mapping[ColumnType, Callable[[Any], Any]] = {
    ColumnType.TEXT: _text,
    ColumnType.TIME: lambda moment: moment.astimezone(UTC),
}
