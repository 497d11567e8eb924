"""Many trials' next versions at once, the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from ctsync.errors import StoreConflict, Unstorable
from ctsync.model import KeyFields, NctId, State
from ctsync.store.data.version_batches import BatchWrites, NewBody, NewStep
from ctsync.store.store import Store
from tests.store.samples import FETCHED, LOAD, OTHER, TRIAL, add, event, record


def step(number: int, nct_id: NctId, *, after: int | None = None, **more: Any) -> NewStep:
    one = record(number, nct_id)
    body = NewBody(one.digest, len(one.canonical), canonical=one.canonical)
    given: dict[str, Any] = {
        "state": State.PRESENT, "body": body, "key": KeyFields(enrollment=number),
        "events": (event(),), "fetched": FETCHED,
    }  # fmt: skip
    return NewStep(nct_id, after, **(given | more))


def keep(store: Store, *steps: NewStep) -> dict[NctId, int]:
    with store.unit() as unit:
        return unit.batches.add(steps, run_id=None, observed=LOAD, rules_version=1)


@pytest.fixture
def blind_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look for heads as one who looked before a rival's commit; the next time as they are."""
    look = BatchWrites._heads_for_update
    looked: list[Sequence[NctId]] = []

    def heads(self: BatchWrites, ids: Sequence[NctId]) -> Any:
        looked.append(ids)
        return {} if len(looked) == 1 else look(self, ids)

    with monkeypatch.context() as patched:
        patched.setattr(BatchWrites, "_heads_for_update", heads)
        yield
    assert len(looked) == 2


def test_new_trials_and_known_ones_are_stored_in_one_batch(store: Store) -> None:
    with store.unit() as unit:
        first = add(unit, 0, None)
    ids = keep(store, step(1, TRIAL, after=first), step(0, OTHER))
    heads = store.trials.heads([TRIAL, OTHER])
    assert {nct_id: head.snapshot_id for nct_id, head in heads.items()} == ids
    assert [heads[TRIAL].version, heads[OTHER].version] == [2, 1]
    assert [v.key.enrollment for v in store.versions.of(TRIAL)] == [0, 1]
    assert store.bodies.read(heads[OTHER].digest or "") == record(0, OTHER).canonical
    assert [told.nct_id for told in store.events.find()] == [TRIAL, OTHER]


def test_a_batch_stored_twice_is_stored_once(store: Store) -> None:
    steps = [step(0, TRIAL), step(0, OTHER)]
    assert keep(store, *steps) == keep(store, *steps)
    assert (store.counts()["snapshots"], store.counts()["events"]) == (2, 2)


def test_versions_numbered_ahead_leave_room_for_those_stored_one_by_one(store: Store) -> None:
    ids = keep(store, step(0, TRIAL), step(0, OTHER))
    with store.unit() as unit:
        following = add(unit, 1, ids[TRIAL])
    assert following > max(ids.values())


def test_a_trial_heard_of_only_gets_its_first_version(store: Store) -> None:
    with store.unit() as unit:
        unit.trials.mark_absent(TRIAL, LOAD)
    keep(store, step(0, TRIAL))
    head = store.trials.heads([TRIAL])[TRIAL]
    assert (head.version, head.absent_since) == (1, None)


@pytest.mark.usefixtures("blind_once")
def test_a_rivals_same_version_is_taken_for_ones_own(store: Store) -> None:
    with store.unit() as unit:
        stored = add(unit, 0, None)
    assert keep(store, step(0, TRIAL), step(0, OTHER))[TRIAL] == stored
    assert len(store.versions.of(TRIAL)) == len(store.versions.of(OTHER)) == 1


@pytest.mark.usefixtures("blind_once")
def test_a_rivals_other_version_refuses_the_batch(store: Store) -> None:
    with store.unit() as unit:
        add(unit, 0, None)
    with pytest.raises(StoreConflict, match="another writer"):
        keep(store, step(1, TRIAL), step(0, OTHER))
    assert [v.version for v in store.versions.of(TRIAL)] == [1]
    assert store.versions.of(OTHER) == []


def test_a_time_without_a_zone_stores_nothing(store: Store) -> None:
    naive = datetime(2026, 3, 13)  # noqa: DTZ001 - what is refused
    with pytest.raises((ValueError, Unstorable), match="needs a zone"):
        keep(store, step(0, TRIAL, fetched=naive))
    assert store.counts()["trials"] == 0
