"""The one JSON form of a row type, which row_schema.py describes. Does no I/O.

A row is a frozen dataclass whose field names are the keys of its JSON. The text under a field is
the field's description in the schema. Values are written as follows:

    datetime (aware)    2026-03-13T09:00:05Z, in UTC, without microseconds
    date, PartialDate   2026-03-13, or with the registry's precision: 2026-03
    enum                its value
    MISSING             null
    tuple, Mapping      array, object
    another row         object
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import orjson

from ctsync.dates import PartialDate, format_timestamp
from ctsync.model import MISSING, JsonObject

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# passed through, because orjson would write a PartialDate as an object
_COMPACT = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS | orjson.OPT_PASSTHROUGH_DATACLASS
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FORMS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Enum, attrgetter("value")),  # before str, which many enums are as well
    (datetime, format_timestamp),  # before date, which a datetime is as well
    (date, date.isoformat),
    (PartialDate, attrgetter("text")),
    (str, str),
)
_NOT_PLAIN_ASCII = re.compile(r"[^\x00-\x7e]")


def to_json(row: DataclassInstance) -> JsonObject:
    """Turn a row into JSON values, keys in the order of its fields."""
    names, values = _columns(type(row))
    return {
        name: value if type(value) in _SCALARS else _plain(value)
        for name, value in zip(names, values(row), strict=False)
    }


def dump(value: object, *, indent: bool = False, ascii_only: bool = False) -> bytes:
    """Write a row, or lists and objects with rows in them, as JSON text.

    With `ascii_only`, other characters are escaped, so that the text has no line end or control
    character for any reader. Raises TypeError for a value that has no JSON form.
    """
    option = _COMPACT | orjson.OPT_INDENT_2 if indent else _COMPACT
    try:
        written = orjson.dumps(value, default=_opened, option=option)
    except orjson.JSONEncodeError:
        # orjson rejects lone surrogates and integers beyond 64 bits, which remote text may contain
        separators = None if indent else (",", ":")
        text = json.dumps(_plain(value), indent=2 if indent else None, separators=separators)
        return text.encode()
    if not ascii_only or (written.isascii() and b"\x7f" not in written):
        return written
    return _NOT_PLAIN_ASCII.sub(_escaped, written.decode()).encode()


def _opened(value: Any) -> Any:
    """Convert the outer level of a value that orjson cannot write; orjson converts its contents."""
    return _opener(value.__class__)(value)


@cache
def _opener(kind: type) -> Callable[[Any], Any]:
    if kind is PartialDate or not hasattr(kind, "__dataclass_fields__"):
        return _plain
    names, values = _columns(kind)
    hints = get_type_hints(kind)
    times = tuple(name for name in names if datetime in (hints[name], *get_args(hints[name])))

    def opened(row: Any) -> JsonObject:
        found = dict(zip(names, values(row)))  # noqa: B905 - strict makes a report 5 % slower
        for name in times:
            time = found[name]
            if time is not None and time.tzinfo is not UTC:
                found[name] = time.astimezone(UTC)
        return found

    return opened


@cache
def _columns(kind: type) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """Return a row's field names, and a getter that reads all values, and one more, in one call.

    Raises TypeError for a type that is not a row.
    """
    if not is_dataclass(kind):
        raise TypeError(f"a value of type {kind.__name__} has no JSON form")
    names = tuple(field.name for field in fields(kind))
    # one more, because attrgetter returns a bare value, not a tuple, for a single name
    return names, attrgetter(*names, "__class__")


def _plain(value: Any) -> Any:
    if type(value) in _SCALARS:
        return value
    for kind, written in _FORMS:
        if isinstance(value, kind):
            return written(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return None if value is MISSING else to_json(value)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
