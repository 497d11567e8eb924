"""The JSON Schema of a row type, from its type hints and docstrings.

Describes the JSON that row_json.py writes, where each field is required and a registry date may be
a month. Reads source files.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from ctsync.dates import PartialDate
from ctsync.model import JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARTIAL_DATE = "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"
_SIMPLE: Mapping[Any, JsonObject] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    date: {"format": "date", "type": "string"},
    datetime: {"format": "date-time", "type": "string"},
    Any: {},
}


def schema_of(row_type: type) -> JsonObject:
    """The JSON Schema (draft 2020-12) of a row type, from its type hints and docstrings.

    Raises TypeError for a field without a description, and for a type that has no JSON form.
    """
    shared: dict[str, JsonObject] = {}
    described = _of_row(row_type, shared)
    first = {name: described.pop(name) for name in ("title", "description")}
    named = {"$defs": dict(sorted(shared.items()))} if shared else {}
    return {"$schema": DIALECT, **first, **named, **described}


def _of_row(row_type: type, shared: dict[str, JsonObject]) -> JsonObject:
    hints, descriptions = get_type_hints(row_type), _descriptions(row_type)
    return {
        "additionalProperties": False,
        "description": inspect.getdoc(row_type),
        "properties": {
            name: dict(sorted({**_of_type(hints[name], shared), "description": text}.items()))
            for name, text in descriptions.items()
        },
        "required": [*descriptions],
        "title": row_type.__name__,
        "type": "object",
    }


def _of_type(kind: Any, shared: dict[str, JsonObject]) -> JsonObject:
    """The schema of a type; adds the named types in it to `shared`."""
    if isinstance(kind, NewType):
        kind = kind.__supertype__
    if kind in _SIMPLE:
        return {**_SIMPLE[kind]}
    if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, Enum)):
        if kind.__name__ not in shared:
            shared[kind.__name__] = {}  # a row may hold rows of its own type
            shared[kind.__name__] = _of_class(kind, shared)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    inner = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return {"enum": [getattr(one, "value", one) for one in inner], "type": "string"}
        case origin if origin in {Union, UnionType}:
            return {"anyOf": [_of_type(one, shared) for one in inner]}
        case type() as origin if issubclass(origin, Mapping):
            values = _of_type(inner[1], shared)
            return {"additionalProperties": values or True, "type": "object"}
        case type() as origin if issubclass(origin, tuple | list):
            return {"items": _of_type(inner[0], shared), "type": "array"}
    raise TypeError(f"a value of type {kind} has no JSON form")


def _of_class(kind: type, shared: dict[str, JsonObject]) -> JsonObject:
    text = inspect.getdoc(kind)
    if kind is PartialDate:
        return {"description": text, "pattern": _PARTIAL_DATE, "type": "string"}
    if issubclass(kind, Enum):
        values = [one.value for one in kind]
        return {"description": text, "enum": values, "title": kind.__name__, "type": "string"}
    return _of_row(kind, shared)


def _descriptions(row_type: type) -> dict[str, str]:
    """The text under each field of a row type and of the row types that it extends."""
    found: dict[str, str] = {}
    for base in reversed(row_type.__mro__[:-1]):
        (defined,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = defined.body if isinstance(defined, ast.ClassDef) else []
        for field, below in pairwise(body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    names = [field.name for field in fields(row_type)]
    for name in names:
        if name not in found:
            raise TypeError(f"{row_type.__name__}.{name} has no description")
    return {name: found[name] for name in names}
