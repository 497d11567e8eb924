"""Fencing: a writer that lost its lock cannot store anything after another writer took it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ctsync.errors import LockHeld, LockLost
from ctsync.store.database.marks import WRITER, read_mark
from ctsync.store.store import Store, open_store
from tests.conftest import PostgresServer, StillClock
from tests.store.samples import FETCHED, TRIAL, delivery, fill, keep


@pytest.fixture
def stores(migrated_postgres_url: str) -> Iterator[tuple[Store, Store]]:
    """Open the same database in two stores, like two hosts."""
    clock = StillClock()
    with (
        open_store(migrated_postgres_url, clock=clock) as one,
        open_store(migrated_postgres_url, clock=clock) as other,
    ):
        yield one, other


def cut_lock(postgres: PostgresServer) -> None:
    """End the session that holds the lock, as a failover does; the process keeps running."""
    postgres.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name LIKE 'ctsync %'"
    )


def writer_mark(store: Store) -> str:
    with store.view() as connection:
        found = read_mark(connection, WRITER)
    assert found is not None
    return found


def stored(store: Store) -> int:
    return len(store.versions.of(TRIAL))


def test_a_writer_stores_nothing_after_another_took_the_lock(
    stores: tuple[Store, Store], postgres: PostgresServer
) -> None:
    one, other = stores
    with one.writer(holder="ctsync one"):
        head = fill(one, 2)[-1]
        cut_lock(postgres)
        with other.writer(holder="ctsync two"):
            with pytest.raises(LockLost, match="taken over by another writer"), one.unit() as unit:
                keep(unit, 2, head)
            assert stored(one) == 2
            with other.unit() as unit:
                keep(unit, 2, head)
    assert stored(one) == 3


def test_a_writer_stores_nothing_after_another_took_and_freed_the_lock(
    stores: tuple[Store, Store], postgres: PostgresServer
) -> None:
    one, other = stores
    with one.writer(holder="ctsync one"):
        cut_lock(postgres)
        with other.writer(holder="ctsync two"):
            pass
        with pytest.raises(LockLost), one.unit():
            pass


def fail_over_to_an_older_copy(postgres: PostgresServer, url: str, mark: str) -> None:
    """Simulate a failover to a copy without the last commit: restore the earlier mark."""
    cut_lock(postgres)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("UPDATE ctsync_marks SET value = %s WHERE key = 'writer'", [mark])


@pytest.mark.slow
def test_a_writer_stores_nothing_after_a_failover_that_lost_its_token(
    stores: tuple[Store, Store], postgres: PostgresServer, migrated_postgres_url: str
) -> None:
    one, other = stores
    refused = 0
    for _ in range(failovers := 5):
        with one.writer(holder="ctsync before"):
            pass
        before = writer_mark(one)
        with one.writer(holder="ctsync one"):
            fail_over_to_an_older_copy(postgres, migrated_postgres_url, before)
            with other.writer(holder="ctsync two"):
                try:
                    with one.unit():
                        pass
                except LockLost:
                    refused += 1
    print(f"fence: {failovers} failovers lost the last token, {refused} old writers refused")
    assert refused == failovers


def test_a_token_of_an_earlier_release_without_a_nonce_is_incremented(
    stores: tuple[Store, Store], postgres: PostgresServer, migrated_postgres_url: str
) -> None:
    one, other = stores
    with one.writer(holder="ctsync one"):
        pass
    fail_over_to_an_older_copy(postgres, migrated_postgres_url, "41")
    with other.writer(holder="ctsync two"), other.unit():
        pass
    assert writer_mark(other).startswith("42:")


def test_a_writer_may_continue_if_nobody_took_its_lost_lock(
    stores: tuple[Store, Store], postgres: PostgresServer
) -> None:
    one, _ = stores
    with one.writer(holder="ctsync one"):
        cut_lock(postgres)
        fill(one, 2)
    assert stored(one) == 2


@pytest.mark.slow
def test_another_writer_cannot_begin_before_the_open_unit_ends(
    stores: tuple[Store, Store], postgres: PostgresServer
) -> None:
    one, other = stores
    with one.writer(holder="ctsync one"):
        with one.unit() as unit:
            keep(unit, 0, None)
            cut_lock(postgres)
            with pytest.raises(LockHeld), other.writer(holder="ctsync two"):
                pass
        with other.writer(holder="ctsync two"):
            assert stored(other) == 1


def test_an_unfenced_unit_can_mark_a_message_sent_after_the_lock_is_lost(
    stores: tuple[Store, Store], postgres: PostgresServer
) -> None:
    one, other = stores
    fill(one, 1)
    with one.writer(holder="ctsync one"):
        cut_lock(postgres)
        with other.writer(holder="ctsync two"), one.unit(fenced=False) as unit:
            assert unit.outbox.mark_sent([1], now=FETCHED) == 1


def test_a_store_without_the_lock_is_not_fenced(stores: tuple[Store, Store]) -> None:
    one, other = stores
    fill(one, 1)
    with one.writer(holder="ctsync one"), other.unit() as unit:
        assert unit.outbox.enqueue([delivery(1, "somebody else")]) == 1


def test_a_sqlite_file_needs_no_fence(migrated_sqlite_url: str) -> None:
    with (
        open_store(migrated_sqlite_url, clock=StillClock()) as store,
        store.writer(holder="ctsync sync"),
    ):
        fill(store, 2)
        assert stored(store) == 2
