"""Fixtures: a store in a SQLite file, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ctsync.store.store import Store, open_store
from tests.deliver.desk import ClockAt


@pytest.fixture
def clock() -> ClockAt:
    return ClockAt(datetime(2026, 3, 13, 15, tzinfo=UTC))  # a Friday


@pytest.fixture
def store(migrated_sqlite_url: str, clock: ClockAt) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=clock) as opened:
        yield opened
