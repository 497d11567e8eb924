"""Data frames of pandas and polars: their types and values, with and without pyarrow."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

import ctsync
from tests.python.test_rows import ROW, ROWS, SampleRow

pytestmark = pytest.mark.slow

WITHOUT_PYARROW = """
import sys
from dataclasses import dataclass
from datetime import date
sys.modules["pyarrow"] = None
import ctsync

@dataclass(frozen=True, slots=True)
class DayRow:
    day: date | None
    text: str

rows = ctsync.Rows(DayRow, [DayRow(date(2020, 1, 2), "a"), DayRow(None, "b")])
print(rows.df().to_csv(), rows.pl().write_csv())
"""


def test_data_frames_have_the_types_of_the_columns() -> None:
    frame = ROWS.df()
    assert {name: str(kind) for name, kind in frame.dtypes.items()} | {"share": ""} == {
        "nct_id": "str", "level": "str", "count": "Int64", "share": "", "is_open": "boolean",
        "day": "datetime64[ms]", "seen": "datetime64[us, UTC]", "posted": "datetime64[ms]",
        "posted_precision": "str", "posted_text": "str", "partial": "datetime64[ms]",
        "partial_precision": "str", "partial_text": "str", "value": "str", "names": "str",
        "inputs": "str",
    }  # fmt: skip
    assert frame["count"].sum() == 3
    assert (frame["posted"] - frame["day"]).dt.days[0] == 59

    polar = ROWS.pl()
    assert polar.shape == (2, 16)
    assert str(polar.schema["seen"]) == "Datetime(time_unit='us', time_zone='UTC')"
    assert str(polar.schema["posted"]) == "Date"
    assert polar["day"][0] == date(2020, 1, 2)


@pytest.mark.parametrize("rows", [ROWS, ROWS[:0], ROWS[1:]], ids=["two", "none", "few values"])
def test_data_frames_hold_what_the_arrow_table_holds(rows: ctsync.Rows[SampleRow]) -> None:
    # imported here: pandas and polars take a second, also in runs that leave this test out
    import pandas as pd
    import polars as pl

    table = rows.arrow()
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    by_arrow = table.to_pandas(types_mapper=nullable.get, date_as_object=False)
    pd.testing.assert_frame_equal(rows.df(), by_arrow)
    assert rows.pl().equals(pl.DataFrame(table))
    assert rows.pl().schema == pl.DataFrame(table).schema


@pytest.mark.parametrize("day", [date.min, date.max])
def test_data_frames_hold_any_day_and_text_that_is_not_unicode(day: date) -> None:
    rows = ctsync.Rows(SampleRow, [replace(ROW, day=day, posted="2020 \ud800")])
    assert rows.df()["day"][0].date() == rows.pl()["day"][0] == day
    assert rows.df()["posted_text"][0] == rows.pl()["posted_text"][0] == "2020 \\ud800"


def test_data_frames_need_no_pyarrow() -> None:
    """In a process of its own: pandas imports pyarrow wherever it is installed."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYARROW], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        ",day,text", "0,2020-01-02,a", "1,,b", "day,text", "2020-01-02,a", ",b",
    ]  # fmt: skip
