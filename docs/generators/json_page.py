"""The page of the JSON answers, from the schemas of `ctsync schema`."""

from __future__ import annotations

from ctsync.questions.schemas import names, schema
from docs.generators.markdown_text import code, escape, page, table
from docs.generators.schema_text import Schema, type_text

PATH = "reference/json.md"


def json_page() -> str:
    """Return the page: each schema with its keys, then the types that several schemas use."""
    answers = {name: schema(name) for name in names()}
    types = {name: kind for answer in answers.values() for name, kind in _types(answer)}
    parts = [_object(code(name), name, answer) for name, answer in answers.items()]
    parts += ["## Shared types"]
    parts += [_object(name, name.lower(), types[name], depth=3) for name in sorted(types)]
    return page(
        "JSON",
        "Every key of the JSON that ctsync writes.",
        "Every command that lists something takes `--json`. Webhooks, exports and commands write "
        "the same JSON for the same thing. `ctsync schema` lists the JSON Schemas, and "
        "`ctsync schema NAME` prints one. The number at the end of a schema's id increases if a "
        "key changes its meaning or is removed.",
        *parts,
    )


def _types(answer: Schema) -> list[tuple[str, Schema]]:
    return list(answer.get("$defs", {}).items())


def _object(heading: str, anchor: str, kind: Schema, *, depth: int = 2) -> str:
    parts = [f"{'#' * depth} {heading} {{#{anchor}}}", escape(kind.get("description", ""))]
    if "$id" in kind:
        parts.append(f"Schema: `{kind['$id']}`")
    if "properties" in kind:
        rows = [
            (code(key), type_text(value), escape(value.get("description", "")))
            for key, value in kind["properties"].items()
        ]
        parts.append(table(("Key", "Type", "Meaning"), rows))
    else:
        parts.append(f"One of: {type_text(kind)}" if "enum" in kind else f"A {type_text(kind)}.")
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"
