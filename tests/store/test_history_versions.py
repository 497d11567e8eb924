"""Versions of the registry history are inserted in order among the stored versions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ctsync.errors import StoreConflict
from ctsync.model import KeyFields, Source, State
from ctsync.store.admin.check import check
from ctsync.store.data.history_versions import HistoryVersion
from ctsync.store.store import Store
from tests.store.samples import FETCHED, LOAD, OTHER, TRIAL, add, record


def insert(store: Store, number: int, *, before: int | None, room: int = 1) -> tuple[int, bool]:
    body = record(1000 + number)
    day = f"2020-01-{1 + number % 28:02d}"
    new = HistoryVersion(number, body, KeyFields(status="RECRUITING"), day, FETCHED)
    with store.unit() as unit:
        return unit.histories.insert(TRIAL, new, before=before, room=room, run_id=None)


def numbers(store: Store) -> list[int | None]:
    return [version.registry_version for version in store.versions.of(TRIAL)]


def positions(url: str) -> list[int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT position FROM snapshots ORDER BY position"))
        listed = [row.position for row in found]
    engine.dispose()
    return listed


@pytest.mark.slow
def test_a_hundred_versions_fit_before_and_between_the_live_versions(
    store: Store, migrated_url: str
) -> None:
    with store.unit() as unit:
        first = add(unit, 1, None)
        second = add(unit, 2, first)
    for number in range(50):
        insert(store, number, before=first, room=50 - number)
    for number in range(50, 100):
        insert(store, number, before=second, room=100 - number)
    assert numbers(store) == [*range(50), None, *range(50, 100), None]
    assert store.trials.heads([TRIAL])[TRIAL].snapshot_id == second
    assert check(migrated_url) == []


@pytest.mark.slow
def test_positions_are_renumbered_if_no_free_position_is_left(
    store: Store, migrated_url: str
) -> None:
    with store.unit() as unit:
        first = add(unit, 1, None)
        second = add(unit, 2, first)
    for number in range(
        45
    ):  # each insertion halves the gap of 2**20, so 20 fit without renumbering
        insert(store, number, before=second)
    assert numbers(store) == [None, *range(45), None]
    taken = positions(migrated_url)
    assert len(set(taken)) == len(taken) == 47
    assert check(migrated_url) == []


def test_a_version_inserted_twice_is_stored_once(store: Store) -> None:
    first, is_new = insert(store, 0, before=None)
    assert (is_new, insert(store, 0, before=None)) == (True, (first, False))
    assert store.counts()["snapshots"] == 1


def test_an_insertion_before_a_version_of_another_trial_is_refused(store: Store) -> None:
    with store.unit() as unit:
        of_another = add(unit, 1, None, OTHER)
    with pytest.raises(StoreConflict):
        insert(store, 0, before=of_another)
    assert store.counts()["snapshots"] == 1


def test_the_live_body_replaces_the_body_from_the_history(store: Store, migrated_url: str) -> None:
    for number in range(3):
        insert(store, number, before=None)
    before = store.versions.of(TRIAL)
    seen, key = record(7), KeyFields(status="RECRUITING", posted="2020-01-03")

    def confirm(head: int) -> int | None:
        with store.unit() as unit:
            return unit.histories.confirm(
                TRIAL, head=head, record=seen, key=key, observed=LOAD, fetched=FETCHED, run_id=None
            )

    with pytest.raises(StoreConflict):
        confirm(before[1].snapshot_id)
    newest = before[-1].snapshot_id
    assert confirm(newest) == confirm(newest) == before[1].snapshot_id
    after = store.versions.of(TRIAL)[-1]
    assert (after.source, after.registry_version, after.submitted, after.observed) == (
        Source.BOTH, 2, before[-1].submitted, LOAD,
    )  # fmt: skip
    assert store.bodies.read(after.digest or "") == seen.canonical
    assert store.counts()["bodies"] == 3
    assert check(migrated_url) == []


def test_check_finds_registry_version_numbers_that_do_not_increase(
    store: Store, migrated_url: str
) -> None:
    for number in range(3):
        insert(store, number, before=None)
    engine = create_engine(migrated_url)
    with engine.begin() as connection:
        altered = "UPDATE snapshots SET registry_version = 0 WHERE registry_version = 1"
        connection.execute(text(altered))
    engine.dispose()
    assert [problem.kind for problem in check(migrated_url)] == ["wrong number"]


def test_due_histories_are_those_planned_by_now_with_the_earliest_first(store: Store) -> None:
    def note(nct_id: Any, hours: int | None, state: str = "unavailable (403)") -> None:
        retry = None if hours is None else FETCHED + timedelta(hours=hours)
        with store.unit() as unit:
            unit.histories.set_state(
                nct_id, state, asked=FETCHED, retry=retry, failed=hours is not None
            )

    note(TRIAL, 2)
    note(OTHER, 1)
    assert store.histories.due(FETCHED, limit=9) == ()
    assert store.histories.due(FETCHED + timedelta(hours=2), limit=9) == (OTHER, TRIAL)
    assert store.histories.due(FETCHED + timedelta(hours=2), limit=1) == (OTHER,)
    note(TRIAL, 3)
    assert store.histories.states([TRIAL])[TRIAL].attempts == 2
    note(TRIAL, None, "complete")
    assert (store.histories.states()[TRIAL].attempts, store.histories.states()[TRIAL].retry) == (
        0,
        None,
    )


def test_a_trial_can_begin_with_its_history_and_continue_with_a_load(store: Store) -> None:
    first, _ = insert(store, 0, before=None)
    with store.unit() as unit:
        seen = add(unit, 1, first)
    head = store.trials.heads([TRIAL])[TRIAL]
    assert (head.snapshot_id, head.source, head.state) == (seen, Source.LIVE, State.PRESENT)
    insert(store, 1, before=seen)
    assert numbers(store) == [0, 1, None]
