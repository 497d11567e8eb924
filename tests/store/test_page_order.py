"""The order of rows that fills SQLite's pages, compared with the pages that SQLite uses."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import KeyFields, State
from ctsync.store.bodies.page_order import PAGE, fill_pages, leaf_bytes
from ctsync.store.data.version_batches import NewBody, NewStep
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.registry_fixtures import an_id
from tests.store.samples import FETCHED, LOAD, record


@given(sizes=st.lists(st.integers(0, 100_000), max_size=200))
def test_the_order_contains_every_row_once(sizes: list[int]) -> None:
    assert sorted(fill_pages(sizes)) == list(range(len(sizes)))


@given(payload=st.integers(0, 10_000_000))
def test_the_part_of_a_row_in_a_leaf_fits_the_page(payload: int) -> None:
    part = leaf_bytes(payload)
    assert part <= PAGE - 8
    assert part > payload or part >= 489  # the smallest part that SQLite keeps in a leaf


def pages_of(sizes: list[int]) -> int:
    """Return the pages that SQLite uses for rows of these sizes, inserted in this order."""
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("CREATE TABLE packed (id INTEGER PRIMARY KEY, data BLOB)")
    rows = [(bytes(size),) for size in sizes]
    connection.executemany("INSERT INTO packed (data) VALUES (?)", rows)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    return int(pages)


def packed_size(chance: random.Random) -> int:
    """Draw a size as packed records have them: a median of 1.5 KB, a mean of 3.4 KB."""
    return int(chance.lognormvariate(7.3, 1.2)) + 300


def test_packed_records_in_page_order_take_fewer_pages() -> None:
    chance = random.Random(11)
    sizes = [packed_size(chance) for _ in range(500)]
    ordered = [sizes[index] for index in fill_pages([size + 8 for size in sizes])]
    unordered, filled, least = pages_of(sizes), pages_of(ordered), sum(sizes) // (PAGE - 16)
    print(f"500 records: {unordered} pages unordered, {filled} in page order, {least} at least")
    assert filled < 0.94 * unordered
    assert filled < 1.06 * least


def test_the_bodies_of_a_batch_are_stored_in_page_order(migrated_sqlite_url: str) -> None:
    chance = random.Random(12)
    steps = []
    for number in range(1, 301):
        one = record(number, an_id(number))
        packed = chance.randbytes(packed_size(chance))
        body = NewBody(one.digest, len(one.canonical), keyframe=packed)
        steps.append(NewStep(one.nct_id, None, State.PRESENT, body, KeyFields(), (), FETCHED))
    with open_store(migrated_sqlite_url, clock=StillClock()) as store, store.unit() as unit:
        unit.batches.add(steps, run_id=None, observed=LOAD, rules_version=1)
    with closing(sqlite3.connect(migrated_sqlite_url.removeprefix("sqlite:///"))) as file:
        stored, by_name = (
            [size + 55 for (size,) in file.execute(f"SELECT length(data) FROM bodies {order}")]
            for order in ("ORDER BY rowid", "ORDER BY digest")
        )
    assert len(stored) == 300
    assert pages_of(stored) < 0.95 * pages_of(by_name)
