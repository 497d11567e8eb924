"""Storing the next versions of many trials at once, the same on both databases."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event as listen

from ctsync.errors import StoreConflict, Unstorable
from ctsync.model import KeyFields, NctId, State
from ctsync.store.data.version_batches import NewBody, NewStep
from ctsync.store.store import Store
from tests.store.samples import FETCHED, LOAD, OTHER, TRIAL, add, engine_of, event, record

HEADS_OF_A_BATCH = re.compile(
    r"SELECT trials.nct_id, trials.head_snapshot_id\s+FROM trials\s+WHERE"
)


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
def stale_heads(store: Store) -> Iterator[None]:
    """Make a batch find no heads at first, as if another writer committed just after its query."""
    engine, lookups = engine_of(store), itertools.count(1)

    def see_none(
        _c: object, _k: object, statement: str, values: object, *_rest: object
    ) -> tuple[str, object]:
        if HEADS_OF_A_BATCH.match(statement) and next(lookups) == 1:
            return statement.replace("WHERE", "WHERE false AND", 1), values
        return statement, values

    listen.listen(engine, "before_cursor_execute", see_none, retval=True)
    yield
    listen.remove(engine, "before_cursor_execute", see_none)
    assert next(lookups) == 3, "the batch did not look for the heads twice"


def test_new_and_known_trials_are_stored_in_one_batch(store: Store) -> None:
    with store.unit() as unit:
        first = add(unit, 0, None)
    ids = keep(store, step(1, TRIAL, after=first), step(0, OTHER))
    heads = store.trials.heads([TRIAL, OTHER])
    assert {nct_id: head.snapshot_id for nct_id, head in heads.items()} == ids
    assert [heads[TRIAL].version, heads[OTHER].version] == [2, 1]
    assert [v.key.enrollment for v in store.versions.of(TRIAL)] == [0, 1]
    assert store.bodies.read(heads[OTHER].digest or "") == record(0, OTHER).canonical
    assert [stored.nct_id for stored in store.events.find()] == [TRIAL, OTHER]


def test_a_batch_stored_twice_is_stored_once(store: Store) -> None:
    steps = [step(0, TRIAL), step(0, OTHER)]
    assert keep(store, *steps) == keep(store, *steps)
    assert (store.counts()["snapshots"], store.counts()["events"]) == (2, 2)


def test_a_version_stored_after_a_batch_gets_a_greater_id(store: Store) -> None:
    ids = keep(store, step(0, TRIAL), step(0, OTHER))
    with store.unit() as unit:
        following = add(unit, 1, ids[TRIAL])
    assert following > max(ids.values())


def test_a_trial_known_only_as_absent_gets_its_first_version(store: Store) -> None:
    with store.unit() as unit:
        unit.trials.mark_absent(TRIAL, LOAD)
    keep(store, step(0, TRIAL))
    head = store.trials.heads([TRIAL])[TRIAL]
    assert (head.version, head.absent_since) == (1, None)


@pytest.mark.usefixtures("stale_heads")
def test_a_version_that_another_writer_just_stored_is_not_stored_twice(store: Store) -> None:
    with store.unit() as unit:
        stored = add(unit, 0, None)
    assert keep(store, step(0, TRIAL), step(0, OTHER))[TRIAL] == stored
    assert len(store.versions.of(TRIAL)) == len(store.versions.of(OTHER)) == 1


@pytest.mark.usefixtures("stale_heads")
def test_a_batch_is_refused_if_another_writer_just_stored_another_version(store: Store) -> None:
    with store.unit() as unit:
        add(unit, 0, None)
    with pytest.raises(StoreConflict, match="another writer"):
        keep(store, step(1, TRIAL), step(0, OTHER))
    assert [v.version for v in store.versions.of(TRIAL)] == [1]
    assert store.versions.of(OTHER) == []


def test_a_batch_with_a_naive_time_stores_nothing(store: Store) -> None:
    naive = datetime(2026, 3, 13)  # noqa: DTZ001 - must be refused
    with pytest.raises((ValueError, Unstorable), match="needs a zone"):
        keep(store, step(0, TRIAL, fetched=naive))
    assert store.counts()["trials"] == 0
