"""Storing and reading trials, versions and bodies, the same on both databases."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as listen
from sqlalchemy import update

from ctsync.errors import CorruptBody, StoreConflict, UnknownVersion
from ctsync.model import Head, KeyFields, Source, State
from ctsync.store.bodies import codec
from ctsync.store.bodies.reader import Dictionaries
from ctsync.store.data.versions import KEY_COLUMNS
from ctsync.store.database.tables import BODIES, SNAPSHOTS
from ctsync.store.store import Store
from tests.registry_fixtures import an_id
from tests.store.samples import FETCHED, LOAD, OTHER, TRIAL, add, engine_of, fill, record, record_of


def test_each_key_field_has_its_own_column() -> None:
    assert list(KEY_COLUMNS) == [field.name for field in fields(KeyFields)]
    assert len(set(KEY_COLUMNS.values())) == len(KEY_COLUMNS)
    assert set(KEY_COLUMNS.values()) <= set(SNAPSHOTS.columns.keys())


def test_a_version_is_read_back_unchanged(store: Store) -> None:
    key = KeyFields(
        status="TERMINATED", why_stopped="funding", start_date="2017-01", start_date_type="ACTUAL",
        enrollment=20, posted="2018-01-04", submitted="2017-12-27", has_results=True,
        brief_title="BM-MSC in knee osteoarthritis", phases="PHASE3",
    )  # fmt: skip
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", FETCHED)
        add(
            unit, 0, None, key=key, posted="2018-01-04", submitted="2017-12-27",
            source=Source.BOTH, registry_version=7, run_id=run_id,
        )  # fmt: skip
    (version,) = store.versions.of(TRIAL)
    assert version.key == key
    assert (version.version, version.registry_version) == (1, 7)
    assert (version.source, version.state) == (Source.BOTH, State.PRESENT)
    assert (version.posted, version.submitted) == ("2018-01-04", "2017-12-27")
    assert (version.observed, version.fetched) == (LOAD, FETCHED)
    assert store.bodies.read(version.digest or "") == record(0).canonical


def test_forty_versions_are_numbered_in_order_and_read_back(store: Store) -> None:
    fill(store, 40)
    versions = store.versions.of(TRIAL)
    assert [version.version for version in versions] == list(range(1, 41))
    assert [version.key.enrollment for version in versions] == list(range(40))
    for number, version in enumerate(versions):
        assert store.bodies.read(version.digest or "") == record(number).canonical


def test_a_body_is_unpacked_from_at_most_six_frames(store: Store) -> None:
    fill(store, 70)
    dictionaries = Dictionaries()
    with store.view() as connection:
        chains = [dictionaries.chain(connection, record(number).digest) for number in range(70)]
    frames = [len(chain) for chain in chains]
    print(f"bodies of 70 versions: {sum(frames) / 70:.1f} frames on average, {max(frames)} at most")
    assert max(frames) == 6
    assert [chain[-1].depth for chain in chains].count(0) == 3  # one keyframe per 32 versions


def test_a_version_is_added_to_bodies_that_are_each_packed_against_the_one_before(
    store: Store,
) -> None:
    *_, head = fill(store, 16)
    with store.unit() as unit:
        for older, newer in pairwise([record(number) for number in range(16)]):
            packed = codec.pack(newer.canonical, older.canonical)
            place = {"base_digest": older.digest, "data": packed}
            row = update(BODIES).where(BODIES.c.digest == newer.digest).values(place)
            unit.connection.execute(row)
        for number in range(16, 20):
            head = add(unit, number, head)
    bodies = [store.bodies.read(record(number).digest) for number in range(20)]
    assert bodies == [record(number).canonical for number in range(20)]


def test_the_head_is_the_newest_version(store: Store) -> None:
    snapshots = fill(store, 3)
    fill(store, 1, OTHER)
    heads = store.trials.heads([TRIAL, OTHER, an_id(1)])
    assert set(heads) == {TRIAL, OTHER}
    assert heads[TRIAL] == Head(TRIAL, snapshots[-1], 3, record(2).digest, State.PRESENT)


def test_a_record_that_returns_is_a_new_version_with_the_same_body(store: Store) -> None:
    with store.unit() as unit:
        first = add(unit, 0, None)
        second = add(unit, 1, first)
        add(unit, 0, second)
    versions = store.versions.of(TRIAL)
    assert [v.digest for v in versions] == [record(n).digest for n in (0, 1, 0)]
    assert store.counts()["bodies"] == 2


def test_a_repeated_version_is_stored_once(store: Store) -> None:
    with store.unit() as unit:
        first = add(unit, 0, None)
        second = add(unit, 1, first)
    with store.unit() as unit:
        assert add(unit, 1, first) == second
        again = unit.versions.add(
            TRIAL, after=first, record=record(1), key=KeyFields(), state=State.PRESENT,
            source=Source.LIVE, posted=None, submitted=None, observed=LOAD, fetched=FETCHED,
            run_id=None,
        )  # fmt: skip
        assert again == (second, False)
    assert len(store.versions.of(TRIAL)) == 2


@pytest.mark.parametrize("stale", ["none", "older"])
def test_a_version_after_an_outdated_head_rolls_back_its_unit(store: Store, stale: str) -> None:
    first, *_ = fill(store, 2)
    before = store.counts()

    def unit_of_two() -> None:
        with store.unit() as unit:
            add(unit, 0, None, OTHER)
            add(unit, 9, None if stale == "none" else first)

    with pytest.raises(StoreConflict, match="another writer"):
        unit_of_two()
    assert store.counts() == before


def test_a_trial_that_left_and_returned_has_a_version_for_each_state(store: Store) -> None:
    with store.unit() as unit:
        first = add(unit, 0, None)
        unit.trials.mark_absent(TRIAL, LOAD)
        gone = add(unit, 1, first, record=None, state=State.GONE)
        assert store.name
    assert store.trials.heads([TRIAL])[TRIAL].state is State.GONE
    assert store.trials.heads([TRIAL])[TRIAL].digest is None
    assert store.trials.heads([TRIAL])[TRIAL].absent_since is None
    assert store.versions.newest_digest(TRIAL) == record(0).digest
    with store.unit() as unit:
        add(unit, 2, gone)
    assert [v.state for v in store.versions.of(TRIAL)] == ["present", "gone", "present"]
    assert [key.enrollment for key in store.versions.earlier_keys(TRIAL)] == [0, 2]
    assert store.bodies.read(record(2).digest) == record(2).canonical


def test_a_moved_trial_names_its_successor_until_it_is_present_again(store: Store) -> None:
    with store.unit() as unit:
        first = add(unit, 0, None)
        unit.trials.mark_moved(TRIAL, OTHER)
        moved = add(unit, 1, first, record=None, state=State.MOVED)
    head = store.trials.heads([TRIAL])[TRIAL]
    assert (head.state, head.moved_to) == (State.MOVED, OTHER)
    with store.unit() as unit:
        add(unit, 2, moved)
    assert store.trials.heads([TRIAL])[TRIAL].moved_to is None


def test_an_absence_is_dated_by_its_first_load_until_the_trial_is_seen(store: Store) -> None:
    fill(store, 1)
    for days in (1, 2):
        with store.unit() as unit:
            unit.trials.mark_absent(TRIAL, LOAD + timedelta(days=days))
    assert store.trials.heads([TRIAL])[TRIAL].absent_since == LOAD + timedelta(days=1)
    with store.unit() as unit:
        unit.trials.mark_seen([TRIAL], run_id=None, load=LOAD + timedelta(days=3))
    assert store.trials.heads([TRIAL])[TRIAL].absent_since is None


def test_a_trial_never_found_by_a_load_is_not_among_the_stored_trials(store: Store) -> None:
    with store.unit() as unit:
        unit.trials.mark_absent(TRIAL, LOAD)
    assert store.trials.never_found([TRIAL, OTHER]) == {TRIAL: LOAD}
    assert store.trials.heads([TRIAL]) == {}
    assert store.trials.stored_ids() == ()
    fill(store, 1)
    assert store.trials.never_found([TRIAL]) == {}
    assert store.trials.stored_ids() == (TRIAL,)


def test_a_record_with_a_wrong_digest_is_refused(store: Store) -> None:
    forged = record_of({"a": 1})
    wrong = type(forged)(TRIAL, forged.body, b"{}", forged.digest)
    with pytest.raises(CorruptBody), store.unit() as unit:
        add(unit, 0, None, record=wrong)
    assert set(store.counts().values()) == {0}


def test_reading_a_missing_body_or_version_is_an_error(store: Store) -> None:
    with pytest.raises(CorruptBody, match="missing"):
        store.bodies.read(record(0).digest)
    with pytest.raises(UnknownVersion, match="ctsync sync"):
        store.versions.newest_digest(TRIAL)


def test_a_version_after_a_damaged_body_can_be_read(store: Store) -> None:
    from sqlalchemy import text

    (first,) = fill(store, 1)
    with store.view() as connection:
        connection.execute(text("UPDATE bodies SET data = :data"), {"data": b"damaged"})
        connection.commit()
    with store.unit() as unit:
        add(unit, 1, first)
    assert store.bodies.read(record(1).digest) == record(1).canonical


@pytest.mark.slow
def test_six_hundred_unchanged_trials_take_two_statements(store: Store) -> None:
    ids = [an_id(number) for number in range(1, 601)]
    with store.unit() as unit:
        for nct_id in ids:
            add(unit, 0, None, nct_id, record=record_of({"nctId": nct_id}))
    statements: list[str] = []

    def count(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    listen.listen(engine_of(store), "before_cursor_execute", count)
    assert len(store.trials.heads(ids)) == 600
    with store.unit() as unit:
        unit.trials.mark_seen(ids, run_id=None, load=LOAD)
    assert len(statements) == 2


@pytest.mark.slow
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.lists(st.integers(0, 5), min_size=1, max_size=25), number=st.integers(1, 10**7))
def test_any_sequence_of_versions_is_read_back_as_written(
    store: Store, values: list[int], number: int
) -> None:
    nct_id = an_id(number)
    head = store.trials.heads([nct_id]).get(nct_id)
    newest: int | None = head.snapshot_id if head else None
    written = [version.key.enrollment for version in store.versions.of(nct_id)]
    with store.unit() as unit:
        for value in values:
            newest = add(unit, value, newest, nct_id)
            if not written or written[-1] != value:
                written.append(value)
    versions = store.versions.of(nct_id)
    assert [version.key.enrollment for version in versions] == written
    for version, number_kept in zip(versions, written, strict=True):
        assert store.bodies.read(version.digest or "") == record(number_kept or 0, nct_id).canonical
