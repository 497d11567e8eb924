"""A record as people read it: sections in the registry's order, fields with their labels.

Enum values and dates are in words, and lists of objects are tables. Every value of the record is
in it; those that ctsync does not know are in the last section. Remote text is not changed: each
format makes it safe for its own sink. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctsync.model import JsonObject
from ctsync.record.compare.text_diff import without_escapes
from ctsync.record.enum_words import enum_words, is_enum
from ctsync.record.fields.field_types import Shape
from ctsync.record.fields.table import FIELDS, field_at
from ctsync.record.value_text import counted, plain, typed, typed_date

_ORDER = {path: position for position, path in enumerate(FIELDS)}
_PROTOCOL = "protocolSection"
_MOST_COLUMNS = 7
_UNKNOWN = "Fields ctsync does not know"
_TYPED = ({"date"}, {"date", "type"}, {"count"}, {"count", "type"})
# identification before the sponsor, as on the registry's page; results after the protocol
_LATER = ("hasResults", "resultsSection", "documentSection", "annotationSection", "derivedSection")


@dataclass(frozen=True, slots=True)
class RecordTable:
    """A list of objects: a column per field, a row per item."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field with its label, and its value as a text, lines, a table or parts of its own."""

    path: str
    label: str
    text: str = ""
    lines: tuple[str, ...] = ()
    table: RecordTable | None = None
    parts: tuple[ShownField, ...] = ()

    @property
    def count(self) -> str:
        """The number of items of a list, in words; empty for another value."""
        number = len(self.table.rows) if self.table else len(self.lines)
        return counted(number, "item") if number > 1 else ""


@dataclass(frozen=True, slots=True)
class RecordSection:
    """A part of a record; a `is_folded` one is long or seldom read."""

    title: str
    path: str
    fields: tuple[ShownField, ...]
    is_folded: bool = False


def record_sections(body: JsonObject, *, without: Collection[str] = ()) -> list[RecordSection]:
    """Return the sections of a record.

    `without` are the paths of fields to leave out, without list items; a field that holds one of
    them is left out too.
    """
    left_out = frozenset(without)
    found = [_section(path, value, left_out) for path, value in _modules(body)]
    unknown = tuple(_unknown(body, ""))
    if unknown and not left_out:
        found.append(RecordSection(_UNKNOWN, "unknown", unknown))
    return [section for section in found if section.fields]


def _modules(body: JsonObject) -> Iterator[tuple[str, Any]]:
    """Yield the modules of the protocol, then the other sections."""
    protocol = body.get(_PROTOCOL)
    if isinstance(protocol, Mapping):
        yield from _in_order(protocol, _PROTOCOL)
    for name in _LATER:
        if name in body:
            yield name, body[name]


def _in_order(value: Mapping[str, Any], path: str) -> list[tuple[str, Any]]:
    """Return the declared parts of an object by their paths, in the order of the field table."""
    parts = ((f"{path}.{key}" if path else key, item) for key, item in value.items())
    known = [(below, item) for below, item in parts if below in FIELDS]
    return sorted(known, key=_position)


def _position(pair: tuple[str, Any]) -> int:
    return _ORDER[pair[0]]


def _section(path: str, value: Any, without: frozenset[str]) -> RecordSection:
    fields = _fields(path, value, without) if isinstance(value, Mapping) else [_field(path, value)]
    shown = tuple(field for field in fields if not _is_left_out(field.path, without))
    return RecordSection(field_at(path).label, path, shown, is_folded=path in _LATER)


def _is_left_out(path: str, without: frozenset[str]) -> bool:
    return any(
        one == path or one.startswith(f"{path}.") or path.startswith(f"{one}.") for one in without
    )


def _fields(path: str, value: Mapping[str, Any], without: frozenset[str]) -> list[ShownField]:
    return [
        _field(below, item)
        for below, item in _in_order(value, path)
        if not _is_left_out(below, without)
    ]


def _field(path: str, value: Any, label: str = "") -> ShownField:
    label = label or field_at(path).label
    if isinstance(value, list):
        return _list(path, value, label)
    if isinstance(value, Mapping) and set(value) not in _TYPED:
        parts = tuple(_fields(path, value, frozenset()))
        # an object of one value is that value
        return (
            replace(parts[0], label=label)
            if len(parts) == 1
            else ShownField(path, label, parts=parts)
        )
    return ShownField(path, label, text=_words(value, path))


def _words(value: Any, path: str) -> str:
    """Return a value in words; a text keeps its lines."""
    if isinstance(value, Mapping) and set(value) in _TYPED:
        kind = value.get("type") if isinstance(value.get("type"), str) else None
        count = value.get("count")
        if "date" in value:
            return typed_date(value["date"], kind)
        return typed(f"{count:,}" if isinstance(count, int) else plain(count), kind)
    if isinstance(value, str):
        if is_enum(path):
            return enum_words(value, path)
        return without_escapes(value) if field_at(path).shape is Shape.MARKUP else value
    return plain(value, field=path)


def _list(path: str, items: Sequence[Any], label: str) -> ShownField:
    if not all(isinstance(item, Mapping) for item in items):
        lines = tuple(_words(item, path) for item in items)
        return (
            ShownField(path, label, lines[0])
            if len(lines) == 1
            else ShownField(path, label, lines=lines)
        )
    keys = _columns(path, items)
    if len(keys) <= _MOST_COLUMNS and not any(_is_deep(item[k]) for item in items for k in item):
        return ShownField(path, label, table=_table(path, items, keys))
    names = (f"{label} {n}" for n in range(1, len(items) + 1))
    return ShownField(path, label, parts=tuple(map(_field, [path] * len(items), items, names)))


def _columns(path: str, items: Iterable[Mapping[str, Any]]) -> list[str]:
    used = {key for item in items for key in item if f"{path}.{key}" in FIELDS}
    return sorted(used, key=lambda key: _ORDER[f"{path}.{key}"])


def _is_deep(value: Any) -> bool:
    """Return whether a table cell could not hold a value: a list of objects with lists."""
    if not isinstance(value, list):
        return False
    return any(
        isinstance(part, list)
        for item in value if isinstance(item, Mapping)
        for part in item.values()
    )  # fmt: skip


def _table(path: str, items: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> RecordTable:
    above = field_at(path).label
    labels = (field_at(f"{path}.{key}").label for key in keys)
    return RecordTable(
        tuple(_short(label, above) for label in labels),
        tuple(
            tuple(_words(item[key], f"{path}.{key}") if key in item else "" for key in keys)
            for item in items
        ),
    )


def _short(label: str, above: str) -> str:
    """Return the label of a column without the label of its list."""
    rest = label.removeprefix(above).strip()
    return rest[:1].upper() + rest[1:] if rest else label


def _unknown(value: Any, path: str) -> Iterator[ShownField]:
    """Yield the values at undeclared paths, by their path; values of a list together."""
    found: dict[str, list[str]] = {}
    for where, item in _undeclared(value, path):
        found.setdefault(where, []).append(plain(item))
    for where in sorted(found):
        texts = tuple(found[where])
        is_one = len(texts) == 1
        yield ShownField(where, where, texts[0] if is_one else "", () if is_one else texts)


def _undeclared(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _undeclared(item, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if below in FIELDS or below == _PROTOCOL:
                yield from _undeclared(item, below)
            else:
                yield below, item
