"""Events of flags that become true or are cleared, by an edit or by time, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from ctsync.model import Event, Kind, Level, NctId, StoredEvent
from ctsync.record.rules.rules import Thresholds
from ctsync.route import Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.events import EventWrites
from ctsync.store.store import Store
from ctsync.sync.flags.flag_pass import FlagPass
from ctsync.sync.forget_load import forget_load
from ctsync.sync.history.rederive_events import rederive_events, rewrite
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.registry_fixtures import an_id, make_study, publish
from tests.replay.catalogue import load_of

ONE, TWO = NctId("NCT03389919"), NctId("NCT05935098")
MakeSync = Callable[..., TrialPass]
LOG = Route("log", "log")
STATUS = "protocolSection.statusModule"
OVERALL = f"{STATUS}.overallStatus"
DUE: dict[str, Any] = {
    "overallStatus": "COMPLETED",
    "startDateStruct": {"date": "2024-01-10"},
    "primaryCompletionDateStruct": {"date": "2025-02-10"},
    "completionDateStruct": {"date": "2025-02-10"},
    "studyFirstSubmitDate": "2023-12-01",
    "studyFirstPostDateStruct": {"date": "2023-12-05"},
    "oversightModule": {"isFdaRegulatedDrug": True},
}
"""A completed trial whose results are due by 2026-02-10."""
OPEN: dict[str, Any] = {
    "completionDateStruct": {"date": "2026-02"},
    "primaryCompletionDateStruct": {"date": "2026-01"},
}


def follow(store: Store, clock: StillClock, *ids: NctId) -> None:
    with store.unit() as unit:
        unit.watches.add("mine")
        unit.watches.add_trials("mine", dict.fromkeys(ids), clock.now())


def told(store: Store) -> list[StoredEvent]:
    return store.events.find(EventFilter(kinds=(Kind.FLAG,)))


def lines(store: Store) -> list[tuple[str, str, object, object]]:
    return [(one.nct_id, one.event.path, one.event.before, one.event.after) for one in told(store)]


def rebuilt(store: Store) -> list[tuple[object, ...]]:
    """Delete the flag events, derive them again, and return their content."""
    flags = "(SELECT id FROM events WHERE kind = 'flag')"
    with store.unit() as unit:
        unit.connection.execute(text(f"DELETE FROM deliveries WHERE event_id IN {flags}"))
        unit.connection.execute(text("DELETE FROM events WHERE kind = 'flag'"))
    assert told(store) == []
    for found in list(rederive_events(store, Thresholds())):
        with store.unit() as unit:
            rewrite(unit, found)
    return [content(one) for one in told(store)]


def content(one: StoredEvent) -> tuple[object, ...]:
    place = (one.nct_id, one.from_version, one.to_version, one.posted, one.observed, one.fetched)
    return (*place, one.run_id, one.event)


def no_differences(store: Store) -> bool:
    return list(rederive_events(store, Thresholds())) == []


def test_results_become_overdue_by_time_alone(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO, **DUE)
    follow(store, clock, ONE)
    for load in ("2026-02-02", "2026-02-10", "2026-02-11", "2026-02-12"):
        replay.load = load
        make_sync(routes=[LOG]).run([ONE, TWO])
    overdue, due = sorted(told(store), key=lambda one: one.event.level.rank)
    assert [one.event.path for one in (overdue, due)] == [
        "flag:results_overdue@2026-02-11",
        "flag:results_due@2026-02-11",
    ]
    assert (overdue.event.rule, overdue.event.level) == ("R-FLG-01", Level.NOTABLE)
    assert (overdue.event.before, overdue.event.after) == (False, True)
    assert overdue.event.inputs["by"] == "time"
    assert overdue.event.inputs["since"] == "2026-02-11"
    assert overdue.event.summary.startswith("Results overdue: no results posted or in review; due")
    assert due.event.level is Level.ADMINISTRATIVE  # the other line says it
    assert (overdue.from_version, overdue.to_version) == (1, 1)
    assert f"{overdue.observed:%Y-%m-%d}" == "2026-02-11"
    (row,) = [one for one in store.outbox.deliveries() if one.event_id == overdue.event_id]
    assert row.channel == "log"
    assert no_differences(store)
    before = [content(one) for one in told(store)]
    assert rebuilt(store) == before
    print(
        f"flag events: {len(before)} told once in 4 loads, {len(before)} of {len(before)} rebuilt"
    )


@pytest.mark.slow
def test_an_edit_clears_flags_and_says_why(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **DUE)
    publish(replay, TWO, **OPEN)
    follow(store, clock, ONE, TWO)
    for load in ("2026-02-10", "2026-03-01"):
        replay.load = load
        make_sync(routes=[LOG]).run([ONE, TWO])
    replay.load = "2026-03-05"
    replay.catalogue.edit(ONE, {
        "hasResults": True,
        f"{STATUS}.resultsFirstSubmitDate": "2026-02-20",
        f"{STATUS}.resultsFirstPostDateStruct": {"date": "2026-03-04"},
    })  # fmt: skip
    replay.catalogue.edit(TWO, {OVERALL: "COMPLETED"})
    make_sync(routes=[LOG]).run([ONE, TWO])
    cleared = {one.event.path: one.event.summary for one in told(store) if one.event.after is False}
    assert cleared == {
        "flag:results_due@2026-03-05": "Results due no longer: results posted on 2026-03-04",
        "flag:results_overdue@2026-03-05": (
            "Results overdue no longer: results posted on 2026-03-04"
        ),
        "flag:open_past_completion@2026-03-05": (
            "Open past completion no longer: status Recruiting -> Completed"
        ),
        "flag:recruiting_past_primary_completion@2026-03-05": (
            "Recruiting past primary completion no longer: status Recruiting -> Completed"
        ),
    }
    events = {one.event.path: one.event for one in told(store)}
    assert events["flag:results_overdue@2026-03-05"].rule == "R-FLG-02"
    assert events["flag:results_overdue@2026-03-05"].inputs["by"] == "edit"
    assert events["flag:reported_late@2026-03-05"].after is True
    assert {one.to_version for one in told(store) if "03-05" in one.event.path} == {2}
    assert all(one.from_version == one.to_version for one in told(store))
    before = [content(one) for one in told(store)]
    assert no_differences(store)
    assert rebuilt(store) == before


@pytest.mark.slow
def test_a_baseline_and_trials_that_nobody_follows_have_no_flag_events(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, TWO, **OPEN)
    replay.load = "2026-02-10"  # recruiting past primary completion already
    follow(store, clock, ONE)
    make_sync().run([ONE, TWO])
    assert told(store) == []
    replay.load = "2026-03-01"
    make_sync().run([ONE, TWO])
    assert lines(store) == [(ONE, "flag:open_past_completion@2026-03-01", False, True)]
    # followed from now on: the flags of today are its baseline
    clock.sleep(60)
    with store.unit() as unit:
        unit.watches.add_trials("mine", {TWO: None}, clock.now())
    replay.load = "2026-03-02"
    make_sync().run([ONE, TWO])
    replay.load = "2026-03-03"
    replay.catalogue.edit(TWO, {OVERALL: "COMPLETED"})
    make_sync().run([ONE, TWO])
    assert [line[1:] for line in lines(store) if line[0] == TWO] == [
        ("flag:open_past_completion@2026-03-03", True, False),
        ("flag:recruiting_past_primary_completion@2026-03-03", True, False),
    ]
    assert no_differences(store)


def test_after_missed_syncs_the_event_belongs_to_the_first_load(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **OPEN)
    follow(store, clock, ONE)
    make_sync().run([ONE])
    replay.load = "2026-03-09"
    make_sync().run([ONE])
    make_sync().run([ONE])
    assert [path for _, path, _, _ in lines(store)] == ["flag:open_past_completion@2026-03-09"]


def test_a_change_by_time_in_the_load_of_an_edit_is_told_as_such(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **OPEN)
    follow(store, clock, ONE)
    make_sync().run([ONE])
    replay.load = "2026-03-09"
    replay.catalogue.edit(ONE, {f"{STATUS}.whyStopped": "None"})
    make_sync().run([ONE])
    ((stored),) = told(store)
    assert (stored.event.inputs["by"], stored.to_version) == ("time", 2)
    assert no_differences(store)


@pytest.mark.slow
def test_a_kill_in_or_after_the_unit_tells_each_flag_once(
    store: Store,
    clock: StillClock,
    replay: Any,
    make_sync: MakeSync,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [an_id(number) for number in range(1, 4)]
    publish(replay, *ids, **OPEN)
    follow(store, clock, *ids)
    make_sync(routes=[LOG]).run(ids)
    replay.load = "2026-03-09"
    replay.catalogue.edit(ids[0], {OVERALL: "ACTIVE_NOT_RECRUITING"})
    kills, add, run = 0, EventWrites.add, FlagPass.run

    def kill_at(number: int) -> Callable[..., list[int]]:
        def killed(self: EventWrites, nct_id: NctId, **values: Any) -> list[int]:
            stored = add(self, nct_id, **values)
            if nct_id == ids[number]:
                raise KeyboardInterrupt
            return stored

        return killed

    def kill_after_commit(self: FlagPass) -> None:
        run(self)
        raise KeyboardInterrupt

    for owner, name, killed in (
        (EventWrites, "add", kill_at(1)),
        (EventWrites, "add", kill_at(2)),
        (FlagPass, "run", kill_after_commit),
        (FlagPass, "run", kill_after_commit),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, killed)
            with pytest.raises(KeyboardInterrupt):
                make_sync(routes=[LOG]).run(ids)
            kills += 1
    for _ in range(2):
        make_sync(routes=[LOG]).run(ids)
    paths = sorted((nct_id, path) for nct_id, path, _, _ in lines(store))
    expected = [(nct_id, "flag:open_past_completion@2026-03-09") for nct_id in ids]
    expected.append((ids[0], "flag:recruiting_past_primary_completion@2026-03-09"))
    assert paths == sorted(expected)
    flags = {one.event_id for one in told(store)}
    deliveries = [one.event_id for one in store.outbox.deliveries() if one.event_id in flags]
    assert sorted(deliveries) == sorted(flags)
    assert no_differences(store)
    print(f"killed {kills} times: {len(flags)} flag events, each stored and planned once")


def test_unchanged_trials_are_not_read(
    store: Store,
    clock: StillClock,
    replay: Any,
    make_sync: MakeSync,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(replay, ONE, TWO)
    follow(store, clock, ONE, TWO)
    make_sync().run([ONE, TWO])
    read: list[Event] = []
    monkeypatch.setattr("ctsync.sync.flags.version_flags.stored_body", read.append)
    for load in ("2026-02-03", "2026-02-04", "2026-02-05"):
        replay.load = load
        make_sync().run([ONE, TWO])
    assert (read, told(store)) == ([], [])


@pytest.mark.slow
def test_a_trial_that_returns_is_compared_with_its_last_record(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **OPEN)
    follow(store, clock, ONE)
    make_sync().run([ONE])
    replay.catalogue.withdraw(ONE)
    for load in ("2026-02-20", "2026-02-21", "2026-03-01"):
        replay.load = load
        make_sync().run([ONE])
    assert told(store) == []
    replay.catalogue.publish(make_study(ONE, **OPEN))
    replay.load = "2026-03-02"
    make_sync().run([ONE])
    assert [path for _, path, _, _ in lines(store)] == ["flag:open_past_completion@2026-03-02"]
    assert no_differences(store)


def test_a_time_of_day_matters_only_by_its_day(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **OPEN)
    follow(store, clock, ONE)
    make_sync().run([ONE])
    clock.sleep(timedelta(hours=1).total_seconds())
    replay.load = "2026-02-28"  # the last day of the month is not past yet
    make_sync().run([ONE])
    assert told(store) == []


def test_without_a_run_log_no_flag_is_told_twice(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **OPEN)
    follow(store, clock, ONE)
    for load in ("2026-02-02", "2026-03-01"):
        replay.load = load
        make_sync().run([ONE])
    with store.unit() as unit:  # as after a restore of an export
        unit.connection.execute(text("UPDATE runs SET load_after = NULL"))
    assert no_differences(store)
    replay.load = "2026-03-02"
    make_sync().run([ONE])
    assert [path for _, path, _, _ in lines(store)] == ["flag:open_past_completion@2026-03-01"]
    assert no_differences(store)


@pytest.mark.slow
def test_a_flag_of_a_load_with_a_wrong_day_is_undone_with_the_load(
    store: Store, clock: StillClock, replay: Any, make_sync: MakeSync
) -> None:
    publish(replay, ONE, **OPEN)
    follow(store, clock, ONE)
    make_sync().run([ONE])
    now = clock.time
    clock.time = datetime(2026, 12, 31, tzinfo=UTC)
    replay.load = "2026-12-30"
    make_sync().run([ONE])
    assert "flag:open_past_completion@2026-12-30" in {path for _, path, _, _ in lines(store)}
    clock.time = now
    assert forget_load(store, load_of("2026-12-30"), now=now, thresholds=Thresholds())
    assert no_differences(store)
    assert not [path for _, path, _, _ in lines(store) if "2026-12" in path]
