"""A timeline in Python: one row per value, in each form of a data frame."""

from __future__ import annotations

import pyarrow as pa
import pytest

import ctsync
from tests.python.conftest import TRIAL


def test_a_timeline_has_one_row_per_value(db: ctsync.TrialDatabase) -> None:
    timeline = db.timeline(TRIAL)
    rows = timeline.values()
    statuses = [row for row in rows if row.what == "status"]
    assert [(row.text, row.since, row.until) for row in statuses] == [
        (spell.status, spell.since, spell.until) for spell in timeline.spells
    ]
    for track in timeline.dates:
        moves = [row for row in rows if row.what == track.date]
        assert [row.date_value for row in moves] == [step.value for step in track.steps]
        assert [row.until for row in moves[:-1]] == [row.since for row in moves[1:]]
        assert sum(row.days or 0 for row in moves) == track.days
    counts = [row.count for row in rows if row.what == "enrollment"]
    assert counts == [step.count for step in timeline.enrollment]
    assert {row.nct_id for row in rows} == {TRIAL}
    assert len(rows) > 8


def test_a_timeline_is_a_table_of_typed_columns(db: ctsync.TrialDatabase) -> None:
    timeline = db.timeline(TRIAL)
    table = timeline.arrow()
    assert table.num_rows == len(timeline.values())
    assert table.schema.field("since").type == pa.date32()
    assert table.schema.field("count").type == pa.int64()
    assert table.schema.field("date_value").type == pa.date32()
    assert {"date_value_precision", "date_value_text"} <= set(table.column_names)
    assert timeline._repr_html_() == timeline.values()._repr_html_()


@pytest.mark.slow
def test_a_timeline_is_a_frame_of_pandas_and_of_polars(db: ctsync.TrialDatabase) -> None:
    timeline = db.timeline(TRIAL)
    assert list(timeline.df().columns) == timeline.pl().columns == timeline.arrow().column_names
    assert len(timeline.df()) == timeline.pl().height == len(timeline.values())
