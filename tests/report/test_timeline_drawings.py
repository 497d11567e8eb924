"""Every value of a timeline is drawn or listed, however close the values lie together."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.record.value_text import typed
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.timeline import QueryStep, Timeline, trace
from ctsync.report.trial.timeline_svg import GUTTER, draw_timeline
from ctsync.report.trial.timeline_terminal import render_timeline
from ctsync.web.pages.trial import render_page
from tests.report.examples import WINDOW, version

TYPES = (None, "ESTIMATED", "ACTUAL")
STATUSES = (
    "NOT_YET_RECRUITING", "RECRUITING", "ENROLLING_BY_INVITATION", "ACTIVE_NOT_RECRUITING",
    "SUSPENDED", "TERMINATED", "COMPLETED", "WITHDRAWN", "UNKNOWN",
)  # fmt: skip
days = st.dates(date(1999, 1, 1), date(2035, 12, 31)).map(str)
registry_dates = st.one_of(st.none(), days, days.map(lambda day: day[:7]))
keys = st.fixed_dictionaries(
    {
        "status": st.sampled_from(STATUSES),
        "enrollment": st.one_of(st.none(), st.integers(0, 99_999)),
        "enrollment_type": st.sampled_from(TYPES),
        "start_date": registry_dates,
        "primary_completion_date": registry_dates,
        "primary_completion_date_type": st.sampled_from(TYPES),
        "completion_date": registry_dates,
        "completion_date_type": st.sampled_from(TYPES),
    }
)
queries = st.builds(
    QueryStep,
    day=st.dates(date(2005, 1, 1), date(2030, 1, 1)),
    watch=st.sampled_from(["gvhd", "cond=GVHD AND AREA[Phase]PHASE3"]),
    entered=st.booleans(),
)
gaps = st.one_of(st.integers(0, 3), st.integers(0, 2000))


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Draw timelines whose versions lie days or years apart."""
    found: list[dict[str, Any]] = draw(st.lists(keys, min_size=1, max_size=8))
    stood_from = [date(2005, 1, 1)]
    for _ in found[1:]:
        stood_from.append(stood_from[-1] + timedelta(draw(gaps)))
    versions = [version(n, str(day), **key) for n, (day, key) in enumerate(
        zip(stood_from, found, strict=True), 1)]  # fmt: skip
    drawn = trace(versions, stood_from, until=stood_from[-1] + timedelta(draw(gaps)))
    return replace(drawn, queries=tuple(draw(st.lists(queries, max_size=3))))


def values_of(drawn: Timeline) -> list[str]:
    """Return every value of a timeline as the drawings write it."""
    return [
        *(one.status for one in drawn.spells),
        *(f"{one.since}" for one in drawn.spells),
        *(typed(step.value.text, step.kind) for track in drawn.tracks for step in track.steps),
        *(f"{step.stood_from}" for track in drawn.tracks for step in track.steps),
        *(typed(str(step.count), step.kind) for step in drawn.enrollment),
        *(f"{step.stood_from}" for step in drawn.enrollment),
        *(f"{'entered' if at.entered else 'left'} {at.watch}" for at in drawn.queries),
    ]


