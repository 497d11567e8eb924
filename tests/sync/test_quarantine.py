"""Quarantine: a trial that cannot be read or stored does not delay the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from ctsync.errors import BadAnswer, InQuarantine, RegistryError, RegistryUnreachable
from ctsync.model import NctId, Verdict
from ctsync.store.store import Store
from ctsync.sync.cycle import SyncCycle
from ctsync.sync.quarantine import MOST_HELD, held_back
from tests.conftest import StillClock
from tests.given_settings import given_settings
from tests.registry_fixtures import an_id, publish
from tests.replay import faults
from tests.replay.http_messages import Reply
from tests.replay.registry_server import ReplayRegistry
from tests.store.samples import engine_of

POISON = NctId("NCT03389919")
STATUS = "protocolSection.statusModule.overallStatus"
MakeCycle = Callable[[int], SyncCycle]


@pytest.fixture
def make_cycle(
    store: Store, clock: StillClock, replay: ReplayRegistry, make_sync: Callable[..., Any]
) -> MakeCycle:
    """Return a function that makes a cycle over a number of trials, including POISON."""

    def make(trials: int) -> SyncCycle:
        ids = [POISON, *map(an_id, range(1, trials))]
        publish(replay, *ids)
        with store.unit() as unit:
            unit.watches.add("all")
            unit.watches.add_trials("all", dict.fromkeys(ids), clock.now())
        settings = given_settings({"log": {"events": "off"}})
        registry = make_sync().registry
        return SyncCycle(settings=settings, store=store, registry=registry, clock=clock)

    return make


def poisoned(reply: Reply) -> Reply:
    """Replace the id of POISON in an answer by a number, so that its record is unreadable."""
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

    engine = engine_of(store)
    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


def requests_for_poison(replay: ReplayRegistry) -> int:
    return sum(request.path.endswith(POISON) for request in replay.requests)


def next_day(clock: StillClock, replay: ReplayRegistry) -> None:
    clock.elapsed += timedelta(days=1).total_seconds()
    replay.catalogue.advance()


@pytest.mark.slow
@pytest.mark.parametrize("trials", [60, pytest.param(10_000, marks=pytest.mark.soak)])
def test_one_poison_trial_delays_no_other_on_any_of_30_days(
    make_cycle: MakeCycle, store: Store, clock: StillClock, replay: ReplayRegistry, trials: int
) -> None:
    work = make_cycle(trials)
    poison(replay)
    stale = requested_alone = 0
    for day in range(30):
        changed = [*map(an_id, range(1 + day, trials, 30))]
        for nct_id in changed:
            replay.catalogue.edit(nct_id, {STATUS: "SUSPENDED" if day % 2 else "RECRUITING"})
        before = requests_for_poison(replay)
        result = work.run(holder="test").sync
        requested_alone += requests_for_poison(replay) - before
        assert (result.verdict, result.tally.failed) == (Verdict.PARTIAL, 1)
        stale += trials - 1 - result.tally.answered
        heads = store.trials.heads([*map(an_id, range(1, trials))])
        stale += trials - 1 - len(heads)
        stale += sum(
            store.versions.of(nct_id)[-1].key.status != ("SUSPENDED" if day % 2 else "RECRUITING")
            for nct_id in changed[:5]
        )
        next_day(clock, replay)
    print(
        f"poison: 1 of {trials:,} for 30 days, {stale} others not current on a day, "
        f"{requested_alone} single requests for it"
    )
    assert stale == 0
    (failure,) = store.failures.find()
    assert failure.attempts == requested_alone <= 11
    assert failure.first_at < clock.now() - timedelta(days=29)
    assert b'"nctId":12' in failure.raw
    replay.faults.clear()
    # a trial that is named is always requested
    assert work.run([POISON], holder="test").sync.tally.new == 1
    assert store.failures.find() == []


def test_a_trial_that_is_held_back_is_reported_with_its_next_try(
    make_cycle: MakeCycle, store: Store, clock: StillClock, replay: ReplayRegistry
) -> None:
    work = make_cycle(3)
    poison(replay)
    (first,) = work.run(holder="test").sync.failed
    assert not isinstance(first.error, InQuarantine)
    (again,) = work.run(holder="test").sync.failed
    assert isinstance(again.error, InQuarantine)
    (failure,) = store.failures.find()
    assert failure.attempts == 1
    assert str(again.error) == (
        f"{failure.error} (quarantined, next retry after {failure.next_try:%Y-%m-%d %H:%M}Z)"
    )
    clock.elapsed += timedelta(hours=1).total_seconds()
    replay.faults.clear()
    result = work.run(holder="test").sync
    assert (result.verdict, result.tally.new) == (Verdict.OK, 1)
    assert store.failures.find() == []


@pytest.mark.slow
def test_a_record_the_store_refused_is_kept_raw_and_stored_once_possible(
    make_cycle: MakeCycle, store: Store, replay: ReplayRegistry
) -> None:
    work = make_cycle(4)
    with refusing(store, POISON):
        for attempt in (1, 2):
            result = work.run(holder="test").sync
            assert (result.verdict, result.tally.failed) == (Verdict.PARTIAL, 1)
            (failure,) = store.failures.find()
            assert failure.attempts <= attempt
        assert result.tally.same == 3
    assert (failure.nct_id, failure.held_until(failure.last_at)) == (POISON, None)
    assert "Python int too large" in failure.error
    assert POISON.encode() in failure.raw
    assert store.versions.of(POISON) == []
    assert requests_for_poison(replay) == 0  # its record came with the batch
    result = work.run(holder="test").sync
    assert (result.verdict, result.tally.new, result.tally.same) == (Verdict.OK, 1, 3)
    assert store.failures.find() == []


def record_failures(
    store: Store, error: RegistryError, ids: list[NctId], clock: StillClock
) -> None:
    with store.unit() as unit:
        for nct_id in ids:
            unit.failures.record(nct_id, error, b"", run_id=None, now=clock.now())


def test_a_failure_unrelated_to_the_trial_does_not_hold_it_back(
    store: Store, clock: StillClock
) -> None:
    record_failures(store, RegistryUnreachable("away"), [POISON], clock)
    assert held_back(store, of=100, now=clock.now()) == {}


def test_no_trial_is_held_back_if_too_many_failed(store: Store, clock: StillClock) -> None:
    ids = [*map(an_id, range(1, MOST_HELD + 2))]
    record_failures(store, BadAnswer("no JSON"), ids[:-1], clock)
    assert len(held_back(store, of=100, now=clock.now())) == MOST_HELD
    record_failures(store, BadAnswer("no JSON"), ids[-1:], clock)
    assert held_back(store, of=100, now=clock.now()) == {}
    assert len(held_back(store, of=10_000, now=clock.now())) == MOST_HELD + 1
