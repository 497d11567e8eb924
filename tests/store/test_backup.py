"""A copy of a database file: whole, private, and never in the place of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctsync.errors import StoreUnavailable, UsageError
from ctsync.store.backup import back_up
from ctsync.store.check import check
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.store.samples import TRIAL, fill


def test_a_copy_taken_while_others_write_is_whole(migrated_sqlite_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        snapshots = fill(store, 3)
        with store.unit() as unit:
            unit.mark_seen([TRIAL], run_id=None, load=None)
            back_up(migrated_sqlite_url, copy)
        counts = store.counts()
    assert len(snapshots) == 3
    assert copy.stat().st_mode & 0o777 == 0o600
    assert check(f"sqlite:///{copy}") == []
    with open_store(f"sqlite:///{copy}", clock=StillClock()) as copied:
        assert copied.counts() == counts


def test_a_file_that_is_there_is_not_overwritten(migrated_sqlite_url: str, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        back_up(migrated_sqlite_url, there)
    assert there.read_text() == "precious"


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_left(
    migrated_sqlite_url: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        back_up(migrated_sqlite_url, tmp_path / "nowhere" / "copy.db")
    assert sorted(p.name for p in tmp_path.iterdir() if "copy" in p.name) == []


def test_a_server_is_no_file() -> None:
    with pytest.raises(UsageError, match="pg_dump"):
        back_up("postgresql+psycopg://host/name", Path("copy.db"))
