"""Lists of trials in files: one term per line, or the CSV download of a search. Does no I/O."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

_ID_COLUMNS = frozenset({"nct number", "nct id", "nct_id", "nctid"})
_DELIMITERS = ",;\t"  # Excel writes ; or tabs in some languages


def read_list(text: str) -> list[str]:
    """Return the terms of a list, in order.

    If the first line is the header of a table with a column of NCT ids ("NCT Number" in the
    site's download), the terms are the cells of that column. Otherwise each line is a term, and
    # begins a comment.
    """
    text = text.removeprefix("\ufeff")
    first, _, rest = text.lstrip().partition("\n")
    for delimiter in _DELIMITERS:
        names = [name.strip(' "\r').lower() for name in first.split(delimiter)]
        column = next((n for n, name in enumerate(names) if name in _ID_COLUMNS), None)
        if column is not None:
            cells = (row[column : column + 1] for row in _rows(rest, delimiter))
            return [cell[0].strip() for cell in cells if cell and cell[0].strip()]
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def join_ids(words: Sequence[str]) -> list[str]:
    """Return the words of a command line, with each "NCT" joined to the digits that follow it."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].upper() == "NCT" and word.isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    # a trial with 1,500 sites fills a cell of more than the 128 KB that the csv module accepts
    before = csv.field_size_limit(max(len(text), 1))
    try:
        yield from csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    finally:
        csv.field_size_limit(before)
