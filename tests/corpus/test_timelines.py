"""The timelines of real trials: every value is drawn or listed at every width."""

from __future__ import annotations

import html
import re
from datetime import date
from pathlib import Path

import orjson
import pytest

from ctsync.model import JsonObject
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.enum_words import enum_words
from ctsync.report.trial.content import TrialContent
from ctsync.report.trial.timeline import Timeline, trace
from ctsync.report.trial.timeline_terminal import render_timeline
from ctsync.web.pages.trial import render_page
from tests.corpus.test_cthist_versions import Row, histories, study
from tests.report.examples import WINDOW, version
from tests.report.test_timeline_drawings import svg_texts, terse, values_of

pytestmark = pytest.mark.slow

__all__ = ["histories"]  # a fixture

FAR_BELOW = "NCT05935098"
"""Terminated with 99 of 263, five weeks after the first load day."""


def timeline_of(bodies: dict[str, JsonObject], until: date) -> Timeline:
    keys = [key_fields(canonicalize(body).body) for body in bodies.values()]
    fields = [{name: getattr(key, name) for name in key.__slots__} for key in keys]
    for one in fields:
        del one["posted"], one["submitted"], one["brief_title"]
    versions = [version(n, day, **one) for n, (day, one) in enumerate(
        zip(bodies, fields, strict=True), 1)]  # fmt: skip
    return trace(versions, [date.fromisoformat(day) for day in bodies], until=until)


@pytest.fixture(scope="module")
def far_below(corpus: Path) -> Timeline:
    files = sorted((corpus / "days" / FAR_BELOW).iterdir())
    bodies = {file.stem: orjson.loads(file.read_bytes()) for file in files}
    return timeline_of(bodies, date(2026, 3, 14))


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_an_actual_enrollment_far_below_target_is_drawn(far_below: Timeline, width: int) -> None:
    picture, _, _ = render_timeline(far_below, width=width).partition("\n\nstatus\n")

    assert "263 est." in picture
    assert "99 act." in picture
    assert enum_words("TERMINATED") in picture


def test_the_page_of_the_trial_draws_both_counts(far_below: Timeline) -> None:
    shown = html.unescape(render_page(TrialContent([version(1, "2026-02-03")], [], far_below),
                                      WINDOW))  # fmt: skip
    for picture in re.findall(r"<svg.*?</svg>", shown, flags=re.DOTALL):
        texts = re.findall(r"<text[^>]*>(.*?)</text>", picture)
        assert {"263 est.", "99 act.", enum_words("TERMINATED")} <= set(texts)


def test_every_value_of_a_published_history_is_drawn_or_listed(
    histories: list[list[Row]],
) -> None:
    checked = 0
    for rows in histories:
        bodies = {row["version_date"]: study(row) for row in rows}
        drawn = timeline_of(bodies, date(2022, 3, 29))
        texts = [terse(render_timeline(drawn, width=width)) for width in (40, 61, 80, 120, 200)]
        texts += [text for _, text in svg_texts(drawn)]
        for text in texts:
            missing = [value for value in values_of(drawn) if value not in text]
            assert missing == [], rows[0]["nctid"]
            checked += len(values_of(drawn))
    print(f"\n{len(histories)} timelines in 7 drawings: {checked} values, 0 missing")
    assert checked > 5000
