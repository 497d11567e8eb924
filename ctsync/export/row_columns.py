"""Rows of questions as rows of typed columns, by the types of their fields. Does no I/O.

    text, an enumeration          TEXT
    int, float, bool              INTEGER, FLOAT, FLAG
    date                          DATE
    datetime                      TIME, in UTC
    a registry date               three columns, as in export.columns
    a list, an object, any value  TEXT: its JSON, as row_json writes it; a text is in quotes

A registry date is a text field with a name of REGISTRY_DATES, or a PartialDate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

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

Convert = Callable[[Any], Any]


def _unchanged(value: Any) -> Any:
    return value


def _word(value: Any) -> str:
    return str(value.value)


def _json(value: Any) -> str:
    return dump(value).decode()


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC)


_TYPES: tuple[tuple[type, ColumnType, Convert], ...] = (
    (bool, ColumnType.FLAG, _unchanged),  # before int, which a bool is as well
    (int, ColumnType.INTEGER, _unchanged),
    (float, ColumnType.FLOAT, _unchanged),
    (datetime, ColumnType.TIME, _in_utc),  # before date, which a datetime is as well
    (date, ColumnType.DATE, _unchanged),
    (Enum, ColumnType.TEXT, _word),  # before str, which many enums are as well
    (str, ColumnType.TEXT, _unchanged),
)


def columns_of(row_type: type) -> Mapping[str, ColumnType]:
    """Return the columns of a type of row, in the order of its fields."""
    found: dict[str, ColumnType] = {}
    for name, read in _fields(row_type).items():
        found |= dated_columns(name) if read is None else {name: read[0]}
    return found


def values_of(row: Any) -> Row:
    """Return the value of each column of a row."""
    found: Row = {}
    row_type: type = type(row)
    for name, read in _fields(row_type).items():
        value = getattr(row, name)
        if read is None:
            found |= date_values(name, getattr(value, "text", value))
        else:
            found[name] = None if value is None or value is MISSING else read[1](value)
    return found


@cache
def _fields(row_type: type) -> Mapping[str, tuple[ColumnType, Convert] | None]:
    """Return the type of each column and its conversion; None for a registry date."""
    hints = get_type_hints(row_type)
    found: dict[str, tuple[ColumnType, Convert] | None] = {}
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


def _column(kind: Any) -> tuple[ColumnType, Convert]:
    if get_origin(kind) is Literal:
        kind = type(get_args(kind)[0])
    if isinstance(kind, type):
        for one, column, convert in _TYPES:
            if issubclass(kind, one):
                return column, convert
    return ColumnType.TEXT, _json
