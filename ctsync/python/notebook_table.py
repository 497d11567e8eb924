"""Rows as an HTML table for notebooks, of a bounded size. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from ctsync.record.value_text import counted
from ctsync.report.rows.row_json import dump, to_json
from ctsync.text import for_markup, shorten

MOST_ROWS = 20
"""The most rows that a table shows; it counts the others."""
MOST_CHARACTERS = 120
"""The most characters of a value that a table shows."""

_LONGEST_ON_ONE_LINE = 40
_CELL = "text-align: left; vertical-align: top; "
_SHORT = f"{_CELL}white-space: nowrap"
_LONG = f"{_CELL}white-space: normal; min-width: 20em; max-width: 32em; overflow-wrap: anywhere"


def notebook_table(row_type: type, rows: Sequence[Any], notes: Sequence[str]) -> str:
    """Return the first rows as an HTML table, without the columns that have no value in them.

    Text of the registry is escaped. The lines below the table name what it does not show.
    """
    shown = [to_json(row) for row in rows[:MOST_ROWS]]
    names = list(shown[0]) if shown else []
    empty = [name for name in names if all(_is_empty(row[name]) for row in shown)]
    columns = [name for name in names if name not in empty]
    below = [f"{row_type.__name__}: {counted(len(rows), 'row')}", *notes]
    if len(rows) > MOST_ROWS:
        below.append(f"{len(rows) - MOST_ROWS:,} more rows are not shown; all rows: .df() or .pl()")
    if empty:
        below.append(f"without a value in these rows: {', '.join(empty)}")
    lines = "".join(f"<div>{_safe(one)}</div>" for one in below)
    return f'<div style="overflow-x: auto">{"".join(_table(columns, shown))}{lines}</div>'


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    head = "".join(f'<th style="text-align: left">{_safe(name)}</th>' for name in columns)
    yield f"<table><thead><tr>{head}</tr></thead><tbody>"
    for row in rows:
        cells = "".join(_cell(row[name]) for name in columns)
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table>"


def _cell(value: Any) -> str:
    if _is_empty(value):
        return "<td></td>"
    text = value if isinstance(value, str) else dump(value).decode()
    style = _SHORT if len(text) <= _LONGEST_ON_ONE_LINE else _LONG
    return f'<td style="{style}">{_safe(shorten(text, MOST_CHARACTERS))}</td>'


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _safe(text: str) -> str:
    return escape(for_markup(text))
