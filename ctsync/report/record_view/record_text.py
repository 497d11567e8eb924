"""A record of a day or a version as plain text. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.model import Record, Version
from ctsync.report.record_view.shown_record import RecordSection, ShownField, record_sections

_INDENT = "  "


def record_lines(version: Version, record: Record) -> Iterator[str]:
    """Yield the lines; remote text is not made safe for a terminal."""
    yield f"{version.nct_id}  {version.key.brief_title or ''}".rstrip()
    yield version_words(version)
    for section in record_sections(record.body):
        yield ""
        yield from _section(section)


def version_words(version: Version) -> str:
    """Return which version it is: its number, the registry's number, and its days."""
    known = version.registry_version
    parts = [
        f"version {version.version}",
        "" if known is None else f"registry v{known}",
        f"posted {version.posted}" if version.posted else "",
        f"seen {version.observed:%Y-%m-%d}" if version.observed else "",
    ]
    return ", ".join(part for part in parts if part)


def _section(section: RecordSection) -> Iterator[str]:
    yield section.title.upper()
    for field in section.fields:
        yield from _field(field, _INDENT)


def _field(field: ShownField, indent: str) -> Iterator[str]:
    if field.parts or field.table or field.lines:
        yield f"{indent}{field.label}:"
    else:
        first, *rest = field.text.split("\n")
        yield f"{indent}{field.label}: {first}".rstrip()
        yield from (f"{indent}{_INDENT}{line}".rstrip() for line in rest)
    below = indent + _INDENT
    for line in field.lines:
        yield from _item([line], below)
    for part in field.parts:
        yield from _field(part, below)
    if field.table:
        for row in field.table.rows:
            cells = zip(field.table.headings, row, strict=True)
            yield from _item([f"{name}: {cell}" for name, cell in cells if cell], below)


def _item(texts: list[str], indent: str) -> Iterator[str]:
    """Yield the lines of a list item; the first one has a dash."""
    lines = [line for text in texts for line in text.split("\n")]
    for n, line in enumerate(lines):
        yield f"{indent}{'- ' if n == 0 else '  '}{line}".rstrip()
