"""Stored times in the future: each counts as due or is ignored, and each is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from ctsync.dates import CLOCK_TOLERANCE, LOAD_TOLERANCE
from ctsync.deliver.heartbeat import send_heartbeats
from ctsync.deliver.outbox import LEASE
from ctsync.errors import BadAnswer
from ctsync.model import RegistryVersion, Verdict
from ctsync.questions.operation.health import assess
from ctsync.questions.operation.health_state import health_facts
from ctsync.route import ChannelKind, Route
from ctsync.store.admin.stored_times import STORED_TIMES, TimeKind
from ctsync.store.data.outbox import LONGEST_LEASE, LONGEST_WAIT, DeliveryState
from ctsync.store.database.tables import DELIVERIES, DICTIONARIES, METADATA
from ctsync.store.database.types import Timestamp
from ctsync.store.store import Store
from ctsync.sync.quarantine import held_back
from tests.conftest import StillClock
from tests.deliver.desk import Recording
from tests.store.samples import TRIAL, add, add_events, delivery

AHEAD = timedelta(days=400)
MINUTE = timedelta(minutes=1)
QUIET = Route(ChannelKind.MAIL, "anna@example.org", at="08:00", heartbeat=True)


def claim(store: Store, clock: StillClock, worker: str = "a") -> list[str]:
    with store.unit() as unit:
        rows = unit.outbox.claim(clock.now(), lease=LEASE, limit=9, worker=worker)
    return [row.recipient for row in rows]


def enqueue(store: Store, clock: StillClock, wait: timedelta = timedelta()) -> None:
    with store.unit() as unit:
        (event_id,) = add_events(unit, None, add(unit, 0, None))
        unit.outbox.enqueue([delivery(event_id, not_before=clock.now() + wait)])


def run(store: Store, clock: StillClock, kind: str = "sync") -> None:
    with store.unit() as unit:
        run_id = unit.runs.begin(kind, clock.now())
        unit.runs.finish(run_id, finished=clock.now(), verdict=Verdict.OK)


# Each function writes while the clock is 400 days ahead. The function that it returns then checks
# at the correct time.


def a_sync(store: Store, clock: StillClock) -> Callable[[], bool]:
    run(store, clock)
    return lambda: store.runs.last_completed_start("sync", clock.now()) is None


def an_end_of_a_sync(store: Store, clock: StillClock) -> Callable[[], bool]:
    run(store, clock)
    return lambda: store.runs.last_finished("sync", clock.now()) is None


def a_new_delivery(store: Store, clock: StillClock) -> Callable[[], bool]:
    enqueue(store, clock)
    return lambda: claim(store, clock) == ["log"]


def a_failed_delivery(store: Store, clock: StillClock) -> Callable[[], bool]:
    enqueue(store, clock, -AHEAD - MINUTE)
    claim(store, clock)
    with store.unit() as unit:
        until = clock.now() + MINUTE
        unit.outbox.mark_failed([1], worker="a", error="greylisted", not_before=until)
        unit.connection.execute(update(DELIVERIES).values(created=clock.now() - AHEAD))
    return lambda: claim(store, clock) == ["log"]


def a_lease(store: Store, clock: StillClock) -> Callable[[], bool]:
    enqueue(store, clock, -AHEAD - MINUTE)
    claim(store, clock)
    with store.unit() as unit:
        unit.connection.execute(update(DELIVERIES).values(created=clock.now() - AHEAD))
    return lambda: claim(store, clock, "b") == ["log"]


def a_quarantined_trial(store: Store, clock: StillClock) -> Callable[[], bool]:
    with store.unit() as unit:
        unit.failures.record(TRIAL, BadAnswer("not JSON"), b"", run_id=None, now=clock.now())
    return lambda: (
        bool(store.failures.find(due=clock.now())) and not held_back(store, of=1, now=clock.now())
    )


def a_history(store: Store, clock: StillClock) -> Callable[[], bool]:
    with store.unit() as unit:
        unit.histories.set_state(
            TRIAL, "unavailable (403)", asked=clock.now(), retry=clock.now() + MINUTE, failed=True
        )
    return lambda: store.histories.due(clock.now(), limit=9) == (TRIAL,)


def a_heartbeat(store: Store, clock: StillClock) -> Callable[[], bool]:
    mail = Recording.to(QUIET)
    clock.elapsed -= AHEAD.total_seconds() + timedelta(days=30).total_seconds()
    run(store, clock)  # the first run was a month ago
    clock.elapsed += AHEAD.total_seconds() + timedelta(days=30).total_seconds()
    assert send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 1
    return lambda: send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 1


def a_mail(store: Store, clock: StillClock) -> Callable[[], bool]:
    correct_time = clock.now() - AHEAD - timedelta(days=30)
    with store.unit() as unit:
        unit.runs.begin("sync", correct_time)
        (event_id,) = add_events(unit, None, add(unit, 0, None))
        one = delivery(event_id, QUIET.recipient, channel=QUIET.channel, not_before=correct_time)
        unit.outbox.enqueue([one])
        unit.outbox.claim(clock.now(), lease=LEASE, limit=1, worker="a")
        unit.outbox.mark_sent([1], now=clock.now())
    mail = Recording.to(QUIET)
    return lambda: send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 1


CASES = (
    a_sync, an_end_of_a_sync, a_new_delivery, a_failed_delivery, a_lease, a_quarantined_trial,
    a_history, a_heartbeat, a_mail,
)  # fmt: skip


def test_times_written_by_a_clock_that_ran_ahead_count_as_due(
    store: Store, clock: StillClock
) -> None:
    due = []
    for write in CASES:
        with store.unit() as unit:
            for table in reversed(METADATA.sorted_tables):
                unit.connection.execute(table.delete())
            if unit.connection.dialect.name == "postgresql":
                unit.connection.exec_driver_sql("ALTER SEQUENCE deliveries_id_seq RESTART")
        clock.elapsed += AHEAD.total_seconds()
        is_due = write(store, clock)
        clock.elapsed -= AHEAD.total_seconds()
        due += [write.__name__] if is_due() else []
    print(f"clock: {len(CASES)} stored times ahead, {len(due)} treated as due")
    assert due == [write.__name__ for write in CASES]


def test_times_written_by_a_correct_clock_are_not_due_early(
    store: Store, clock: StillClock
) -> None:
    week = timedelta(days=7)
    enqueue(store, clock, week)
    with store.unit() as unit:
        unit.failures.record(TRIAL, BadAnswer("not JSON"), b"", run_id=None, now=clock.now())
        unit.histories.set_state(
            TRIAL, "unavailable (403)", asked=clock.now(), retry=clock.now() + week, failed=True
        )
    assert store.failures.find(due=clock.now()) == []
    assert list(held_back(store, of=1, now=clock.now())) == [TRIAL]
    assert store.histories.due(clock.now(), limit=9) == ()
    assert claim(store, clock) == []
    # the clock of another host may differ a little
    clock.elapsed -= CLOCK_TOLERANCE.total_seconds() - 1
    assert store.failures.find(due=clock.now()) == []
    assert claim(store, clock) == []
    assert store.times.ahead(clock.now()) == []


def test_a_failed_delivery_waits_as_long_as_the_longest_wait_and_no_longer(
    store: Store, clock: StillClock
) -> None:
    for wait, found in ((LONGEST_WAIT, []), (LONGEST_WAIT + CLOCK_TOLERANCE + MINUTE, ["log"])):
        with store.unit() as unit:
            for table in reversed(METADATA.sorted_tables):
                unit.connection.execute(table.delete())
        enqueue(store, clock)
        claim(store, clock)
        with store.unit() as unit:
            values = {"state": "pending", "last_error": "x", "not_before": clock.now() + wait}
            unit.connection.execute(update(DELIVERIES).values(values | {"lease_until": None}))
        (row,) = store.outbox.deliveries(DeliveryState.PENDING)
        assert (row.due_at(clock.now()) == clock.now()) == bool(found)
        assert claim(store, clock) == found
    assert LEASE <= LONGEST_LEASE


def test_a_delivery_created_in_the_future_is_corrected_when_it_is_claimed(
    store: Store, clock: StillClock
) -> None:
    clock.elapsed += AHEAD.total_seconds()
    enqueue(store, clock)
    clock.elapsed -= AHEAD.total_seconds()
    assert claim(store, clock) == ["log"]
    (row,) = store.outbox.deliveries()
    assert row.created == clock.now()
    # so a failed drain does not claim it again at once
    with store.unit() as unit:
        until = clock.now() + MINUTE
        unit.outbox.mark_failed([row.delivery_id], worker="a", error="x", not_before=until)
    assert claim(store, clock) == []


def test_a_first_failure_in_the_future_is_corrected_by_the_next(
    store: Store, clock: StillClock
) -> None:
    for ahead in (AHEAD, timedelta()):
        with store.unit() as unit:
            now = clock.now() + ahead
            unit.failures.record(TRIAL, BadAnswer("x"), b"", run_id=None, now=now)
    (failure,) = store.failures.find()
    assert (failure.first_at, failure.last_at) == (clock.now(), clock.now())


def test_every_time_column_is_among_the_stored_times() -> None:
    columns = {
        (table.name, column.name)
        for table in METADATA.sorted_tables
        for column in table.c
        if isinstance(column.type, Timestamp)
    }
    listed = [(one.table.name, one.name) for one in STORED_TIMES]
    assert sorted(listed) == sorted(columns)


@pytest.fixture
def filled(store: Store, clock: StillClock) -> Store:
    """A store with a row in every table that has times, and every time set to the present."""
    now = clock.now()
    run(store, clock)
    enqueue(store, clock)
    with store.unit() as unit:
        unit.failures.record(TRIAL, BadAnswer("x"), b"", run_id=None, now=now)
        unit.histories.set_state(TRIAL, "complete", asked=now, retry=now)
        unit.watches.add_trials("mine", {TRIAL: None}, now)
        unit.cursors.begin("bulk", source="a", load=now)
        unit.connection.execute(insert(DICTIONARIES).values(id=1, created=now, data=b"made up"))
        for one in STORED_TIMES:
            unit.connection.execute(update(one.table).values({one.name: now}))
    return store


@pytest.mark.slow  # it changes each column of each database
def test_each_stored_time_in_the_future_is_found(filled: Store, clock: StillClock) -> None:
    now = clock.now()
    assert filled.times.ahead(now) == []
    found = 0
    for one in STORED_TIMES:
        for value in (now + AHEAD, now):
            with filled.unit() as unit:
                unit.connection.execute(update(one.table).values({one.name: value}))
            ahead = filled.times.ahead(now)
            expected = [(one.words, now + AHEAD, 1)] if value > now else []
            assert [(f.words, f.furthest, f.count) for f in ahead] == expected
            found += len(ahead)
    print(f"future times: {len(STORED_TIMES)} columns, {found} found")


STATUS = {
    "runs.started", "runs.finished", "runs.load_before", "runs.load_after", "trials.history_asked",
    "trials.history_retry", "failures.first_at", "failures.last_at", "failures.next_try",
    "deliveries.created", "deliveries.not_before", "deliveries.lease_until",
}  # fmt: skip
"""The times of waiting retries and deliveries, and of runs."""


@pytest.mark.slow  # it changes each column of each database
def test_status_exits_with_3_and_names_each_future_time_in_effect(
    filled: Store, clock: StillClock
) -> None:
    now = clock.now()
    reported = set()
    for one in STORED_TIMES:
        with filled.unit() as unit:
            unit.connection.execute(update(one.table).values({one.name: now + AHEAD}))
        health = assess(health_facts(filled, now=now), now)
        reasons = [reason for reason in health.reasons if "2027-04-17 15:02Z" in reason]
        words = "registry data of" if one.kind is TimeKind.LOAD else one.words
        if any(words in reason for reason in reasons):
            assert health.exit_code == 3
            reported.add(f"{one.table.name}.{one.name}")
        with filled.unit() as unit:
            unit.connection.execute(update(one.table).values({one.name: now}))
    print(f"status: {len(reported)} of {len(STATUS)} times in the future reported")
    assert reported == STATUS


def test_a_complete_sync_in_the_future_does_not_hide_a_stalled_sync(
    store: Store, clock: StillClock
) -> None:
    with store.unit() as unit:
        unit.watches.add_trials("mine", {TRIAL: None}, clock.now())
    run(store, clock)
    clock.elapsed += AHEAD.total_seconds()
    run(store, clock)
    clock.elapsed -= AHEAD.total_seconds() - timedelta(days=6).total_seconds()
    health = assess(health_facts(store, now=clock.now()), clock.now())
    assert health.exit_code == 3
    assert health.reasons[0] == "no sync has been complete since 2026-03-13 15:02Z"
    assert "end of a run: 2027-04-17 15:02Z is in the future" in " ".join(health.reasons)
    run(store, clock)
    assert assess(health_facts(store, now=clock.now()), clock.now()).reasons == ()


def test_a_load_within_a_day_of_our_clock_is_not_in_the_future(
    store: Store, clock: StillClock
) -> None:
    now = clock.now()
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", now)
        unit.runs.set_load(run_id, RegistryVersion("2.0.5", now + LOAD_TOLERANCE))
    assert store.times.loads_ahead(now) == []
    assert store.times.loads_ahead(now - MINUTE) == [now + LOAD_TOLERANCE]
    assert {one.kind for one in store.times.ahead(now - MINUTE)} == {TimeKind.LOAD}
