"""A report as a workbook for Excel and LibreOffice: a sheet of changes, a sheet about the report.

Does no I/O: the workbook is bytes. Needs XlsxWriter, the extra `ctsync[xlsx]`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from ctsync.errors import UsageError
from ctsync.report.formats.change_table import COLUMNS, Column, Value, change_rows
from ctsync.report.report import Report
from ctsync.report.sentences import (
    about_line,
    aside_sentence,
    closing_sentences,
    coverage_line,
    left_out_sentence,
    trial_left_out_sentence,
    window_line,
)
from ctsync.text import for_csv, for_markup, shorten

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

LONGEST_CELL = 32_767
"""Most characters that Excel keeps in a cell; a longer value ends with the number cut."""
MOST_LINKS = 65_530
"""Most links that Excel reads in a sheet; a URL after them is text."""
_FIRST_DAY = date(1900, 3, 1)
"""The first day with the same number in Excel and LibreOffice; earlier days are written as text."""


class _Formats(NamedTuple):
    """The formats of cells. A quoted text stays a text if a person edits its cell."""

    by_type: dict[type, Format]
    quoted: Format


def render_xlsx(report: Report) -> bytes:
    """Write the changes, one row each, with dates as dates; no cell is a formula.

    The header is frozen and has a filter. Raises UsageError if XlsxWriter is missing.
    """
    content = io.BytesIO()
    book = new_workbook(content, about_line(report), created=report.window.until)
    write_sheet(book, "Changes", COLUMNS, (row.values for row in change_rows(report)))
    _about(book, report)
    book.close()
    return content.getvalue()


def new_workbook(content: io.BytesIO, title: str, *, created: datetime) -> Workbook:
    """Return an empty workbook, which writes to `content` when it is closed.

    The time of creation is given, because otherwise two workbooks with the same content would
    differ. Raises UsageError if XlsxWriter is missing.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("xlsx needs XlsxWriter: pip install 'ctsync[xlsx]'") from error
    # remote text must not become a formula, a link or a number
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(content, options | {"strings_to_numbers": False})
    book.set_properties({"title": title, "created": created})
    return book


def write_sheet(
    book: Workbook, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Value]]
) -> None:
    """Add a sheet with a frozen header that has a filter, then one line per row.

    The URLs of link columns are links.
    """
    sheet = book.add_worksheet(name)
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    top = {"valign": "top"}
    by_type = {
        str: book.add_format(top | {"text_wrap": True}),
        date: book.add_format(top | {"num_format": "yyyy-mm-dd"}),
        datetime: book.add_format(top | {"num_format": "yyyy-mm-dd hh:mm"}),
        int: book.add_format(top | {"num_format": "0"}),
        float: book.add_format(top | {"num_format": "0.0"}),
    }
    formats = _Formats(by_type, book.add_format(top | {"text_wrap": True, "quote_prefix": True}))
    for n, column in enumerate(columns):
        sheet.set_column(n, n, column.width)
        sheet.write_string(0, n, column.name, head)
        sheet.write_comment(0, n, column.meaning)
    link = book.add_format(top | {"font_color": "#0563C1", "underline": 1})
    links = MOST_LINKS
    last = 0
    for last, row in enumerate(rows, 1):
        # without a height, a row grows to the height of its longest text
        sheet.set_row(last, 15)
        for n, (value, column) in enumerate(zip(row, columns, strict=True)):
            if column.is_link and value and links:
                sheet.write_url(last, n, str(value), link, str(value))
                links -= 1
            else:
                _write(sheet, (last, n), value, formats)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, last, len(columns) - 1)


def _write(sheet: Worksheet, cell: tuple[int, int], value: Value, formats: _Formats) -> None:
    match value:
        case None | "":
            return
        case datetime() if value.date() >= _FIRST_DAY:
            sheet.write_datetime(
                *cell, value.astimezone(UTC).replace(tzinfo=None), formats.by_type[datetime]
            )
        case date() if value >= _FIRST_DAY:
            sheet.write_datetime(*cell, value, formats.by_type[date])
        case int() | float():
            sheet.write_number(*cell, value, formats.by_type[type(value)])
        case _:
            text = _text(str(value))
            is_like_formula = text[:1] != "'" == for_csv(text)[:1]
            sheet.write_string(
                *cell, text, formats.quoted if is_like_formula else formats.by_type[str]
            )


def _text(text: str) -> str:
    return shorten(for_markup(text), LONGEST_CELL)


def _about(book: Workbook, report: Report) -> None:
    sheet = book.add_worksheet("Report")
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 110)
    for n, line in enumerate(filter(None, _lines(report))):
        sheet.write_string(n, 0, _text(line), wrapped)


def _lines(report: Report) -> Iterator[str]:
    yield about_line(report)
    yield report.headline
    yield window_line(report)
    yield report.filters
    yield coverage_line(report)
    yield left_out_sentence(report)
    for trial in report.trials:
        if trial.left_out:
            yield f"{trial.nct_id}: {trial_left_out_sentence(trial)}"
        if trial.administrative:
            yield f"{trial.nct_id}: {aside_sentence(trial)}"
    yield from closing_sentences(report)
