"""Rows: a sequence, its columns in Arrow, and its table in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pyarrow as pa
import pytest

import ctsync
from ctsync.dates import PartialDate
from ctsync.model import MISSING, Level, NctId
from tests.python.conftest import TRIAL

HOSTILE = '<script>alert("x")</script>\u202e'
EAST = timezone(timedelta(hours=5))


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One value of each type."""

    nct_id: NctId
    level: Level | None
    count: int | None
    share: float | None
    is_open: bool
    day: date
    seen: datetime | None
    posted: str | None
    partial: PartialDate | None
    value: Any
    names: tuple[str, ...]
    inputs: Mapping[str, int]


ROW = SampleRow(
    NctId(TRIAL), Level.CRITICAL, 3, 0.5, is_open=True, day=date(2020, 1, 2),
    seen=datetime(2020, 1, 2, 3, tzinfo=EAST), posted="2020-03", partial=PartialDate("2021"),
    value=MISSING, names=("a", "b"), inputs={"n": 1},
)  # fmt: skip
EMPTY = SampleRow(
    NctId(TRIAL), None, None, None, is_open=False, day=date(2020, 1, 2), seen=None, posted=None,
    partial=None, value=HOSTILE, names=(), inputs={},
)  # fmt: skip
ROWS = ctsync.Rows(SampleRow, [ROW, EMPTY])


def test_rows_are_a_sequence() -> None:
    assert (len(ROWS), list(ROWS), ROWS[0], ROWS[-1]) == (2, [ROW, EMPTY], ROW, EMPTY)
    assert ROW in ROWS
    some = ROWS[:1]
    assert isinstance(some, ctsync.Rows)
    assert (list(some), some.row_type) == ([ROW], SampleRow)
    assert not ctsync.Rows(SampleRow, [])
    assert repr(ROWS) == "<Rows: 2 of SampleRow>"
    assert repr(ctsync.Rows(SampleRow, [ROW], notes=["one more"])) == (
        "<Rows: 1 of SampleRow; one more>"
    )


def test_each_type_of_field_has_its_type_of_column() -> None:
    table = ROWS.arrow()
    assert {field.name: str(field.type) for field in table.schema} == {
        "nct_id": "string", "level": "string", "count": "int64", "share": "double",
        "is_open": "bool", "day": "date32[day]", "seen": "timestamp[us, tz=UTC]",
        "posted": "date32[day]", "posted_precision": "string", "posted_text": "string",
        "partial": "date32[day]", "partial_precision": "string", "partial_text": "string",
        "value": "string", "names": "string", "inputs": "string",
    }  # fmt: skip
    first, second = table.to_pylist()
    assert first == {
        "nct_id": TRIAL, "level": "critical", "count": 3, "share": 0.5, "is_open": True,
        "day": date(2020, 1, 2), "seen": datetime(2020, 1, 1, 22, tzinfo=UTC),
        "posted": date(2020, 3, 1), "posted_precision": "month", "posted_text": "2020-03",
        "partial": date(2021, 1, 1), "partial_precision": "year", "partial_text": "2021",
        "value": None, "names": '["a","b"]', "inputs": '{"n":1}',
    }  # fmt: skip
    assert (second["level"], second["posted"], second["posted_text"]) == (None, None, None)
    assert orjson.loads(second["value"]) == HOSTILE


def test_a_value_that_arrow_rejects_is_stored_escaped() -> None:
    row = ctsync.Rows(SampleRow, [EMPTY])[0]
    odd = SampleRow(**{name: getattr(row, name) for name in row.__slots__} | {
        "nct_id": NctId("\ud800"), "value": [2**70, "\ud800"],
    })  # fmt: skip
    (found,) = ctsync.Rows(SampleRow, [odd]).arrow().to_pylist()
    assert found["nct_id"] == "\\ud800"
    assert found["value"] == f'[{2**70},"\\ud800"]'


def test_every_answer_has_columns(db: ctsync.TrialDatabase) -> None:
    answers: list[ctsync.Rows[Any]] = [
        db.changes(), db.versions(TRIAL), db.compare(TRIAL), db.find("enrollment>0"), db.watches(),
        db.field_history(TRIAL, "primary completion"), db.flags(all=True), db.runs(),
        db.forecast(within=None),
    ]  # fmt: skip
    for rows in answers:
        assert rows.arrow().num_rows == len(rows)
        assert len(rows.dicts()) == len(rows)
    print(f"arrow: {len(answers)} types of rows, {sum(map(len, answers))} rows")


def test_other_libraries_read_the_rows_through_the_capsule() -> None:
    assert pa.table(ROWS).equals(ROWS.arrow())


@pytest.mark.parametrize(
    ("method", "missing", "message"),
    [
        ("arrow", "pyarrow", r"Rows\.arrow\(\) needs pyarrow: pip install 'ctsync\[parquet\]'"),
        ("df", "pandas", r"Rows\.df\(\) needs pandas: pip install pandas"),
        ("pl", "polars", r"Rows\.pl\(\) needs polars: pip install polars"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    method: str, missing: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ctsync.UsageError, match=message):
        getattr(ROWS, method)()


def test_a_notebook_shows_escaped_text() -> None:
    shown = ROWS._repr_html_()
    assert "<script" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown
    assert "SampleRow: 2 rows" in shown
    assert "<td" in shown


def test_a_notebook_shows_a_bounded_table_and_says_what_it_leaves_out() -> None:
    long = SampleRow(**{name: getattr(EMPTY, name) for name in EMPTY.__slots__} | {
        "value": "x" * 10_000,
    })  # fmt: skip
    shown = ctsync.Rows(SampleRow, [long] * 1_000, notes=["a note"])._repr_html_()
    assert shown.count("<tr>") == 21
    assert "980 more rows are not shown; all rows: .df() or .pl()" in shown
    assert "a note" in shown
    assert "characters)" in shown
    assert "without a value in these rows: level, count, share, seen, posted, partial" in shown
    assert len(shown) < 20_000
    assert "SampleRow: 0 rows" in ctsync.Rows(SampleRow, [])._repr_html_()
