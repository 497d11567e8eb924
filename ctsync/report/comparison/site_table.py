"""The changed sites of a trial as a table of plain text: one row per country. Does no I/O."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ctsync.record.value_text import counted
from ctsync.report.comparison.site_groups import SiteGroup
from ctsync.report.comparison.styled_lines import Line, Span, Style
from ctsync.text import for_terminal

MOST_ROWS = 10
"""Most countries with their own row; the others share one row."""
_HEADING = 11
"""Widest line of a heading: "NOW NOT YET / RECRUITING"."""
_GAP = "  "
_NONE = "-"


def site_table(groups: Sequence[SiteGroup], *, width: int) -> tuple[Line, ...]:
    """Return a table with a column per group, most changes of a country first.

    Empty if it would be wider than `width`.
    """
    totals = Counter[str]()
    for group in groups:
        totals.update({one.country: len(one.names) for one in group.countries})
    ranked = sorted(totals, key=lambda country: (-totals[country], country))
    # a row for one other country would save nothing
    most = len(ranked) if len(ranked) <= MOST_ROWS + 1 else MOST_ROWS
    counts = [{one.country: len(one.names) for one in group.countries} for group in groups]
    rows = [(for_terminal(country), _cells(counts, [country])) for country in ranked[:most]]
    if others := ranked[most:]:
        rows.append((f"{len(others):,} more (--all)", _cells(counts, others)))
    if len(ranked) > 1:
        rows.append((f"all {counted(len(ranked), 'country', 'countries')}", _cells(counts, ranked)))
    lines = tuple(_lines(rows, [_heading(group) for group in groups], is_summed=len(ranked) > 1))
    return lines if all(_width(line) <= width for line in lines) else ()


def _cells(counts: Sequence[Mapping[str, int]], countries: Sequence[str]) -> list[str]:
    sums = (sum(own.get(country, 0) for country in countries) for own in counts)
    return [f"{number:,}" if number else _NONE for number in sums]


def _heading(group: SiteGroup) -> list[str]:
    return textwrap.wrap(group.what.upper(), _HEADING, break_long_words=False)


def _lines(
    rows: Sequence[tuple[str, list[str]]], headings: Sequence[list[str]], *, is_summed: bool
) -> Iterator[Line]:
    first = max(len(title) for title in ("COUNTRY", *(title for title, _ in rows)))
    widths = [
        max(map(len, [*heading, *(cells[n] for _, cells in rows)]))
        for n, heading in enumerate(headings)
    ]
    height = max(map(len, headings))
    for n in range(height):
        title = "COUNTRY" if n == height - 1 else ""
        # the last line of each heading is directly above the numbers
        texts = [([""] * (height - len(one)) + one)[n] for one in headings]
        yield (Span(_row(title, texts, first, widths), Style.SOFT),)
    for n, (title, cells) in enumerate(rows):
        is_sum = is_summed and n == len(rows) - 1
        style = Style.LABEL if is_sum else Style.PLAIN
        yield (Span(_row(title, cells, first, widths), style),)


def _row(title: str, cells: Sequence[str], first: int, widths: Sequence[int]) -> str:
    numbers = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join([title.ljust(first), *numbers])


def _width(line: Line) -> int:
    return sum(len(span.text) for span in line)
