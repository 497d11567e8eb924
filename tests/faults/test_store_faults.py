"""Failures at any point: a unit is stored completely or not at all, and can be repeated.

Each test prints its figure, which is the evidence.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError

from ctsync.errors import StoreUnavailable
from ctsync.model import NctId
from ctsync.store.admin.check import check
from ctsync.store.database.tables import METADATA
from ctsync.store.store import Store, open_store
from ctsync.store.unit import Unit
from tests.conftest import StillClock
from tests.store.samples import FETCHED, LOAD, OTHER, TRIAL, engine_of, fill, keep


def dump(store: Store) -> list[tuple[object, ...]]:
    """All stored rows."""
    with store.view() as connection:
        return [
            (table.name, *row)
            for table in METADATA.sorted_tables
            for row in connection.execute(table.select().order_by(*table.primary_key.columns))
        ]


def sync_unit(unit: Unit, heads: dict[NctId, int]) -> None:
    """Write everything that a sync may write in one unit."""
    keep(unit, 50, heads[TRIAL])
    keep(unit, 51, heads[OTHER], OTHER)
    unit.trials.mark_seen([TRIAL], run_id=None, load=LOAD)
    unit.trials.mark_absent(NctId("NCT00000102"), LOAD)
    unit.failures.record(OTHER, ValueError("x"), b"raw", run_id=None, now=FETCHED)
    unit.watches.add_trials("mine", {TRIAL: "BM-MSC-01", OTHER: None}, FETCHED)


def drain_unit(unit: Unit, _heads: dict[NctId, int]) -> None:
    """Write everything that a drain may write in one unit."""
    due = unit.outbox.claim(FETCHED, lease=timedelta(minutes=5), limit=10, worker="w")
    claimed = [one.delivery_id for one in due]
    unit.outbox.mark_attempt(claimed, worker="w", lease_until=FETCHED, message_id="<1@host>")
    unit.outbox.mark_sent(claimed[:1], now=FETCHED)
    unit.outbox.mark_failed(claimed[1:2], worker="w", error="x", not_before=FETCHED)
    unit.outbox.park(claimed[2:3], error="x")
    unit.outbox.drop(claimed[3:4])


def prepared(store: Store) -> dict[NctId, int]:
    fill(store, 2)
    fill(store, 2, OTHER)
    return {nct_id: head.snapshot_id for nct_id, head in store.trials.heads([TRIAL, OTHER]).items()}


@contextmanager
def failing(store: Store, hook: str, number: int) -> Iterator[None]:
    """Let the n-th call of an engine's event hook fail."""
    calls = itertools.count(1)

    def fail(*_: object) -> None:
        if next(calls) == number:
            raise OperationalError("injected", {}, sqlite3.OperationalError("injected"))

    engine = engine_of(store)
    event.listen(engine, hook, fail)
    try:
        yield
    finally:
        event.remove(engine, hook, fail)


@pytest.mark.slow
@pytest.mark.parametrize("work", [sync_unit, drain_unit], ids=lambda work: work.__name__)
def test_a_unit_that_fails_at_any_statement_stores_nothing_and_can_be_repeated(
    store: Store, work: Callable[[Unit, dict[NctId, int]], None]
) -> None:
    heads = prepared(store)
    before = dump(store)
    failures = torn = 0
    for number in itertools.count(1):
        try:
            with failing(store, "before_cursor_execute", number), store.unit() as unit:
                work(unit, heads)
            break
        except OperationalError:
            failures += 1
        torn += dump(store) != before
    assert dump(store) != before
    print(f"{work.__name__}: {failures} statements failed, {torn} torn, then stored completely")
    assert failures > 5
    assert torn == 0


def test_a_unit_repeated_after_its_commit_lost_the_answer_adds_nothing(store: Store) -> None:
    heads = prepared(store)

    def lose_the_answer(connection: Connection) -> None:
        # the commit is done, and then the connection is lost
        connection.connection.driver_connection.commit()  # type: ignore[union-attr]  # is connected
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("connection lost"))

    engine = engine_of(store)
    event.listen(engine, "commit", lose_the_answer)
    with pytest.raises(OperationalError), store.unit() as unit:
        sync_unit(unit, heads)
    event.remove(engine, "commit", lose_the_answer)
    stored = dump(store)
    with store.unit() as unit:
        sync_unit(unit, heads)
    doubled = len(dump(store)) - len(stored)
    print(f"ambiguous commit: 1 lost answer, unit repeated, {doubled} rows duplicated")
    assert dump(store) == stored


def prepared_file(url: str) -> tuple[bytes, dict[NctId, int], list[object], list[object]]:
    """A filled file, its heads, and its rows before and after a sync unit."""
    file = Path(url.removeprefix("sqlite:///"))
    with open_store(url, clock=StillClock()) as store:
        heads = prepared(store)
        before: list[object] = [*dump(store)]
    content = file.read_bytes()
    with open_store(url, clock=StillClock()) as store:
        with store.unit() as unit:
            sync_unit(unit, heads)
        after: list[object] = [*dump(store)]
    file.write_bytes(content)
    return content, heads, before, after


