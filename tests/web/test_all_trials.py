"""The pages of the portfolio: valid, safe, readable without script, and equal for equal rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import ctsync.web
from ctsync.dates import PartialDate
from ctsync.model import Level, NctId, State
from ctsync.questions.portfolio.portfolio import (
    PlannedDateRow,
    PortfolioPageRow,
    PortfolioRow,
    SubstantiveChangeRow,
)
from ctsync.questions.portfolio.portfolio_trials import Milestone
from ctsync.record.flags import FlagId
from ctsync.report.addresses import Addresses
from ctsync.web.frame import Frame
from ctsync.web.pages import all_trials
from ctsync.web.pages.all_trials import portfolio_pages
from ctsync.web.pages.planned_dates import draw_planned_dates
from tests.registry_fixtures import an_id
from tests.security.attacks import ATTACKS
from tests.web.html_pages import html_faults

DAY = date(2026, 3, 13)
SCRIPT = Path(ctsync.web.__file__).parent / "assets" / "ctsync.js"
MOST_LINES = 400
HISTORY = (
    PlannedDateRow(date(2024, 1, 5), PartialDate("2026-01")),
    PlannedDateRow(date(2025, 2, 1), PartialDate("2026-10-31")),
)


def row(number: int, text: str = "A title") -> PortfolioRow:
    return PortfolioRow(
        nct_id=an_id(number), title=text, sponsor=text, phases=("PHASE2", "PHASE3"),
        study_type="INTERVENTIONAL", conditions=(text,), interventions=(text,), countries=(text,),
        state=State.PRESENT, status="RECRUITING", milestone=Milestone.RESULTS_DUE,
        milestone_on=date(2026, 4, 1), milestone_days=19,
        primary_completion_date=PartialDate("2026-10-31"), primary_completion_date_type="ESTIMATED",
        slip_days=273, slip_since="registration", primary_completion_history=HISTORY,
        enrollment=99, enrollment_type="ACTUAL", enrollment_target=263,
        flags=(FlagId.RESULTS_DUE, FlagId.RESULTS_OVERDUE), unknown_on=None, has_results=False,
        last_change=SubstantiveChangeRow(DAY, Level.CRITICAL, "Enrollment", text),
        watches=(text, "mine"), url="https://clinicaltrials.gov/study/NCT03389919",
    )  # fmt: skip


def empty_row(number: int) -> PortfolioRow:
    return replace(
        row(number), title=None, sponsor=None, phases=(), conditions=(), status=None,
        milestone=None, milestone_on=None, milestone_days=None, primary_completion_date=None,
        slip_days=None, slip_since=None, primary_completion_history=(), enrollment=None, flags=(),
        last_change=None, watches=("mine",), state=State.GONE,
    )  # fmt: skip


def pages(*rows: PortfolioRow) -> dict[str, str | bytes]:
    known = frozenset(NctId(one.nct_id) for one in rows)
    found = PortfolioPageRow(DAY, len(rows), len(rows), 1, rows, None, ())
    return dict(portfolio_pages(Frame(Addresses("", known), "mine"), found, ()))


def page_of(*rows: PortfolioRow) -> str:
    page = pages(*rows)["trials.html"]
    assert isinstance(page, str)
    return page


def test_the_page_is_valid_and_names_its_downloads() -> None:
    found = pages(row(1), empty_row(2))
    assert html_faults(page_of(row(1), empty_row(2))) == []
    assert set(found) == {
        "trials.html", "portfolio.csv", "portfolio.xlsx", "portfolio.json", "portfolio.ics",
    }  # fmt: skip
    assert 'href="portfolio.xlsx" download' in page_of(row(1))
    assert "trials.rows.json" not in page_of(row(1))


def test_a_row_has_words_marks_and_a_drawing_with_a_text() -> None:
    page = page_of(row(1))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for shown in (
        "Phase 2/3", "Recruiting", "Results due 2026-04-01 , in 19 days", "+9 months",
        "99 actual of 263 planned", "Results overdue", "critical 2026-03-13",
    ):  # fmt: skip
        assert shown.casefold() in words.casefold(), shown
    assert "Planned primary completion: 2026-01 (from 2024-01-05), then 2026-10-31" in page


def test_no_date_that_moved_no_drawing() -> None:
    assert draw_planned_dates(HISTORY[:1], until=DAY, name="a") == ""
    assert "<svg" in draw_planned_dates(HISTORY, until=DAY, name="a")


def test_equal_rows_give_equal_files() -> None:
    assert pages(row(1), row(2)) == pages(row(1), row(2))


@pytest.mark.parametrize("attack", ATTACKS[:: len(ATTACKS) // 12])
def test_text_of_a_record_adds_no_tag_and_no_attribute(attack: str) -> None:
    plain, attacked = (re.findall(r"<[a-z][^ >]*", page_of(row(1, text))) for text in ("x", attack))
    assert attacked == plain
    page = page_of(row(1, attack))
    assert html_faults(page) == []
    assert not re.search(r"\son\w+=|javascript:|\sstyle=", re.sub(r'"[^"]*"', '""', page))


def test_more_rows_than_a_page_go_to_further_pages_and_one_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(all_trials, "PER_FILE", 2)
    rows = [row(n, f'"Title" <{n}>') for n in range(5)]
    found = pages(*rows)
    assert {"trials.html", "trials-2.html", "trials-3.html"} <= set(found)
    first, second = found["trials.html"], found["trials-2.html"]
    assert isinstance(first, str)
    assert isinstance(second, str)
    assert 'data-rows="trials.rows.json"' in first
    assert "data-list" not in second
    sent = json.loads(found["trials.rows.json"])
    assert [one["html"].count("<tr") for one in sent] == [1] * 5
    assert [one["values"][0] for one in sent] == [one.title for one in rows]
    assert sent[3]["filters"]["watch"] == ['"Title" <3>', "mine"]
    assert "data-filter" not in sent[0]["html"]


def test_the_script_is_small_and_needs_no_exception_of_the_policy() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    lines = len(script.splitlines())
    print(f"script: {lines} of {MOST_LINES} lines")
    assert lines <= MOST_LINES
    assert not re.search(r"\beval\(|new Function|\.style\b|https?://", script)
