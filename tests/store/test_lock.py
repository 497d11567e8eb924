"""One writer per database, named to those who come second, forgotten the moment it dies."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from ctsync.dates import SystemClock
from ctsync.errors import LockHeld, StoreUnavailable
from ctsync.store.database.lock import writer_lock
from tests.conftest import StillClock

Holding = tuple[ForkProcess, Connection]

# a fork has its imports done; it ends without running what this process would at its end
FORK = multiprocessing.get_context("fork")


def hold(url: str) -> Holding:
    """Another process that holds the lock until told otherwise."""
    mine, its = FORK.Pipe()
    child = FORK.Process(target=_hold, args=(url, its))
    child.start()
    assert mine.recv() == "held"
    return child, mine


def _hold(url: str, parent: Connection) -> None:
    with writer_lock(url, clock=SystemClock(), holder="ctsync daemon"):
        parent.send("held")
        parent.recv()


def free(holding: Holding) -> None:
    child, line = holding
    line.send("let go")
    child.join()
    assert child.exitcode == 0


def test_the_loser_is_told_who_holds_the_lock_and_since_when(
    migrated_url: str, clock: StillClock
) -> None:
    holding = hold(migrated_url)
    try:
        with pytest.raises(LockHeld) as caught, writer_lock(migrated_url, clock=clock, holder="x"):
            pass
    finally:
        free(holding)
    said = str(caught.value)
    assert "ctsync daemon" in said
    assert str(holding[0].pid) in said
    assert os.uname().nodename[:10] in said
    assert " since 20" in said
    assert "\n" not in said


def test_a_lock_can_be_held_again_and_again(migrated_url: str, clock: StillClock) -> None:
    for _ in range(3):
        with writer_lock(migrated_url, clock=clock, holder="ctsync sync"):
            pass


def test_two_of_one_process_exclude_each_other_too(migrated_url: str, clock: StillClock) -> None:
    with writer_lock(migrated_url, clock=clock, holder="ctsync daemon"):
        with pytest.raises(LockHeld), writer_lock(migrated_url, clock=clock, holder="x"):
            pass
        with pytest.raises(LockHeld), writer_lock(migrated_url, clock=clock, holder="x"):
            pass


def test_one_who_waits_gives_up_in_time(migrated_url: str, clock: StillClock) -> None:
    with (
        writer_lock(migrated_url, clock=clock, holder="ctsync daemon"),
        pytest.raises(LockHeld),
        writer_lock(migrated_url, clock=clock, holder="x", wait_seconds=30),
    ):
        pass
    assert 30 <= clock.monotonic() < 31


def test_one_who_waits_gets_the_lock_when_it_is_free(migrated_url: str) -> None:
    holding = hold(migrated_url)

    class FreeingClock(StillClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            free(holding)

    with writer_lock(migrated_url, clock=FreeingClock(), holder="x", wait_seconds=5):
        pass


def test_an_error_under_the_lock_goes_on_its_way_and_frees_it(
    migrated_url: str, clock: StillClock
) -> None:
    with pytest.raises(ZeroDivisionError), writer_lock(migrated_url, clock=clock, holder="x"):
        raise ZeroDivisionError
    with writer_lock(migrated_url, clock=clock, holder="y"):
        pass


def test_locks_of_two_databases_do_not_meet(
    migrated_sqlite_url: str, migrated_postgres_url: str, tmp_path: Path, clock: StillClock
) -> None:
    with (
        writer_lock(migrated_sqlite_url, clock=clock, holder="x"),
        writer_lock(f"sqlite:///{tmp_path / 'other.db'}", clock=clock, holder="x"),
        writer_lock(migrated_postgres_url, clock=clock, holder="x"),
    ):
        pass


@pytest.mark.slow
def test_the_lock_is_free_at_once_when_its_holder_is_killed(
    migrated_url: str, clock: StillClock
) -> None:
    kills = 100
    for _ in range(kills):
        child, _ = hold(migrated_url)
        child.kill()
        child.join()
        # a server learns of it a moment later, by the closed connection
        with writer_lock(migrated_url, clock=_PatientClock(), holder="x", wait_seconds=5):
            pass
    print(f"lock: {kills} holders killed, {kills} times free at once")


class _PatientClock(StillClock):
    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        super().sleep(seconds)


def test_the_files_of_the_lock_are_private(migrated_sqlite_url: str, clock: StillClock) -> None:
    with writer_lock(migrated_sqlite_url, clock=clock, holder="x"):
        folder = Path(migrated_sqlite_url.removeprefix("sqlite:///")).parent
        modes = {f.name: f.stat().st_mode & 0o777 for f in folder.iterdir() if "lock" in f.name}
    assert modes == {"ctsync.db.lock": 0o600, "ctsync.db.lock-holder": 0o600}


def test_a_lock_where_nothing_can_be_written_says_so(tmp_path: Path, clock: StillClock) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path / 'file' / 'ctsync.db'}"
    with pytest.raises(StoreUnavailable), writer_lock(url, clock=clock, holder="x"):
        pass
    gone = "postgresql://ctsync:hunter2@127.0.0.1:9/ctsync"
    with pytest.raises(StoreUnavailable) as caught, writer_lock(gone, clock=clock, holder="x"):
        pass
    assert "hunter2" not in str(caught.value)


def test_a_database_has_one_lock_by_whatever_link_it_is_opened(
    tmp_path: Path, clock: StillClock
) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to("../real.db")
    with (
        writer_lock(f"sqlite:///{tmp_path / 'real.db'}", clock=clock, holder="ctsync sync"),
        pytest.raises(LockHeld),
        writer_lock(f"sqlite:///{link}", clock=clock, holder="ctsync daemon"),
    ):
        pass
