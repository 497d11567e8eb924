"""What an error of SQLite or of the pool of connections means."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlalchemy.pool import QueuePool

from ctsync.errors import StoreBusy, StoreError, StoreLocked, StoreUnavailable
from ctsync.store.database.driver_errors import translated_errors

MEANINGS: dict[str, type[StoreError]] = {
    "SQLITE_BUSY": StoreLocked,
    "SQLITE_BUSY_RECOVERY": StoreLocked,
    "SQLITE_BUSY_SNAPSHOT": StoreLocked,
    "SQLITE_BUSY_TIMEOUT": StoreLocked,
    "SQLITE_LOCKED": StoreLocked,
    "SQLITE_PROTOCOL": StoreLocked,
    "SQLITE_READONLY_CANTINIT": StoreUnavailable,
    "SQLITE_CANTOPEN": StoreUnavailable,
    "SQLITE_IOERR_SHMMAP": StoreUnavailable,
    "SQLITE_FULL": StoreUnavailable,
}


@pytest.mark.parametrize("code", MEANINGS)
def test_every_error_of_a_busy_file_is_one_that_passes(code: str) -> None:
    raised = sqlite3.OperationalError("injected")
    raised.sqlite_errorcode = getattr(sqlite3, code)
    with (
        pytest.raises(StoreError, match=r"^the database ") as caught,
        translated_errors("the database"),
    ):
        raise raised
    assert caught.type is MEANINGS[code]


def test_a_pool_without_a_free_connection_is_busy_and_not_broken() -> None:
    def connect() -> Any:
        return sqlite3.connect(":memory:")

    pool = QueuePool(connect, pool_size=1, max_overflow=0, timeout=0.01)
    held = pool.connect()
    in_use = pytest.raises(StoreBusy, match="all connections are in use")
    with in_use, translated_errors("the database"):
        pool.connect()
    held.close()
    with translated_errors("the database"):
        pool.connect().close()
    pool.dispose()
