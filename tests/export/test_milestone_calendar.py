"""The calendar of all dates, read back by icalendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from icalendar import Calendar

from ctsync.dates import PartialDate
from ctsync.export.milestone_calendar import milestones_ics
from ctsync.model import NctId
from ctsync.questions.portfolio.milestones import MilestoneMoveRow, MilestoneRow, MilestoneState
from ctsync.questions.portfolio.portfolio_trials import Milestone
from tests.security.attacks import ATTACKS

TRIAL = NctId("NCT00000001")
PLANNED = MilestoneRow(
    nct_id=TRIAL, milestone=Milestone.PRIMARY_COMPLETION, state=MilestoneState.PLANNED,
    on=date(2025, 1, 31), text=PartialDate("2025-01"), type="ESTIMATED",
    since=date(2024, 1, 10), moves=0, slip_days=0, first=PartialDate("2025-01"),
    first_since=date(2024, 1, 10), is_from_registration=True, last_move=None,
    revised=date(2024, 1, 10), title="A study", sponsor="Acme", status="RECRUITING",
    url=f"https://clinicaltrials.gov/study/{TRIAL}",
)  # fmt: skip
SLIPPED = replace(
    PLANNED, on=date(2026, 6, 30), text=PartialDate("2026-06"), since=date(2026, 1, 20),
    moves=2, slip_days=516, revised=date(2026, 1, 20),
    last_move=MilestoneMoveRow(
        date(2026, 1, 20), PartialDate("2026-01"), PartialDate("2026-06"), 151
    ),
)  # fmt: skip


def events(rows: Sequence[MilestoneRow]) -> Any:
    return Calendar.from_ical(milestones_ics(rows)).walk("VEVENT")


def test_a_date_that_slips_moves_its_event_and_says_how_far() -> None:
    (before,), (after,) = events([PLANNED]), events([SLIPPED])
    assert before["uid"] == after["uid"] == f"{TRIAL}-primary_completion@ctsync"
    assert (before["dtstart"].dt, after["dtstart"].dt) == (date(2025, 1, 31), date(2026, 6, 30))
    assert after["dtend"].dt == date(2026, 7, 1)
    assert (before["sequence"], after["sequence"]) == (0, 2)
    assert after["dtstamp"].dt == datetime(2026, 1, 20, tzinfo=UTC)
    assert str(after["description"]).split("\n") == [
        "Primary completion: 2026-06 (estimated).",
        "A month counts as its last day.",
        "516 days later than 2025-01, the date of the registered version of 2024-01-10.",
        "Last move on 2026-01-20: from 2026-01 to 2026-06, 151 days later. Recorded moves: 2.",
        "Status: Recruiting.",
        "Sponsor: Acme",
    ]


def test_a_removed_date_is_cancelled_under_the_same_uid() -> None:
    removed = replace(SLIPPED, state=MilestoneState.REMOVED, since=date(2026, 2, 1), moves=3)
    (event,) = events([removed])
    assert event["uid"] == f"{TRIAL}-primary_completion@ctsync"
    assert (event["status"], event["sequence"]) == ("CANCELLED", 3)
    assert "removed on 2026-02-01" in event["description"]


@pytest.mark.parametrize(
    ("milestone", "state", "words"),
    [
        (Milestone.RESULTS_DUE, MilestoneState.PLANNED, "Results are due from 2026-06 by"),
        (Milestone.UNKNOWN, MilestoneState.PLANNED, "sets the status Unknown on 2026-06 without"),
        (Milestone.UNKNOWN, MilestoneState.REACHED, "set the status Unknown on 2026-06."),
        (Milestone.START, MilestoneState.REACHED, "Start: 2026-06 (estimated)."),
    ],
)
def test_each_kind_of_date_has_its_words(
    milestone: Milestone, state: MilestoneState, words: str
) -> None:
    (event,) = events([replace(SLIPPED, milestone=milestone, state=state)])
    assert words in event["description"]
    assert event["status"] == {"planned": "TENTATIVE", "reached": "CONFIRMED"}[state]


def test_unchanged_rows_give_the_same_bytes() -> None:
    assert milestones_ics([PLANNED, SLIPPED]) == milestones_ics([PLANNED, SLIPPED])


def test_the_last_day_there_is_can_be_written() -> None:
    (event,) = events([replace(PLANNED, on=date.max, text=PartialDate("9999-12"))])
    assert event["dtstart"].dt == date.max


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_text_adds_no_line_and_no_event(attack: str) -> None:
    hostile = f"{attack}\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:x"
    (event,) = events([replace(SLIPPED, title=hostile, sponsor=hostile, status=hostile)])
    assert event["uid"] == f"{TRIAL}-primary_completion@ctsync"
    assert len(str(event["description"]).split("\n")) == 6
