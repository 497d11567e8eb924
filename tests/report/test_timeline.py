"""The timeline of a trial, as values and as a drawing."""

from __future__ import annotations

from datetime import date

import pytest

from ctsync.model import State
from ctsync.questions.trial.timeline import timeline_row
from ctsync.report.rows.row_json import to_json
from ctsync.report.trial.timeline import trace
from ctsync.report.trial.timeline_terminal import render_timeline
from tests.report.examples import history, timeline, version


def test_each_status_is_a_spell_with_its_days_even_if_it_occurred_before() -> None:
    spells = [(spell.status, spell.days, spell.is_open) for spell in timeline().spells]

    assert spells == [
        ("Recruiting", 670, False),
        ("Suspended", 184, False),
        ("Recruiting", 521, False),
        ("Terminated", 331, True),
    ]


def test_a_date_has_each_move_and_the_total_move() -> None:
    track = timeline().tracks[1]

    assert track.label == "primary completion"
    assert [(s.value.text, s.days, s.is_actual) for s in track.steps] == [
        ("2012-02", 0, False),
        ("2013-02", 366, False),
        ("2014-04", 424, False),
        ("2014-05", 30, True),
    ]
    assert track.days == 820


def test_enrollment_has_the_target_and_the_actual_count() -> None:
    assert [(s.count, s.kind) for s in timeline().enrollment] == [(70, "ESTIMATED"), (46, "ACTUAL")]


def test_a_gone_trial_has_a_spell_but_adds_no_date() -> None:
    versions = [*history(), version(6, "2015-06-01", state=State.GONE)]
    days = [date.fromisoformat(v.posted or "") for v in versions]

    drawn = trace(versions, days, until=date(2016, 1, 1))

    assert drawn.spells[-1].status == "Gone"
    assert drawn.tracks == timeline().tracks


def test_a_timeline_needs_a_version() -> None:
    with pytest.raises(ValueError, match="at least one version"):
        trace([], [], until=date(2016, 1, 1))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_drawing_keeps_its_width(width: int) -> None:
    text = render_timeline(timeline(), width=width)

    assert max(map(len, text.splitlines())) <= width
    assert "──Recruiting──" in text
    assert "primary completion, moved +2.2 years (820 days) in all" in text


def test_the_drawing_can_be_plain_ascii() -> None:
    text = render_timeline(timeline(), ascii_only=True)

    assert text.isascii()
    assert "|" in text
    assert "+1.0 years (366 days +/-28)" in text


def test_a_trial_of_one_day_can_be_drawn() -> None:
    versions = history()[:1]
    drawn = trace(versions, [date(2011, 5, 1)], until=date(2011, 5, 1))

    assert "Recruiting, 0 days so far" in render_timeline(drawn)


def test_remote_text_sends_no_control_characters_to_the_terminal() -> None:
    versions = [version(1, "2011-05-01", status="\x1b[31mRECRUITING\u202e", start_date="no date")]

    text = render_timeline(trace(versions, [date(2011, 5, 1)], until=date(2012, 1, 1)))

    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_timeline_row_has_the_same_values() -> None:
    row = to_json(timeline_row(timeline()))

    assert [spell["days"] for spell in row["spells"]] == [670, 184, 521, 331]
    assert row["spells"][-1]["until"] is None
    assert row["dates"][1]["steps"][1] == {
        "since": "2012-03-01", "value": "2013-02", "type": "ESTIMATED", "days": 366, "margin": 28,
    }  # fmt: skip
    assert row["enrollment"][-1] == {"since": "2015-02-04", "count": 46, "type": "ACTUAL"}
