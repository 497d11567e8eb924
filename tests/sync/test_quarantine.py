"""Quarantine: a trial that cannot be read or stored delays no other, and is not delayed by them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from ctsync.config.settings import Settings
from ctsync.errors import BadAnswer, InQuarantine, RegistryError, RegistryUnreachable
from ctsync.model import NctId, Verdict
from ctsync.store.store import Store
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.quarantine import MOST_HELD, held_back
from tests.conftest import StillClock
from tests.registry_fixtures import make_study
from tests.replay import faults
from tests.replay.http_messages import Reply
from tests.replay.registry_server import ReplayRegistry

POISON = NctId("NCT03389919")
STATUS = "protocolSection.statusModule.overallStatus"
MakeRound = Callable[[int], SyncCycle]


@pytest.fixture
def make_round(
    store: Store, clock: StillClock, replay: ReplayRegistry, make_sync: Callable[..., Any]
) -> MakeRound:
    """Make a cycle over that many trials, one of which is POISON."""

    def make(trials: int) -> SyncCycle:
        ids = [POISON, *(NctId(f"NCT{number:08d}") for number in range(1, trials))]
        for nct_id in ids:
            replay.catalogue.publish(make_study(nct_id))
        with store.unit() as unit:
            unit.watches.add("all")
            unit.watches.add_trials("all", dict.fromkeys(ids), clock.now())
        settings = Settings.model_validate({"log": {"events": "off"}})
        registry = make_sync().registry
        return SyncCycle(settings=settings, store=store, registry=registry, clock=clock)

    return make


def poisoned(reply: Reply) -> Reply:
    """The record of one trial, in any answer, without a readable id."""
    body = reply.body.replace(f'"nctId":"{POISON}"'.encode(), b'"nctId":12')
    return Reply(reply.status, body, reply.headers)


def poison(replay: ReplayRegistry) -> None:
    fault = faults.Fault(rewrite=poisoned)
    replay.faults.add(fault, path=r"/v2/studies(/.*)?", times=faults.EVERY_TIME)


@contextmanager
def refusing(store: Store, nct_id: NctId) -> Iterator[None]:
    """A database that refuses every version of one trial."""

    def refuse(_c: object, _k: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("INSERT INTO snapshots") and nct_id in str(parameters):
            raise OverflowError("Python int too large to convert to SQLite INTEGER")

    event.listen(store._engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(store._engine, "before_cursor_execute", refuse)


def singly(replay: ReplayRegistry) -> int:
    return sum(request.path.endswith(POISON) for request in replay.requests)


def next_day(clock: StillClock, replay: ReplayRegistry) -> None:
    clock.elapsed += timedelta(days=1).total_seconds()
    replay.catalogue.advance()


@pytest.mark.slow
@pytest.mark.parametrize("trials", [60, pytest.param(10_000, marks=pytest.mark.soak)])
def test_one_poison_trial_delays_no_other_on_any_of_30_days(
    make_round: MakeRound, store: Store, clock: StillClock, replay: ReplayRegistry, trials: int
) -> None:
    work = make_round(trials)
    poison(replay)
    stale = asked_singly = 0
    for day in range(30):
        changed = [NctId(f"NCT{number:08d}") for number in range(1 + day, trials, 30)]
        for nct_id in changed:
            replay.catalogue.edit(nct_id, {STATUS: "SUSPENDED" if day % 2 else "RECRUITING"})
        before = singly(replay)
        result = work.run(holder="test").sync
        asked_singly += singly(replay) - before
        assert (result.verdict, result.tally.failed) == (Verdict.PARTIAL, 1)
        stale += trials - 1 - result.tally.answered
        heads = store.trials.heads([NctId(f"NCT{number:08d}") for number in range(1, trials)])
        stale += trials - 1 - len(heads)
        stale += sum(
            store.versions.of(nct_id)[-1].key.status != ("SUSPENDED" if day % 2 else "RECRUITING")
            for nct_id in changed[:5]
        )
        next_day(clock, replay)
    print(
        f"poison: 1 of {trials:,} for 30 days, {stale} others not current on a day, "
        f"{asked_singly} single requests for it"
    )
    assert stale == 0
    (failure,) = store.failures.find()
    assert failure.attempts == asked_singly <= 11
    assert failure.first_at < clock.now() - timedelta(days=29)
    assert b'"nctId":12' in failure.raw
    replay.faults.clear()
    assert (
        work.run([POISON], holder="test").sync.tally.new == 1
    )  # a trial that is named is always requested
    assert store.failures.find() == []


def test_a_held_trial_is_reported_with_its_next_try(
    make_round: MakeRound, store: Store, clock: StillClock, replay: ReplayRegistry
) -> None:
    work = make_round(3)
    poison(replay)
    (first,) = work.run(holder="test").sync.failed
    assert not isinstance(first.error, InQuarantine)
    (again,) = work.run(holder="test").sync.failed
    assert isinstance(again.error, InQuarantine)
    (failure,) = store.failures.find()
    assert failure.attempts == 1
    assert str(again.error) == (
        f"{failure.error} (kept aside, next tried after {failure.next_try:%Y-%m-%d %H:%M}Z)"
    )
    clock.elapsed += timedelta(hours=1).total_seconds()
    replay.faults.clear()
    result = work.run(holder="test").sync
    assert (result.verdict, result.tally.new) == (Verdict.OK, 1)
    assert store.failures.find() == []


def test_a_refused_record_is_kept_raw_and_stored_by_the_first_sync_that_can(
    make_round: MakeRound, store: Store, replay: ReplayRegistry
) -> None:
    work = make_round(4)
    with refusing(store, POISON):
        for attempt in (1, 2):
            result = work.run(holder="test").sync
            assert (result.verdict, result.tally.failed) == (Verdict.PARTIAL, 1)
            (failure,) = store.failures.find()
            assert failure.attempts <= attempt
        assert result.tally.same == 3
    assert (failure.nct_id, failure.waits_until) == (POISON, None)
    assert "Python int too large" in failure.error
    assert POISON.encode() in failure.raw
    assert store.versions.of(POISON) == []
    assert singly(replay) == 0  # its record came with the batch
    result = work.run(holder="test").sync
    assert (result.verdict, result.tally.new, result.tally.same) == (Verdict.OK, 1, 3)
    assert store.failures.find() == []


def put_aside(store: Store, error: RegistryError, ids: list[NctId], clock: StillClock) -> None:
    with store.unit() as unit:
        for nct_id in ids:
            unit.failures.record(nct_id, error, b"", run_id=None, now=clock.now())


def test_a_failure_unrelated_to_the_trial_does_not_hold_it(store: Store, clock: StillClock) -> None:
    put_aside(store, RegistryUnreachable("away"), [POISON], clock)
    assert held_back(store, of=100, now=clock.now()) == {}


def test_if_many_wait_the_registry_was_at_fault_and_all_are_requested(
    store: Store, clock: StillClock
) -> None:
    ids = [NctId(f"NCT{number:08d}") for number in range(1, MOST_HELD + 2)]
    put_aside(store, BadAnswer("no JSON"), ids[:-1], clock)
    assert len(held_back(store, of=100, now=clock.now())) == MOST_HELD
    put_aside(store, BadAnswer("no JSON"), ids[-1:], clock)
    assert held_back(store, of=100, now=clock.now()) == {}
    assert len(held_back(store, of=10_000, now=clock.now())) == MOST_HELD + 1
