"""The charts of a trial's page: every value is in the table, and no label covers another."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from ctsync.dates import PartialDate
from ctsync.record.events.site_text import SiteChanges
from ctsync.record.value_text import typed
from ctsync.report.trial.charts.axes import LETTER, LINE, DayScale, apart, round_numbers, ticks_of
from ctsync.report.trial.charts.chart import Chart, ChartBox, ChartMark, ChartText, Drawing
from ctsync.report.trial.charts.site_chart import site_chart
from ctsync.report.trial.charts.site_counts import SiteCount, site_counts
from ctsync.report.trial.charts.slip_chart import planned_spans
from ctsync.report.trial.charts.sparkline import sparkline
from ctsync.report.trial.charts.trial_charts import charts_of
from ctsync.report.trial.timeline import Timeline, trace
from tests.report.examples import history, timeline, version
from tests.report.test_timeline_drawings import timelines

COUNTRIES = ("United States", "Poland", "Spain", "Korea, Republic of", "Japan", "Chad", "Peru")
JULY = date(2019, 7, 1)
SPAN = (JULY, date(2022, 7, 1))


def charts(drawn: Timeline) -> dict[str, Chart]:
    return {chart.name: chart for chart in charts_of(drawn)}


def texts(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, ChartText)]


def box(text: ChartText) -> tuple[float, float, float, float]:
    """Return left, right, top and bottom of a label."""
    width = len(text.text) * LETTER
    left = text.place[0] - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return left, left + width, text.place[1] - LINE + 4, text.place[1]


def collisions(drawing: Drawing) -> list[tuple[str, str]]:
    """Return the pairs of labels that cover each other."""
    labels = [(shape.text, box(shape)) for shape in drawing.shapes if isinstance(shape, ChartText)]
    found = []
    for n, (one, a) in enumerate(labels):
        for other, b in labels[n + 1 :]:
            if a[0] < b[1] - 1 and b[0] < a[1] - 1 and a[2] < b[3] - 1 and b[2] < a[3] - 1:
                found.append((one, other))
    return found


def drawings(chart: Chart) -> tuple[Drawing, Drawing]:
    return chart.wide, chart.narrow


def test_a_slip_chart_says_first_and_newest_value_and_the_move() -> None:
    slip = charts(timeline())["slip"]

    assert "primary completion first 2012-02 (estimated), now 2014-05 (actual)" in slip.description
    assert slip.table.rows[1] == (
        "2011-05-01",
        "primary completion",
        "2012-02 (estimated)",
        "",
    )
    for drawing in drawings(slip):
        assert {"start", "2014-05 actual", "+2.2 years"} <= set(texts(drawing))


def test_a_month_is_a_band_and_a_day_is_a_line() -> None:
    keys: dict[str, Any] = {"completion_date_type": "ESTIMATED", "status": "RECRUITING"}
    months = [version(1, "2019-07-01", completion_date="2021-06", **keys)]
    days = [version(1, "2019-07-01", completion_date="2021-06-15", **keys)]

    def bands(versions: Any) -> list[ChartBox]:
        from_versions = replace(timeline(), **parts(versions))
        shapes = charts(from_versions)["slip"].wide.shapes
        return [shape for shape in shapes if isinstance(shape, ChartBox)]

    assert len(bands(months)) == 1
    assert bands(days) == []


def parts(versions: Any) -> dict[str, Any]:
    made = trace(versions, [JULY] * len(versions), until=date(2020, 7, 1))
    return {"tracks": made.tracks, "since": made.since, "until": made.until}


def test_an_actual_date_has_a_filled_mark_and_a_planned_one_an_open_one() -> None:
    slip = charts(timeline())["slip"]
    marks = [shape for shape in slip.wide.shapes if isinstance(shape, ChartMark)]

    actual = [mark.title for mark in marks if "chart-actual" in mark.style]
    assert [title for title in actual if "primary" in title] == [
        "primary completion 2014-05 (actual), given 2015-02-04, +1 month (30 days ±30)"
    ]


def test_enrollment_far_below_its_target_is_said() -> None:
    chart = charts(timeline())["enrollment"]

    assert "46 (actual), 66 % of the last target 70" in chart.description
    for drawing in drawings(chart):
        assert {"actual 46", "66 % of 70"} <= set(texts(drawing))


def test_a_chart_of_sites_names_the_top_countries_and_counts_the_others() -> None:
    first = {name: 10 - n for n, name in enumerate(COUNTRIES)}
    counts = [SiteCount(JULY, 1, {"Peru": 1}), SiteCount(date(2020, 7, 1), 2, first)]
    chart = site_chart(counts, SPAN, until=SPAN[1])

    assert chart is not None
    assert "49 sites in 7 countries" in chart.description
    assert "9 in 2 other countries" in chart.description
    assert chart.table.rows[1][:2] == ("2020-07-01", "49")
    for name in COUNTRIES:
        assert name in chart.table.rows[1][2]
    for drawing in drawings(chart):
        assert {"all 49", "United States 10", "2 others 9"} <= set(texts(drawing))


def test_earlier_counts_of_sites_follow_from_the_changes() -> None:
    poland, spain = {"country": "Poland"}, {"country": "Spain"}
    changes = {
        2: SiteChanges(1, 2, added=[spain], removed=[], edited=[]),
        3: SiteChanges(2, 2, added=[], removed=[], edited=[(poland, {"country": "Chad"})]),
    }
    versions = [(version(n, "2019-07-01"), JULY) for n in (1, 2, 3)]
    found = site_counts({"Chad": 1, "Spain": 1}, changes, versions)

    assert [dict(one.by_country) for one in found] == [
        {"Poland": 1},
        {"Poland": 1, "Spain": 1},
        {"Chad": 1, "Spain": 1},
    ]


def test_a_trial_without_dates_has_only_a_status() -> None:
    bare = replace(timeline(), tracks=(), enrollment=())

    assert list(charts(bare)) == ["status"]
    assert sparkline(bare) is None


def test_a_small_chart_says_in_words_what_it_shows() -> None:
    small = sparkline(timeline())

    assert small is not None
    assert small.moved == "+2.2 years"
    assert small.text.startswith("primary completion first 2012-02 (estimated), now 2014-05")
    assert (small.drawing.width, small.drawing.height) == (96, 24)


def test_labels_keep_their_order_and_distance() -> None:
    places = apart([5.0, 6.0, 7.0, 90.0], 13, 0, 100)

    assert all(after - before >= 13 for before, after in pairwise(places))
    assert apart([98.0, 99.0], 13, 0, 100) == [87.0, 100.0]


def test_an_axis_has_few_ticks_and_round_numbers() -> None:
    assert round_numbers(1) == (0, 1)
    assert round_numbers(1252) == (0, 500, 1000)
    long = DayScale(date(1999, 1, 1), date(2035, 1, 1), 50, 230)
    assert [name for _, name in ticks_of(long)] == ["2004", "2016", "2028"]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(timelines())
def test_no_label_covers_another_and_every_value_is_in_a_table(drawn: Timeline) -> None:
    found = charts(drawn)
    said = {cell for chart in found.values() for row in chart.table.rows for cell in row}
    for track in drawn.tracks:
        for span in planned_spans(track, drawn.until):
            assert typed(span.value.text, span.kind) in said
            assert isinstance(span.value, PartialDate)
    for step in drawn.enrollment:
        assert typed(f"{step.count:,}", step.kind) in said
    for spell in drawn.spells:
        assert spell.status in said
    for chart in found.values():
        for drawing in drawings(chart):
            assert collisions(drawing) == [], chart.name
            for shape in drawing.shapes:
                if isinstance(shape, ChartText):
                    assert box(shape)[3] <= drawing.height + 2
                    assert box(shape)[0] >= -8


@pytest.mark.slow
def test_years_of_changes_keep_their_distance_on_a_phone() -> None:
    versions = history()
    until = date(2016, 1, 1)
    for days in range(0, 4000, 200):
        later = timeline(until + timedelta(days=days))
        for chart in charts(later).values():
            assert collisions(chart.narrow) == []
    assert len(versions) == 5
