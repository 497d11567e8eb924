"""The dates of followed trials: days, moves, removals, and what follows by a rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ctsync.errors import UsageError
from ctsync.model import JsonObject, NctId, RegistryVersion
from ctsync.questions.portfolio.milestones import (
    REMOVED_DAYS,
    MilestoneRow,
    MilestoneState,
    find_milestones,
)
from ctsync.questions.portfolio.portfolio import find_portfolio
from ctsync.questions.portfolio.portfolio_trials import Milestone
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.sync.histories import keep_history, leave

TRIAL = NctId("NCT00000001")
TODAY = date(2026, 12, 1)


@pytest.fixture
def opened(migrated_sqlite_url: str) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        yield store


def version(posted: str, *, status: str = "RECRUITING", **given: Any) -> JsonObject:
    dates = {
        "startDateStruct": {"date": "2024-02-01", "type": "ACTUAL"},
        "primaryCompletionDateStruct": {"date": "2026-06", "type": "ESTIMATED"},
        "completionDateStruct": {"date": "2027-01-15", "type": "ESTIMATED"},
    }
    return make_study(
        TRIAL,
        overallStatus=status,
        statusVerifiedDate=posted[:7],
        lastUpdatePostDateStruct={"date": posted},
        **{**dates, **given},
    )


def primary(text: str, kind: str = "ESTIMATED") -> JsonObject:
    return {"primaryCompletionDateStruct": {"date": text, "type": kind}}


def follow(store: Store, studies: list[JsonObject], *, load: str = "2026-03-13") -> None:
    keep_history(store, studies, with_events=False)
    at = datetime.fromisoformat(f"{load}T09:00:05+00:00").astimezone(UTC)
    with store.unit() as unit:
        unit.watches.add("mine")
        unit.watches.add_trials("mine", {TRIAL: None}, at)
        unit.runs.set_load(unit.runs.begin("sync", at), RegistryVersion("2.0.5", at))


def row_of(store: Store, milestone: Milestone) -> MilestoneRow | None:
    rows = find_milestones(store, today=TODAY)
    return next((row for row in rows if row.milestone is milestone), None)


def test_a_slip_keeps_the_first_date_and_the_last_move(opened: Store) -> None:
    follow(
        opened,
        [
            version("2024-01-10", **primary("2025-01")),
            version("2024-06-01", **primary("2026-01")),
            version("2024-09-01", **primary("2026-01")),
            version("2026-01-20", **primary("2026-06")),
        ],
    )
    row = row_of(opened, Milestone.PRIMARY_COMPLETION)
    assert row is not None
    assert (row.on, row.text.text, row.state) == (date(2026, 6, 30), "2026-06", "planned")
    assert (row.moves, row.slip_days, row.first.text) == (2, 516, "2025-01")
    assert (row.first_since, row.is_from_registration) == (date(2024, 1, 10), True)
    assert row.last_move is not None
    assert (row.last_move.moved_on, row.last_move.days) == (date(2026, 1, 20), 151)
    assert (row.since, row.revised) == (date(2026, 1, 20), date(2026, 1, 20))
    start = row_of(opened, Milestone.START)
    assert start is not None
    assert (start.state, start.moves, start.revised) == ("reached", 0, date(2024, 1, 10))


@pytest.mark.parametrize(("text", "moves"), [("2026-06-30", 0), ("2026-06-10", 1)])
def test_a_more_exact_date_moves_the_day_but_is_no_slip(
    opened: Store, text: str, moves: int
) -> None:
    follow(opened, [version("2024-01-10"), version("2024-06-01", **primary(text))])
    row = row_of(opened, Milestone.PRIMARY_COMPLETION)
    assert row is not None
    assert (row.on, row.moves, row.slip_days) == (date.fromisoformat(text), moves, 0)


def test_a_removed_date_is_listed_for_some_weeks(opened: Store) -> None:
    without: JsonObject = {"completionDateStruct": {}}
    follow(opened, [version("2024-01-10"), version("2026-02-01", **without)])
    row = row_of(opened, Milestone.COMPLETION)
    assert row is not None
    assert (row.state, row.on, row.moves) == (MilestoneState.REMOVED, date(2027, 1, 15), 1)
    assert row.since == date(2026, 2, 1)


def test_a_date_removed_long_ago_is_left_out(opened: Store) -> None:
    without: JsonObject = {"completionDateStruct": {}}
    follow(opened, [version("2024-01-10"), version("2024-06-01", **without)])
    assert row_of(opened, Milestone.COMPLETION) is None
    assert REMOVED_DAYS == 90


def test_the_planned_dates_of_a_trial_that_is_gone_are_removed(opened: Store) -> None:
    follow(opened, [version("2024-01-10")])
    leave(opened, TRIAL)
    states = {row.milestone: row.state for row in find_milestones(opened, today=TODAY)}
    assert states == {
        Milestone.START: MilestoneState.REACHED,
        Milestone.PRIMARY_COMPLETION: MilestoneState.REMOVED,
        Milestone.COMPLETION: MilestoneState.REMOVED,
        Milestone.UNKNOWN: MilestoneState.REMOVED,
    }


def test_the_forecast_moves_with_each_verification_and_ends_with_the_status(
    opened: Store,
) -> None:
    follow(opened, [version("2024-01-10"), version("2025-06-02")])
    row = row_of(opened, Milestone.UNKNOWN)
    assert row is not None
    assert (row.on, row.moves, row.state) == (date(2027, 7, 1), 1, MilestoneState.PLANNED)


def test_the_day_on_which_the_status_became_unknown_is_kept(opened: Store) -> None:
    flipped = version("2026-02-02", status="UNKNOWN")
    later = version("2026-03-01", status="UNKNOWN")
    follow(opened, [version("2024-01-10"), flipped, later])
    row = row_of(opened, Milestone.UNKNOWN)
    assert row is not None
    assert (row.on, row.state) == (date(2026, 2, 2), MilestoneState.REACHED)


def regulated(posted: str, completion: str, *, certified: bool = False) -> JsonObject:
    status = {"dispFirstSubmitDate": "2025-01-01"} if certified else {}
    return version(
        posted,
        designModule={"studyType": "INTERVENTIONAL", "phases": ["PHASE3"]},
        oversightModule={"isFdaRegulatedDrug": True},
        **status,
        **primary(completion),
    )


@pytest.mark.parametrize("certified", [False, True])
def test_results_are_due_as_in_the_portfolio_and_move_with_completion(
    opened: Store, *, certified: bool
) -> None:
    follow(
        opened,
        [
            regulated("2024-01-10", "2026-06-15", certified=certified),
            regulated("2024-03-10", "2026-09-15", certified=certified),
        ],
    )
    row = row_of(opened, Milestone.RESULTS_DUE)
    assert row is not None
    due = date(2029, 10, 16) if certified else date(2027, 9, 16)
    assert (row.on, row.moves, row.slip_days) == (due, 1, 92)
    (trial,) = find_portfolio(opened, today=TODAY).rows
    assert {one.milestone for one in find_milestones(opened, today=TODAY)} >= {trial.milestone}


def test_posted_results_remove_the_day_on_which_they_are_due(opened: Store) -> None:
    posted = regulated("2026-02-10", "2025-06-15")
    posted["hasResults"] = True
    posted["protocolSection"]["statusModule"]["resultsFirstPostDateStruct"] = {"date": "2026-02-10"}
    follow(opened, [regulated("2024-01-10", "2025-06-15"), posted])
    row = row_of(opened, Milestone.RESULTS_DUE)
    assert row is not None
    assert (row.state, row.on, row.since) == ("removed", date(2026, 6, 16), date(2026, 2, 10))


def test_only_followed_trials_of_the_watch_are_listed(opened: Store) -> None:
    follow(opened, [version("2024-01-10")])
    with opened.unit() as unit:
        unit.watches.add("other")
    assert len(list(find_milestones(opened, watch="mine", today=TODAY))) == 4
    assert list(find_milestones(opened, watch="other", today=TODAY)) == []
    with pytest.raises(UsageError, match="wrong"):
        find_milestones(opened, watch="wrong", today=TODAY)
