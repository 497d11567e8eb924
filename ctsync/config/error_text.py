"""Messages about wrong settings: the problem and its correction. Does no I/O.

A message repeats a value only if it cannot be a secret.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ctsync.config.secrets import HIDDEN_KEYS, SECRET_KEYS, Location
from ctsync.config.settings import Settings
from ctsync.text import nearest

# these errors concern a section or a list; the message does not repeat its value
_SHAPES = {
    "model_type": "must be a section of settings",
    "model_attributes_type": "must be a section of settings",
    "dict_type": "must be a table of keys and values",
    "tuple_type": "must be a list, in [ ]",
}


def sentence(error: ErrorDetails) -> str:
    """The message for one of pydantic's errors."""
    kind, where = error["type"], error["loc"]
    if kind == "extra_forbidden":
        return f"there is no such setting; {nearest(str(where[-1]), _keys_beside(where))}"
    if kind == "missing":
        return "is missing"
    if kind in _SHAPES:
        return _SHAPES[kind]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    said = error["msg"].replace("Input should be", "must be").replace("String should", "must")
    given = error["input"]
    may_be_secret = (where[0], where[-1]) in SECRET_KEYS + HIDDEN_KEYS
    if may_be_secret or not isinstance(given, str | int | float):
        return said
    return f"{said}, not {given!r}"


def _keys_beside(where: Location) -> Collection[str]:
    """The known keys in the section of an unknown key."""
    model: type[BaseModel] = Settings
    for step in where[:-1]:
        field = model.model_fields.get(str(step))
        inner = (field.annotation, *get_args(field.annotation)) if field else ()
        models = [one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)]
        model = models[0] if models else model
    return model.model_fields
