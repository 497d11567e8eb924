"""Rows as CSV, one line at a time. Does no I/O.

Missing values are written as NA, which R and pandas read as missing. Booleans are TRUE or FALSE.
No spreadsheet runs a cell as a formula.
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
    """Yield the header, then each row with its line break; cells may contain line breaks."""
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
