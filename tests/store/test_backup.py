"""Backups of a database file: complete, private, and never written over another file."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ctsync.errors import ForeignDatabase, StoreUnavailable, UsageError
from ctsync.store.admin.backup import back_up
from ctsync.store.admin.check import check
from ctsync.store.store import open_store
from tests.conftest import StillClock
from tests.store.samples import TRIAL, fill, keep

UNITS = 4
# a forked process has the modules already, and exits without this process's exit handlers
FORK = multiprocessing.get_context("fork")


def test_a_backup_is_complete_when_taken_during_a_write(
    migrated_sqlite_url: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        snapshots = fill(store, 3)
        with store.unit() as unit:
            unit.trials.mark_seen([TRIAL], run_id=None, load=None)
            back_up(migrated_sqlite_url, copy)
        counts = store.counts()
    assert len(snapshots) == 3
    assert copy.stat().st_mode & 0o777 == 0o600
    assert check(f"sqlite:///{copy}") == []
    with open_store(f"sqlite:///{copy}", clock=StillClock()) as copied:
        assert copied.counts() == counts


def test_a_backup_does_not_overwrite_an_existing_file(
    migrated_sqlite_url: str, tmp_path: Path
) -> None:
    existing = tmp_path / "there.db"
    existing.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        back_up(migrated_sqlite_url, existing)
    assert existing.read_text() == "precious"


def test_a_backup_to_an_unwritable_folder_fails_and_leaves_no_file(
    migrated_sqlite_url: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        back_up(migrated_sqlite_url, tmp_path / "nowhere" / "copy.db")
    assert sorted(p.name for p in tmp_path.iterdir() if "copy" in p.name) == []


def test_a_backup_of_a_server_refers_to_pg_dump() -> None:
    with pytest.raises(UsageError, match="pg_dump"):
        back_up("postgresql+psycopg://host/name", Path("copy.db"))


def write_on_demand(url: str, parent: Connection) -> None:
    """Write as many units as the parent requests, and acknowledge each after its commit."""
    with open_store(url, clock=StillClock()) as store:
        after: int | None = None
        numbers = itertools.count()
        while True:
            for number in itertools.islice(numbers, parent.recv()):
                with store.unit() as unit:
                    after = keep(unit, number, after)
                parent.send(number + 1)


@pytest.mark.slow
@pytest.mark.parametrize("backups", [15, pytest.param(50, marks=pytest.mark.soak)])
def test_backups_under_load_are_sound_and_contain_every_acknowledged_unit(
    migrated_sqlite_url: str, tmp_path: Path, backups: int
) -> None:
    mine, its = FORK.Pipe()
    writer = FORK.Process(target=write_on_demand, args=(migrated_sqlite_url, its))
    writer.start()
    rng = random.Random(5)
    unsound = lost = 0
    ahead: set[int] = set()
    try:
        for number in range(backups):
            mine.send(UNITS)
            acknowledged = mine.recv()
            time.sleep(rng.random() * 0.02)  # back up in the middle of the next units
            copy = tmp_path / f"{number}.db"
            back_up(migrated_sqlite_url, copy)
            unsound += check(f"sqlite:///{copy}") != []
            with open_store(f"sqlite:///{copy}", clock=StillClock()) as restored:
                versions = restored.versions.of(TRIAL)
                counts = restored.counts()
                with restored.unit() as unit:  # a backup can be written to
                    keep(unit, 100_000, versions[-1].snapshot_id)
            lost += len(versions) < acknowledged
            unsound += (
                counts["events"] != 2 * len(versions) or counts["deliveries"] != counts["events"]
            )
            ahead.add(len(versions) - acknowledged)
            while acknowledged % UNITS:
                acknowledged = mine.recv()
    finally:
        writer.kill()
        writer.join()
    print(
        f"backup: {backups} taken while another process wrote, {unsound} unsound, "
        f"{lost} without an acknowledged unit, at most {max(ahead)} units ahead"
    )
    assert max(ahead) > 0, "the writer did not write during any backup"
    assert (unsound, lost) == (0, 0)


def test_a_foreign_or_missing_file_is_not_backed_up(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("words " * 100)
    with pytest.raises(ForeignDatabase):
        back_up(f"sqlite:///{tmp_path / 'text.db'}", tmp_path / "copy.db")
    with pytest.raises(StoreUnavailable, match="there is no database yet"):
        back_up(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "copy.db")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["text.db"]