def terse(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.slow
@given(timelines(), st.integers(40, 200), st.booleans())
def test_every_value_is_in_the_terminal_at_each_width(
    drawn: Timeline, width: int, ascii_only: bool
) -> None:
    text = render_timeline(drawn, width=width, ascii_only=ascii_only)

    assert [value for value in values_of(drawn) if value not in terse(text)] == []
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.slow
@given(timelines(), st.integers(44, 200))
def test_the_picture_in_the_terminal_names_each_spell_and_each_count(
    drawn: Timeline, width: int
) -> None:
    picture, _, _ = render_timeline(drawn, width=width).partition("\n\nstatus\n")
    rows = re.split(r"\n(?=\S)", picture)
    status = next(row for row in rows if row.startswith("status"))
    counts = next((row for row in rows if row.startswith("enrollment")), "").split("planned")[0]

    assert [one.status for one in drawn.spells if one.status not in status] == []
    for label in {one.label for one in drawn.enrollment}:
        times = sum(one.label == label for one in drawn.enrollment)
        assert len(re.findall(rf"(?<!\S){re.escape(label)}(?!\S)", counts)) >= times


def svg_texts(drawn: Timeline) -> list[tuple[str, str]]:
    """Return both pictures of a page: their visible text and all their text."""
    versions = [version(1, "2005-01-01")]
    shown = render_page(TrialContent(versions, [], drawn), WINDOW)
    pictures = re.findall(r"<svg.*?</svg>", shown, flags=re.DOTALL)
    return [
        (
            " ".join(html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", one)),
            terse(html.unescape(re.sub(r"<[^>]+>", " ", one))),
        )
        for one in pictures
    ]


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(timelines())
def test_every_value_is_in_the_picture_for_wide_and_for_narrow_screens(drawn: Timeline) -> None:
    pictures = svg_texts(drawn)

    assert len(pictures) == 2
    for visible, text in pictures:
        assert [value for value in values_of(drawn) if value not in text] == []
        assert [one.status for one in drawn.spells if one.status not in visible] == []
        assert [one.label for one in drawn.enrollment if one.label not in visible] == []


@pytest.mark.slow
@given(timelines(), st.integers(300, 1400))
def test_no_label_of_the_picture_covers_another_or_leaves_the_picture(
    drawn: Timeline, width: int
) -> None:
    picture = draw_timeline(drawn, width=width)

    boxes = [
        (label.x - len(label.text) * 3.3, label.x + len(label.text) * 3.3, label.y)
        for label in picture.labels
    ]
    for left, right, y in boxes:
        assert left >= GUTTER - 1
        assert right <= width + 1
        assert 0 < y < picture.height
    for one, other in combinations(boxes, 2):
        assert one[2] != other[2] or one[1] < other[0] or other[1] < one[0]
    for row in (*picture.rows, picture.enrollment):
        assert row is None or all(abs(row.y + 10 - y + 4) >= 9 for *_, y in boxes)


def far_below_target() -> Timeline:
    """Return a timeline whose actual count follows a few days after the target."""
    planned: dict[str, Any] = {
        "status": "RECRUITING",
        "enrollment": 18,
        "enrollment_type": "ESTIMATED",
    }
    ended: dict[str, Any] = {"status": "TERMINATED", "enrollment": 8, "enrollment_type": "ACTUAL"}
    versions = [
        version(1, "2016-09-01", completion_date="2020-01-01", **planned),
        version(2, "2016-09-09", completion_date="2026-03-01", **ended),
    ]
    stood_from = [date(2016, 9, 1), date(2016, 9, 9)]
    return trace(versions, stood_from, until=date(2016, 9, 10))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_an_actual_count_close_to_the_target_has_a_line_of_its_own(width: int) -> None:
    text = render_timeline(far_below_target(), width=width)

    assert re.search(r"enrollment +18 est\.\n +8 act\.\n", text)
    assert re.search(r"Recruiting\n +Terminated\n", text)


def test_a_status_wider_than_the_picture_is_shortened_and_listed_in_full() -> None:
    versions = [version(1, "2016-09-01", status="ENROLLING_BY_INVITATION")]
    drawn = trace(versions, [date(2016, 9, 1)], until=date(2016, 9, 1))

    picture, _, lists = render_timeline(drawn, width=40).partition("\n\nstatus\n")

    assert "EBI" in picture
    assert "Enrolling by invitation" in " ".join(lists.split())


def test_the_page_lists_all_values_below_the_picture() -> None:
    drawn = far_below_target()
    shown = render_page(TrialContent([version(1, "2016-09-01")], [], drawn), WINDOW)

    (values,) = re.findall(r'<details class="values" open>.*?</details>', shown, flags=re.DOTALL)
    assert "<dd>from 2016-09-09: 8 (actual)</dd>" in values
    assert "<dd>from 2016-09-01: 2020-01-01</dd>" in values
