"""The revision of a database changes with each write that pages show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ctsync.model import Verdict
from ctsync.store.store import Store, open_for_reading
from ctsync.store.unit import Unit
from tests.conftest import StillClock
from tests.store.samples import TRIAL, add, add_events, delivery


def test_each_write_that_a_page_shows_changes_the_revision(store: Store, clock: StillClock) -> None:
    now = clock.now()
    with store.unit() as unit:
        first = add(unit, 1, None)

    def add_event(unit: Unit) -> None:
        second = add(unit, 2, first)
        (number,) = add_events(unit, first, second)
        unit.outbox.enqueue([delivery(number)])

    def park(unit: Unit) -> None:
        unit.outbox.park([1], error="refused")

    writes: dict[str, Callable[[Unit], object]] = {
        "begin a run": lambda unit: unit.runs.begin("sync", now),
        "finish a run": lambda unit: unit.runs.finish(1, finished=now, verdict=Verdict.OK),
        "add an event": add_event,
        "park a delivery": park,
        "watch a trial": lambda unit: unit.watches.add_trials("a watch", {TRIAL: None}, now),
    }
    found = [store.revisions.now()]
    for write in writes.values():
        with store.unit() as unit:
            write(unit)
        found.append(store.revisions.now())
    assert store.revisions.now() == found[-1]
    print(f"revision: {len(writes)} kinds of writes, {len(set(found)) - 1} new revisions")
    assert len(set(found)) == len(writes) + 1


def test_a_view_does_not_see_what_is_written_after_its_first_read(
    store: Store, clock: StillClock
) -> None:
    with store.one_view() as view:
        before = view.runs.last(), view.revisions.now()
        with store.unit() as unit:
            unit.runs.begin("sync", clock.now())
        assert (view.runs.last(), view.revisions.now()) == before == (None, before[1])
    with store.one_view() as view:
        assert view.runs.last() is not None


def test_a_store_knows_that_its_file_was_replaced(
    migrated_sqlite_url: str, migrated_file: Path, clock: StillClock
) -> None:
    with open_for_reading(migrated_sqlite_url, clock=clock, cache_kib=2048) as store:
        assert not store.was_replaced
        assert store.file is not None
        store.file.unlink()
        store.file.write_bytes(migrated_file.read_bytes())
        assert store.was_replaced
