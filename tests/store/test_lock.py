"""The writer lock: one holder per database, named in errors, and freed when its process dies."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
from sqlalchemy import Connection as SqlConnection

from ctsync.dates import SystemClock
from ctsync.errors import LockHeld, StoreUnavailable
from ctsync.store.database.lock import writer_lock
from tests.conftest import StillClock

Holding = tuple[ForkProcess, Connection]

# a forked process has the modules already, and exits without this process's exit handlers
FORK = multiprocessing.get_context("fork")


def hold(url: str) -> Holding:
    """Start another process that holds the lock until `free` is called."""
    mine, its = FORK.Pipe()
    child = FORK.Process(target=hold_until_freed, args=(url, its))
    child.start()
    assert mine.recv() == "held"
    return child, mine


def hold_until_freed(url: str, parent: Connection) -> None:
    with writer_lock(url, clock=SystemClock(), holder="ctsync daemon"):
        parent.send("held")
        parent.recv()


def free(holding: Holding) -> None:
    child, line = holding
    line.send("let go")
    child.join()
    assert child.exitcode == 0


def test_the_error_names_the_holder_of_the_lock_and_since_when(
    migrated_url: str, clock: StillClock
) -> None:
    holding = hold(migrated_url)
    try:
        with pytest.raises(LockHeld) as caught, writer_lock(migrated_url, clock=clock, holder="x"):
            pass
    finally:
        free(holding)
    message = str(caught.value)
    assert "ctsync daemon" in message
    assert str(holding[0].pid) in message
    assert os.uname().nodename[:10] in message
    assert " since 20" in message
    assert "\n" not in message


def test_a_freed_lock_can_be_taken_again(migrated_url: str, clock: StillClock) -> None:
    for _ in range(3):
        with writer_lock(migrated_url, clock=clock, holder="ctsync sync"):
            pass


def test_a_lock_is_freed_before_the_server_notices_that_its_connection_is_closed(
    migrated_url: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnoticed: list[SqlConnection] = []

    def leave_open(connection: SqlConnection) -> None:
        unnoticed.append(connection)

    monkeypatch.setattr(SqlConnection, "close", leave_open)
    for _ in range(2):
        with writer_lock(migrated_url, clock=clock, holder="test"):
            pass
    monkeypatch.undo()
    for connection in unnoticed:
        connection.close()


def test_two_holders_in_one_process_exclude_each_other(
    migrated_url: str, clock: StillClock
) -> None:
    with writer_lock(migrated_url, clock=clock, holder="ctsync daemon"):
        with pytest.raises(LockHeld), writer_lock(migrated_url, clock=clock, holder="x"):
            pass
        with pytest.raises(LockHeld), writer_lock(migrated_url, clock=clock, holder="x"):
            pass


def test_waiting_for_the_lock_ends_at_the_time_limit(migrated_url: str, clock: StillClock) -> None:
    with (
        writer_lock(migrated_url, clock=clock, holder="ctsync daemon"),
        pytest.raises(LockHeld),
        writer_lock(migrated_url, clock=clock, holder="x", wait_seconds=30),
    ):
        pass
    assert 30 <= clock.monotonic() < 31


def test_a_waiting_process_gets_the_lock_when_it_is_freed(migrated_url: str) -> None:
    holding = hold(migrated_url)

    class FreeingClock(StillClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            free(holding)

    with writer_lock(migrated_url, clock=FreeingClock(), holder="x", wait_seconds=5):
        pass


def test_an_error_under_the_lock_is_raised_and_frees_the_lock(
    migrated_url: str, clock: StillClock
) -> None:
    with pytest.raises(ZeroDivisionError), writer_lock(migrated_url, clock=clock, holder="x"):
        raise ZeroDivisionError
    with writer_lock(migrated_url, clock=clock, holder="y"):
        pass


def test_locks_of_different_databases_do_not_conflict(
    migrated_sqlite_url: str, migrated_postgres_url: str, tmp_path: Path, clock: StillClock
) -> None:
    with (
        writer_lock(migrated_sqlite_url, clock=clock, holder="x"),
        writer_lock(f"sqlite:///{tmp_path / 'other.db'}", clock=clock, holder="x"),
        writer_lock(migrated_postgres_url, clock=clock, holder="x"),
    ):
        pass


@pytest.mark.slow
def test_the_lock_is_freed_at_once_if_its_holder_is_killed(
    migrated_url: str, clock: StillClock
) -> None:
    kills = 100
    for _ in range(kills):
        child, _ = hold(migrated_url)
        child.kill()
        child.join()
        # the server notices the closed connection a moment later
        with writer_lock(migrated_url, clock=PatientClock(), holder="x", wait_seconds=5):
            pass
    print(f"lock: {kills} holders killed, {kills} times free at once")


class PatientClock(StillClock):
    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        super().sleep(seconds)


def test_the_lock_files_are_private(migrated_sqlite_url: str, clock: StillClock) -> None:
    with writer_lock(migrated_sqlite_url, clock=clock, holder="x"):
        folder = Path(migrated_sqlite_url.removeprefix("sqlite:///")).parent
        modes = {f.name: f.stat().st_mode & 0o777 for f in folder.iterdir() if "lock" in f.name}
    assert modes == {"ctsync.db.lock": 0o600, "ctsync.db.lock-holder": 0o600}


def test_a_lock_on_an_unreachable_database_is_an_error_without_the_password(
    tmp_path: Path, clock: StillClock
) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path / 'file' / 'ctsync.db'}"
    with pytest.raises(StoreUnavailable), writer_lock(url, clock=clock, holder="x"):
        pass
    gone = "postgresql://ctsync:hunter2@127.0.0.1:9/ctsync"
    with pytest.raises(StoreUnavailable) as caught, writer_lock(gone, clock=clock, holder="x"):
        pass
    assert "hunter2" not in str(caught.value)


def test_a_database_opened_through_a_link_has_the_same_lock(
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