@pytest.mark.slow
def test_a_unit_aborted_at_any_sqlite_step_is_never_torn(migrated_sqlite_url: str) -> None:
    content, heads, before, after = prepared_file(migrated_sqlite_url)
    aborted = torn = ambiguous = doubled = 0
    for calls in itertools.count(0, 12):
        Path(migrated_sqlite_url.removeprefix("sqlite:///")).write_bytes(content)
        with open_store(migrated_sqlite_url, clock=StillClock()) as store:
            try:
                with aborting(store, calls), store.unit() as unit:
                    sync_unit(unit, heads)
                break
            except OperationalError:
                aborted += 1
            found: list[object] = [*dump(store)]
            ambiguous += found == after
            torn += found not in (before, after)
            with store.unit() as unit:
                sync_unit(unit, heads)
            doubled += [*dump(store)] != after
    print(
        f"abort: {aborted} aborts, {torn} torn, {doubled} duplicated when repeated, "
        f"{ambiguous} durable though reported as failed"
    )
    assert aborted > 10
    assert torn == doubled == 0


@contextmanager
def aborting(store: Store, calls: int) -> Iterator[None]:
    """Let SQLite abort after `calls` times ten steps of its virtual machine."""
    left = itertools.count(calls, -1)
    with engine_of(store).connect() as connection:
        driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.set_progress_handler(lambda: int(next(left) <= 0), 10)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def test_a_full_disk_stores_nothing_and_the_unit_succeeds_with_space(
    migrated_sqlite_url: str,
) -> None:
    content, heads, before, after = prepared_file(migrated_sqlite_url)
    full = torn = 0
    for room in itertools.count():
        Path(migrated_sqlite_url.removeprefix("sqlite:///")).write_bytes(content)
        with open_store(migrated_sqlite_url, clock=StillClock()) as store:
            with store.view() as connection:
                pages = connection.execute(text("PRAGMA page_count")).scalar_one()
                connection.execute(text(f"PRAGMA max_page_count = {pages + room}"))
            try:
                with store.unit() as unit:
                    sync_unit(unit, heads)
                break
            except StoreUnavailable as error:
                full += "disk is full" in str(error)
            torn += [*dump(store)] != before
            with store.view() as connection:
                connection.execute(text("PRAGMA max_page_count = 1000000"))
            with store.unit() as unit:
                sync_unit(unit, heads)
            torn += [*dump(store)] != after
    print(f"disk full: {full} sizes, {torn} torn, complete with space")
    assert full > 0
    assert torn == 0


def write_until_killed(store: Store, acknowledge: int) -> None:
    """Store unit after unit in a child process, and acknowledge each after its commit."""
    head = store.trials.heads([TRIAL]).get(TRIAL)
    after, number = (head.snapshot_id, head.version) if head else (None, 0)
    while True:
        with store.unit() as unit:
            after = keep(unit, number, after)
        number += 1
        os.write(acknowledge, f"{number}\n".encode())


def killed_after(store: Store, seconds: float) -> int:
    """Kill a writing child; return the number of versions it had acknowledged."""
    store.close()  # a child must not share a connection; compiled statements stay
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            write_until_killed(store, writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as acknowledgements:
        first = acknowledgements.readline()
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = [first, *acknowledgements]
    assert first, "the child failed before its first unit"
    # the last line may be incomplete
    return max(int(line) for line in lines if line.endswith(b"\n"))


_TORN = """
    SELECT count(*) FROM snapshots s WHERE
    (SELECT count(*) FROM events e JOIN deliveries d ON d.event_id = e.id
     WHERE e.to_snapshot_id = s.id) <> 2
    OR NOT EXISTS (SELECT 1 FROM bodies b WHERE b.digest = s.digest)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "kills", [25, pytest.param(500, marks=pytest.mark.soak)], ids=["some", "500"]
)
def test_a_writer_killed_at_any_moment_loses_no_acknowledged_version(
    store: Store, migrated_url: str, kills: int
) -> None:
    on_server = migrated_url.startswith("postgresql")
    if not on_server and kills < 100:
        kills = 100  # SQLite has no server to connect to, so a child starts sooner
    rng = random.Random(11)
    lost = torn = unacknowledged = acknowledged = 0
    for _ in range(kills):
        acknowledged = killed_after(store, rng.random() * 0.03)
        stored = len(store.versions.of(TRIAL))
        lost += max(acknowledged - stored, 0)
        unacknowledged += stored > acknowledged
        with store.view() as connection:
            torn += connection.execute(text(_TORN)).scalar_one()
            if not on_server:
                torn += connection.execute(text("PRAGMA quick_check")).scalar_one() != "ok"
    problems = check(migrated_url)
    print(
        f"kill: {kills} injected, {lost} lost, {torn} torn, {len(problems)} problems in "
        f"{acknowledged} versions, {unacknowledged} durable but not acknowledged"
    )
    assert (lost, torn, problems) == (0, 0, [])
