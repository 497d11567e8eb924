"""The order of rows that fills SQLite's pages, held against what SQLite itself makes of them."""

from __future__ import annotations

import random
import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import KeyFields, NctId, State
from ctsync.store.bodies.page_order import PAGE, fill_pages, leaf_bytes
from ctsync.store.data.version_batches import NewBody, NewStep
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.store.samples import FETCHED, LOAD, record


@given(sizes=st.lists(st.integers(0, 100_000), max_size=200))
def test_every_row_has_one_place(sizes: list[int]) -> None:
    assert sorted(fill_pages(sizes)) == list(range(len(sizes)))


@given(payload=st.integers(0, 10_000_000))
def test_what_stays_in_a_leaf_fits_it_and_what_overflows_begins_there(payload: int) -> None:
    part = leaf_bytes(payload)
    assert part <= PAGE - 8
    assert part > payload or part >= 489  # SQLite's least


def pages_of(sizes: list[int]) -> int:
    """The pages that SQLite takes for rows of these sizes, in this order."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("CREATE TABLE packed (id INTEGER PRIMARY KEY, data BLOB)")
    rows = [(bytes(size),) for size in sizes]
    connection.executemany("INSERT INTO packed (data) VALUES (?)", rows)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    return int(pages)


def packed_size(chance: random.Random) -> int:
    """As packed records are: a median of 1.5 KB, a mean of 3.4."""
    return int(chance.lognormvariate(7.3, 1.2)) + 300


def test_sqlite_needs_fewer_pages_for_packed_records_in_this_order() -> None:
    chance = random.Random(11)
    sizes = [packed_size(chance) for _ in range(500)]
    ordered = [sizes[index] for index in fill_pages([size + 8 for size in sizes])]
    as_they_come, filled, least = pages_of(sizes), pages_of(ordered), sum(sizes) // (PAGE - 16)
    print(
        f"500 records: {as_they_come} pages as they come, {filled} in order, {least} at the least"
    )
    assert filled < 0.94 * as_they_come
    assert filled < 1.06 * least


def test_the_bodies_of_a_batch_are_stored_in_this_order(migrated_sqlite_url: str) -> None:
    chance = random.Random(12)
    steps = []
    for number in range(1, 301):
        one = record(number, NctId(f"NCT{number:08d}"))
        packed = chance.randbytes(packed_size(chance))
        body = NewBody(one.digest, len(one.canonical), keyframe=packed)
        steps.append(NewStep(one.nct_id, None, State.PRESENT, body, KeyFields(), (), FETCHED))
    with open_store(migrated_sqlite_url, clock=StillClock()) as store, store.unit() as unit:
        unit.batches.add(steps, run_id=None, observed=LOAD, rules_version=1)
    with sqlite3.connect(migrated_sqlite_url.removeprefix("sqlite:///")) as file:
        stored, by_name = (
            [size + 55 for (size,) in file.execute(f"SELECT length(data) FROM bodies {order}")]
            for order in ("ORDER BY rowid", "ORDER BY digest")
        )
    assert len(stored) == 300
    assert pages_of(stored) < 0.95 * pages_of(by_name)
