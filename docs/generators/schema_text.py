"""JSON Schemas in words: the type of a value, with its limits. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
    "array": "list",
}
_FORMATS = {"date": "date", "date-time": "time", "path": "path", "password": "secret"}
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "at most {} characters",
}


def type_text(schema: Schema, *, link: str = "#{}", null: bool = True) -> str:
    """Return the type of a value as Markdown; `link` makes the target of a named type.

    Without `null`, a value that may be missing is described by its other type only.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({link.format(name.lower())})" if link else f"`{name}`"
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if null or kind.get("type") != "null"]
        return " or ".join(type_text(kind, link=link) for kind in kinds)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array" and schema.get("items"):
        return f"list of {type_text(schema['items'], link=link)}"
    named = _FORMATS.get(schema.get("format", "")) or _NAMES.get(schema.get("type", ""))
    named = named or "any value"
    if isinstance(values := schema.get("additionalProperties"), Mapping) and values:
        named = f"object with values of the type {type_text(values, link=link)}"
    limits = [text.format(f"{schema[key]:g}") for key, text in _LIMITS.items() if key in schema]
    return ", ".join([named, *limits])
