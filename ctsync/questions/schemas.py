"""The JSON Schemas of the answers to all questions, by name. Does no I/O except imports.

A question's module lists the row types of its answers in SCHEMAS, by the name of their schema:
the type of the answer, or of each item of an answer that is a list. The modules in `results` do
the same for the commands that change something.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from ctsync import questions
from ctsync.errors import UsageError
from ctsync.model import JsonObject
from ctsync.report.rows.row_schema import schema_of
from ctsync.text import nearest

SCHEMA_VERSION = 1
"""Increases if a key of any row changes its meaning or is removed."""


@cache
def row_types() -> Mapping[str, type]:
    """The row type of each schema by its name, in alphabetical order; imports every question."""
    modules = walk_packages(questions.__path__, f"{questions.__name__}.")
    listed = (getattr(import_module(module.name), "SCHEMAS", {}) for module in modules)
    return dict(sorted(row for rows in listed for row in rows.items()))


def names() -> tuple[str, ...]:
    """The names of all schemas, in alphabetical order."""
    return tuple(row_types())


def schema_id(name: str) -> str:
    """The identifier of a schema, as documents name it; does not check that it exists."""
    return f"urn:ctsync:schema:{name}:{SCHEMA_VERSION}"


def schema(name: str) -> JsonObject:
    """The JSON Schema of one row; raises UsageError for an unknown name."""
    found = row_types().get(name)
    if found is None:
        raise UsageError(f"there is no schema {name!r}; {nearest(name, row_types())}")
    described = schema_of(found)
    return {"$schema": described["$schema"], "$id": schema_id(name), **described}
