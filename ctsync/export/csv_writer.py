"""Rows as CSV, a line at a time; no I/O.

What is missing is written NA, as R's readers expect it and pandas takes it. Numbers are numbers,
truth is TRUE or FALSE, and no spreadsheet takes a cell for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from ctsync.text import for_csv

MISSING = "NA"


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The heading, then each row as one text with its line break; a cell may hold others."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        yield text.getvalue()
        text.seek(0)
        text.truncate()
        writer.writerow([_cell(row[name]) for name in columns])
    yield text.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case None:
            return MISSING
        case bool():
            return "TRUE" if value else "FALSE"
        case date():
            return value.isoformat()
        case str():
            return for_csv(value)
        case _:
            return value
