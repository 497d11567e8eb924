"""The outbox: no delivery is lost, and none is claimed twice."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from ctsync.model import Verdict
from ctsync.store.data.outbox import Delivery, DeliveryState, OutboxHorizon
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.store.samples import FETCHED, TRIAL, add, add_events, delivery, event

LEASE = timedelta(minutes=5)


def outbox(store: Store, count: int = 3, *, recipients: int = 1) -> list[int]:
    """Put this many deliveries into the outbox, and return the ids of their events."""
    with store.unit() as unit:
        step = [event(f"path.{n}") for n in range(count)]
        ids = add_events(unit, None, add(unit, 0, None), *step)
        to = ["log", *map(str, range(1, recipients))]
        made = [delivery(one, to[n % recipients]) for n, one in enumerate(ids)]
        assert unit.outbox.enqueue(made) == count
    return ids


def claim(
    store: Store, worker: str = "a", *, limit: int = 10, minutes: float = 0
) -> list[Delivery]:
    now = FETCHED + timedelta(minutes=minutes)
    with store.unit() as unit:
        return unit.outbox.claim(now, lease=LEASE, limit=limit, worker=worker)


def ids_of(deliveries: list[Delivery]) -> list[int]:
    return [delivery.delivery_id for delivery in deliveries]


def test_a_delivery_enqueued_twice_is_stored_once(store: Store) -> None:
    ids = outbox(store)
    with store.unit() as unit:
        again = [delivery(event_id) for event_id in ids]
        assert unit.outbox.enqueue([*again, delivery(ids[0], recipient="someone else")]) == 1
    assert len(store.outbox.deliveries()) == 4
    assert len(store.outbox.deliveries(DeliveryState.PENDING)) == 4


def test_claims_take_the_oldest_deliveries_first_up_to_the_limit(store: Store) -> None:
    ids = outbox(store, 40)
    claimed = claim(store, limit=7)
    assert [one.event_id for one in claimed] == ids[:7]
    assert {one.state for one in claimed} == {DeliveryState.CLAIMED}
    assert [one.event_id for one in claim(store, limit=5)] == ids[7:12]


def test_a_recipient_with_a_claimed_delivery_is_left_to_its_worker(store: Store) -> None:
    (first,) = outbox(store, 1)
    assert len(claim(store, "a")) == 1
    with store.unit() as unit:
        newer = [delivery(first, dedup_key="newer"), delivery(first, "someone else")]
        assert unit.outbox.enqueue(newer) == 2
    assert [one.recipient for one in claim(store, "b")] == ["someone else"]
    assert [one.dedup_key for one in claim(store, "a")] == ["newer"]
    assert [one.event_id for one in claim(store, "c", minutes=5)] == [first] * 3


@pytest.mark.slow
def test_deliveries_above_the_given_id_are_not_claimed(store: Store) -> None:
    outbox(store, 3)
    with store.unit() as unit:
        claimed = unit.outbox.claim(FETCHED, lease=LEASE, limit=10, worker="a", up_to=2)
    assert ids_of(claimed) == [1, 2]


def test_the_horizon_moves_only_if_no_newer_run_is_in_progress(store: Store) -> None:
    outbox(store, 1)
    with store.unit() as unit:
        unit.runs.begin("sync", FETCHED)  # killed: it never ends
    at_first = store.outbox.horizon()
    assert at_first == OutboxHorizon(1, 1)
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", FETCHED)
    assert store.outbox.horizon(at_first) is None
    with store.unit() as unit:
        unit.runs.finish(run_id, finished=FETCHED, verdict=Verdict.OK)
    assert store.outbox.horizon(at_first) == OutboxHorizon(1, 2)


def test_a_delivery_that_a_worker_is_sending_is_not_retried(store: Store) -> None:
    outbox(store, 1)
    ids = ids_of(claim(store, "a"))
    with store.unit() as unit:
        assert unit.outbox.retry(ids, now=FETCHED) == 0
        assert unit.outbox.retry(ids, now=FETCHED + LEASE) == 1


def test_a_run_that_only_one_process_may_make_is_begun_once(store: Store) -> None:
    def claim_run(minutes: float = 0) -> int | None:
        now = FETCHED + timedelta(minutes=minutes)
        with store.unit() as unit:
            return unit.runs.claim("heartbeat 1", now, since=FETCHED, lease=LEASE)

    first = claim_run()
    assert first is not None
    assert claim_run(4) is None
    after_its_death = claim_run(5)
    assert after_its_death is not None
    with store.unit() as unit:
        unit.runs.discard(after_its_death)
    again = claim_run(5)
    assert again is not None
    with store.unit() as unit:
        unit.runs.finish(again, finished=FETCHED, verdict=Verdict.OK)
    assert claim_run(60) is None


def test_a_delivery_is_not_claimed_before_it_is_due(store: Store) -> None:
    (event_id,) = outbox(store, 1)
    with store.unit() as unit:
        unit.outbox.enqueue([delivery(event_id, "later", not_before=FETCHED + timedelta(days=7))])
    assert [one.recipient for one in claim(store)] == ["log"]
    assert [one.recipient for one in claim(store, minutes=7 * 24 * 60)] == ["log", "later"]


def test_the_claim_of_a_dead_worker_is_freed_when_its_lease_ends(store: Store) -> None:
    outbox(store)
    assert len(claim(store, "died")) == 3
    assert claim(store, "b", minutes=4) == []
    assert len(claim(store, "b", minutes=5)) == 3


def test_an_attempt_is_counted_only_for_the_worker_that_holds_the_claim(store: Store) -> None:
    outbox(store, 1)
    ids = ids_of(claim(store, "a"))
    until = FETCHED + timedelta(minutes=9)
    with store.unit() as unit:
        assert unit.outbox.mark_attempt(ids, worker="b", lease_until=until, message_id=None) == 0
        assert (
            unit.outbox.mark_attempt(ids, worker="a", lease_until=until, message_id="<1@host>") == 1
        )
    (one,) = store.outbox.deliveries()
    assert (one.attempts, one.lease_until, one.message_id) == (1, until, "<1@host>")


def test_a_sent_delivery_stays_sent_even_if_its_lease_was_lost(store: Store) -> None:
    outbox(store, 1)
    ids = ids_of(claim(store, "a"))
    claim(store, "b", minutes=6)
    with store.unit() as unit:
        assert unit.outbox.mark_sent(ids, now=FETCHED, message_id="<1@host>") == 1
        assert unit.outbox.mark_sent(ids, now=FETCHED) == 0
        assert unit.outbox.retry(ids, now=FETCHED) == 0
        assert unit.outbox.drop(ids) == 0
    (one,) = store.outbox.deliveries(DeliveryState.SENT)
    assert (one.sent_at, one.message_id, one.claimed_by) == (FETCHED, "<1@host>", None)
    assert store.outbox.deliveries(unsent_only=True) == []


def test_a_failed_delivery_is_due_again_at_the_given_time(store: Store) -> None:
    outbox(store, 1)
    ids = ids_of(claim(store, "a"))
    later = FETCHED + timedelta(minutes=10)
    with store.unit() as unit:
        assert unit.outbox.mark_failed(ids, worker="b", error="x", not_before=later) == 0
        assert unit.outbox.mark_failed(ids, worker="a", error="greylisted", not_before=later) == 1
    assert claim(store, minutes=9) == []
    (one,) = claim(store, minutes=10)
    assert one.last_error == "greylisted"


def test_a_released_claim_can_be_claimed_by_another_worker(store: Store) -> None:
    outbox(store, 2)
    claimed = claim(store, "a")
    with store.unit() as unit:
        assert unit.outbox.release(ids_of(claimed), worker="a") == 2
    assert len(claim(store, "b")) == 2


def test_a_parked_delivery_waits_until_it_is_retried_by_hand(store: Store) -> None:
    outbox(store, 2)
    first, second = ids_of(store.outbox.deliveries())
    with store.unit() as unit:
        assert unit.outbox.park([first], error="552 content refused") == 1
        assert unit.outbox.drop([second]) == 1
    assert claim(store) == []
    parked = store.outbox.deliveries(DeliveryState.PARKED)
    assert [one.delivery_id for one in parked] == [first]
    assert [one.delivery_id for one in store.outbox.deliveries(unsent_only=True)] == [first]
    with store.unit() as unit:
        assert unit.outbox.retry(now=FETCHED) == 1
    (one,) = claim(store)
    assert (one.delivery_id, one.attempts) == (first, 0)


@pytest.mark.slow
def test_eight_workers_claim_four_hundred_deliveries_once_each(
    migrated_url: str, clock: StillClock
) -> None:
    with open_store(migrated_url, clock=clock) as store:
        outbox(store, 400, recipients=40)
        claimed: list[int] = []

        def work(worker: str) -> None:
            while batch := claim(store, worker, limit=10):
                claimed.extend(ids_of(batch))

        workers = [threading.Thread(target=work, args=(str(n),)) for n in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        owners = {(one.recipient, one.claimed_by) for one in store.outbox.deliveries()}
        assert len(owners) == 40, "one worker at a time per recipient"
        assert sorted(claimed) == [one.delivery_id for one in store.outbox.deliveries()]
        assert store.trials.heads([TRIAL])[TRIAL].version == 1
