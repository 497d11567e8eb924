"""The report as plain text for a terminal."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import Kind
from ctsync.report.formats.plain_text import wrap
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.report import UncheckedTrial
from tests.report.examples import (
    SLOW,
    coverage,
    demo_events,
    enrollment,
    event,
    outcome,
    primary_completion,
    report,
    stored,
)
from tests.security.attacks import ATTACKS

TEXT = render(report(), ReportFormat.TEXT)


def test_only_links_are_wider_than_76_columns() -> None:
    wide = [line for line in TEXT.splitlines() if len(line) > 76 and "https://" not in line]
    assert not wide


def test_the_table_has_one_row_per_trial() -> None:
    table = TEXT.split("\n\n")[1].splitlines()

    assert table[0] == "LEVEL     TRIAL        WHAT CHANGED"
    assert [line.split()[:2] for line in table if line.startswith("crit")] == [
        ["critical", "NCT01352702"],
        ["critical", "NCT03690141"],
    ]


def test_a_line_shows_both_values_the_moves_and_the_rule() -> None:
    flat = re.sub(r"\s+", " ", TEXT)

    assert (
        "Primary completion 2014-04 (estimated) -> 2014-05 (actual); +1 month (30 days ±30), "
        "+2.2 years (820 days ±30) since registration [notable R-DAT-03]" in flat
    )
    assert "3 administrative changes in 3 versions, not shown: ctsync changes NCT03690141" in flat


def test_a_first_move_is_shown_once() -> None:
    first = primary_completion("2021-01-01", "2021-10-01", 273, 273)
    text = render(report([stored(first), stored(enrollment(20, 17, -15.0))]), ReportFormat.TEXT)
    page = render(report([stored(first)]), ReportFormat.HTML)

    assert "(actual); +9 months (273 days)" in re.sub(r"\s+", " ", text)
    assert "-3, -15 %" in text
    assert "since registration" not in text.partition("1. NCT")[2]
    assert "since registration" not in page.partition("<section")[2]


def test_a_move_between_months_has_its_slack_since_registration_as_well() -> None:
    moved = replace(
        primary_completion("2026-02", "2026-03-31", 28, 31), inputs={"margin_since_first": 30}
    )
    (trial,) = report([stored(moved)]).trials

    assert trial.since_first == "primary completion +1 month"
    assert trial.lines[0].since_first == "+1 month (31 days ±30)"


@pytest.mark.parametrize("form", [ReportFormat.TEXT, ReportFormat.HTML, ReportFormat.MARKDOWN])
def test_a_move_counts_from_registration_only_if_that_version_is_stored(
    form: ReportFormat,
) -> None:
    moved = primary_completion("2026-02-01", "2026-12-01", 303, 400)
    later = replace(moved, inputs={"since_registration": False})
    known, unknown = (render(report([stored(one)]), form) for one in (moved, later))

    assert "+1.1 years (400 days) since registration" in " ".join(known.split())
    assert "since first seen" not in known
    assert "+1.1 years (400 days) since registration" not in " ".join(unknown.split())
    words = re.sub(r"[^\w+.]+", " ", re.sub(r"<[^>]*>", " ", unknown)).lower()
    heads, _, moves = words.partition("since first seen")
    assert "since registration" not in heads
    assert "primary completion +1.1 years" in moves


def test_an_unchecked_trial_is_listed_with_its_reason() -> None:
    failed = (UncheckedTrial(SLOW, "no connection to the registry"),)
    text = render(report([], coverage=coverage(3, failed=failed)), ReportFormat.TEXT)

    assert "Could not check: 1 of 4 trials; this run has no data on them." in text
    assert "NCT01352702  no connection to the registry" in text


def test_no_remote_text_controls_the_terminal() -> None:
    attacked = [
        *(stored(event(Kind.OTHER, path=str(n), label=text, before=text, after=[text]),
                 brief_title=text) for n, text in enumerate(ATTACKS)),
        *(stored(outcome(f"{text} a b c d e f g h", f"{text} a b c d e f g i"), to_version=9 + n)
          for n, text in enumerate(ATTACKS)),
    ]  # fmt: skip
    text = render(report(attacked, title=ATTACKS[0]), ReportFormat.TEXT)

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", text)


def test_json_has_every_event_of_the_report_and_the_counts() -> None:
    written = json.loads(render(report(), ReportFormat.JSON))

    events = [
        e for trial in written["trials"] for step in trial["versions"] for e in step["events"]
    ]
    assert len(events) == written["shown"] == 6
    assert written["shown"] + written["collapsed"] + written["left_out"] == written["total"] == 9
    assert events[0]["summary"] == demo_events()[0].event.summary


@given(
    st.lists(st.sampled_from([*"ab -+5d%.\u00e9", " 5 days", "1 month ", " years"]), max_size=60),
    st.sampled_from(["", "   ", "1. NCT03389919  "]),
    st.integers(8, 40),
)
def test_wrap_breaks_lines_where_textwrap_breaks_them(pieces, first, room):
    text = "".join(pieces)
    width, clean = len(first) + room, " ".join(text.split())
    unit = r"\d (?:days?|months?|years|%)(?!\w)"
    glued = re.sub(unit, lambda found: found[0].replace(" ", "\xa0"), clean)
    lines = textwrap.wrap(
        glued, width, initial_indent=first, subsequent_indent=first, break_on_hyphens=False
    )
    expected = [line.replace("\xa0", " ") for line in lines] or [first.rstrip()]
    assert wrap(text, first, width=width) == expected
