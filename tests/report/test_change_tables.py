"""A report as CSV and as a workbook: one row per change, read back by other programs."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.model import Kind
from ctsync.report.formats.change_table import COLUMNS
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.formats.xlsx import LONGEST_CELL, render_xlsx
from ctsync.report.report import Report
from ctsync.text import for_markup
from tests.report.examples import demo_events, event, outcome, report, stored
from tests.security.attacks import ATTACKS, FORMULAS

NAMES = [column.name for column in COLUMNS]


def csv_rows(built: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(built, ReportFormat.CSV), newline="")))


def sheets(built: Report) -> Any:
    return openpyxl.load_workbook(io.BytesIO(render_xlsx(built)))


def test_csv_has_one_row_per_change_and_nothing_else() -> None:
    built = report()
    rows = csv_rows(built)

    assert list(rows[0]) == NAMES
    assert len(rows) == built.shown
    assert {row["nct_id"] for row in rows} == {trial.nct_id for trial in built.trials}


def test_the_columns_keep_their_names_and_order() -> None:
    assert " ".join(NAMES) == (
        "nct_id title acronym sponsor phase conditions trial_level level category kind label what "
        "before after move days percent since_registration days_since_registration "
        "percent_since_registration version posted observed fetched rule path compare_url url "
        "context flags unfetched"
    )


def test_no_cell_is_cut() -> None:
    before, after = "word " * 3_000 + "one", "word " * 3_000 + "two"
    (row,) = csv_rows(report([stored(outcome(before, after))]))
    book = sheets(report([stored(outcome(before, after))]))["Changes"]

    assert (row["before"], row["after"]) == (before, after)
    assert book.cell(2, NAMES.index("before") + 1).value == before


def test_a_workbook_has_dates_numbers_a_frozen_header_and_a_filter() -> None:
    sheet = sheets(report())["Changes"]
    rows = [dict(zip(NAMES, row, strict=True)) for row in sheet.iter_rows(2, values_only=True)]
    (moved,) = (row for row in rows if row["kind"] == Kind.PRIMARY_COMPLETION_DATE)

    assert [cell.value for cell in sheet[1]] == NAMES
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == f"A1:AE{len(rows) + 1}"
    assert moved["posted"] == datetime(2019, 7, 16)  # noqa: DTZ001 - workbooks have no zones
    assert (moved["days"], moved["days_since_registration"]) == (30, 820)
    assert moved["move"] == "+1 month (30 days ±30)"
    assert sheet.column_dimensions["B"].width > 30


def test_a_workbook_has_the_statements_about_the_report_on_its_second_sheet() -> None:
    built = report()
    lines = [row[0] for row in sheets(built)["Report"].iter_rows(values_only=True)]

    assert lines[1] == built.headline
    assert lines[-1] == built.footer[-1]
    assert any("No update posted" in line for line in lines)


def attacked(texts: tuple[str, ...]) -> Report:
    return report([
        stored(event(Kind.OTHER, label=text, before=text, after=[text], path=str(n)),
               brief_title=text)
        for n, text in enumerate(texts)
    ])  # fmt: skip


def test_no_cell_of_a_workbook_is_a_formula_or_a_link() -> None:
    for texts in (ATTACKS, FORMULAS):
        content = render_xlsx(attacked(texts))
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        cells = [c for row in sheets(attacked(texts))["Changes"].iter_rows(2) for c in row]

        assert "<f>" not in sheet
        assert "<hyperlink" not in sheet
        # openpyxl takes each text that begins with "=" for a formula, so it is read from the XML
        assert {cell.data_type for cell in cells} <= {"s", "n", "d", "f"}
        assert sheet.count('t="s"') > len(texts)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_a_workbook_keeps_any_text(text: str) -> None:
    built = report([stored(event(Kind.OTHER, label="x", path="p", before="a", after="b"),
                           brief_title=text)])  # fmt: skip
    value = sheets(built)["Changes"].cell(2, 2).value

    # XML has one line end only
    assert (value or "") == for_markup(text).replace("\r", "\n")


def test_a_text_beyond_the_limit_of_excel_says_how_much_is_cut() -> None:
    sheet = sheets(report([stored(outcome("x" * 40_000, "y"))]))["Changes"]
    value = sheet.cell(2, NAMES.index("before") + 1).value

    assert len(value) <= LONGEST_CELL
    assert value.endswith("characters)")


def test_two_workbooks_of_one_report_are_equal() -> None:
    assert render_xlsx(report(demo_events())) == render_xlsx(report(demo_events()))


def test_a_report_without_changes_is_a_table_with_a_header_only() -> None:
    assert render(report([]), ReportFormat.CSV).count("\n") == 1
    assert sheets(report([]))["Changes"].max_row == 1
