"""Restoring a backup: checked first, replaced atomically, and never mixed with an old log."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ctsync.errors import (
    ForeignDatabase,
    LockHeld,
    NewerDatabase,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from ctsync.model import NctId
from ctsync.store.admin import restore as restoring
from ctsync.store.admin.backup import back_up
from ctsync.store.admin.check import check
from ctsync.store.admin.restore import restore
from ctsync.store.database.wal_chain import has_foreign_log
from ctsync.store.store import open_for_reading, open_store
from tests.conftest import StillClock

OLD, NEW, LATEST = (NctId(f"NCT0000000{number}") for number in (1, 2, 3))
NOW = StillClock()


def store_trial(url: str, nct_id: NctId) -> None:
    with open_store(url, clock=NOW) as store, store.unit() as unit:
        unit.trials.add(nct_id)


def trials(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [one for (one,) in connection.execute("SELECT nct_id FROM trials ORDER BY 1")]


@pytest.fixture
def file(tmp_path: Path, migrated_sqlite_url: str) -> Path:
    """A database with two trials, and its backup with one."""
    store_trial(migrated_sqlite_url, OLD)
    back_up(migrated_sqlite_url, tmp_path / "backup.db")
    store_trial(migrated_sqlite_url, NEW)
    return tmp_path / "ctsync.db"


@pytest.fixture
def backup(file: Path) -> Path:
    return file.with_name("backup.db")


def with_log(file: Path) -> None:
    """Leave a log beside a file, as a killed process does."""
    copy = file.with_name("copied")
    with open_store(f"sqlite:///{file}", clock=NOW) as store:
        with store.unit() as unit:
            unit.trials.add(LATEST)
        for suffix in ("", "-wal"):
            shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").replace(f"{file}{suffix}")
    assert Path(f"{file}-wal").stat().st_size > 0


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def test_a_restored_database_is_the_backup_and_the_replaced_one_is_kept(
    file: Path, backup: Path
) -> None:
    with_log(file)
    before = backup.read_bytes()
    done = restore(f"sqlite:///{file}", backup, clock=NOW)
    assert trials(file) == [OLD]
    assert check(f"sqlite:///{file}") == []
    assert done.kept is not None
    assert trials(done.kept) == [OLD, NEW, LATEST]
    assert check(f"sqlite:///{done.kept}") == []
    assert backup.read_bytes() == before
    found = {name.removesuffix("-wal").removesuffix("-shm") for name in names(file.parent)}
    assert found <= {"backup.db", "ctsync.db", "ctsync.db.lock", done.kept.name}
    store_trial(f"sqlite:///{file}", NEW)
    assert trials(file) == [OLD, NEW]


def test_the_log_of_the_replaced_database_no_longer_fits_the_restored_one(
    file: Path, backup: Path
) -> None:
    """Includes the log of a copy of the same backup that is put back after the restore."""
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    shutil.copy(backup, file)
    with_log(file)
    log = Path(f"{file}-wal").read_bytes()
    restore(f"sqlite:///{file}", backup, clock=NOW)
    Path(f"{file}-wal").write_bytes(log)
    assert has_foreign_log(file)


@pytest.mark.parametrize("left", ["the log of another", "no header", "no file", "only a log"])
def test_a_database_that_cannot_be_opened_is_replaced_and_kept_with_its_log(
    file: Path, backup: Path, left: str, tmp_path: Path
) -> None:
    log = b"log"
    if left == "the log of another":
        other = tmp_path / "other.db"
        open_store(f"sqlite:///{other}", clock=NOW).close()
        with_log(other)
        log = Path(f"{other}-wal").read_bytes()
        for suffix in ("", "-wal", "-shm", ".lock"):
            Path(f"{other}{suffix}").unlink(missing_ok=True)
    Path(f"{file}-wal").write_bytes(log)
    if left == "no header":
        file.write_bytes(b"\0" * 4096 + file.read_bytes()[4096:])
    if left in {"no file", "only a log"}:
        file.unlink()
    if left == "no file":
        Path(f"{file}-wal").unlink()
    before = file.read_bytes() if file.exists() else None
    done = restore(f"sqlite:///{file}", backup, clock=NOW)
    assert trials(file) == [OLD]
    assert check(f"sqlite:///{file}") == []
    if left == "no file":
        assert done.kept is None
        return
    assert done.kept is not None
    assert Path(f"{done.kept}-wal").read_bytes() == log
    assert (done.kept.read_bytes() if before is not None else None) == before


def break_schema(backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def break_content(backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("UPDATE trials SET state = 'asleep'")


def break_application(backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("PRAGMA application_id = 7")


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (Path.unlink, UsageError, "does not exist or is empty"),
        (lambda backup: backup.write_bytes(b""), UsageError, "does not exist or is empty"),
        (lambda backup: backup.write_bytes(b"text" * 99), ForeignDatabase, "is not a database"),
        (break_application, ForeignDatabase, "another program"),
        (break_schema, NewerDatabase, "backup.db was written by a later ctsync"),
        (break_content, StoreError, "backup.db is damaged"),
        (lambda backup: os.truncate(backup, 8192), StoreError, ""),
    ],
)
def test_a_backup_that_cannot_be_used_is_refused_and_nothing_is_changed(
    file: Path, backup: Path, spoil: Callable[[Path], object], error: type[Exception], says: str
) -> None:
    spoil(backup)
    with pytest.raises(error) as refused:
        restore(f"sqlite:///{file}", backup, clock=NOW)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert trials(file) == [OLD, NEW]
    assert names(file.parent) <= {"backup.db", "ctsync.db", "ctsync.db.lock"}


def test_a_database_in_use_is_not_replaced(
    file: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "PATIENCE_SECONDS", 0.1)
    url = f"sqlite:///{file}"
    with open_store(url, clock=NOW) as store:
        with store.writer(holder="ctsync sync"), pytest.raises(LockHeld, match="ctsync sync"):
            restore(url, backup, clock=NOW)
        with pytest.raises(StoreUnavailable, match="open in another program"):
            restore(url, backup, clock=NOW)
    with open_for_reading(url, clock=NOW) as store:
        assert store.counts()["trials"] == 2
        with pytest.raises(StoreUnavailable, match="open in another program"):
            restore(url, backup, clock=NOW)
    assert trials(file) == [OLD, NEW]
    assert not list(file.parent.glob("*replaced*"))


def test_a_writer_that_waited_during_a_restore_does_not_write_to_the_replaced_file(
    file: Path, backup: Path
) -> None:
    with open_store(f"sqlite:///{file}", clock=NOW) as store:
        replaced = file.with_name("replaced")
        file.rename(replaced)
        shutil.copy(backup, file)
        with pytest.raises(StoreUnavailable, match="was replaced"), store.writer(holder="late"):
            raise AssertionError("the lock was given")


def test_a_server_and_the_database_itself_are_refused_with_the_tool_to_use(
    file: Path, backup: Path
) -> None:
    with pytest.raises(UsageError, match="pg_restore"):
        restore("postgresql+psycopg://host/name", backup, clock=NOW)
    with pytest.raises(UsageError, match="the database itself"):
        restore(f"sqlite:///{file}", file, clock=NOW)
    with pytest.raises(UsageError, match="mode=ro"):
        restore(f"sqlite:///{file}?mode=ro", backup, clock=NOW)


def test_a_restored_file_keeps_the_mode_of_the_replaced_one_and_a_link_stays(
    file: Path, backup: Path, tmp_path: Path
) -> None:
    file.chmod(0o660)
    link = tmp_path / "link.db"
    link.symlink_to(file)
    restore(f"sqlite:///{link}", backup, clock=NOW)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o660
    assert trials(file) == [OLD]


def test_a_folder_without_hard_links_is_restored_by_a_copy(
    file: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    done = restore(f"sqlite:///{file}", backup, clock=NOW)
    assert done.kept is not None
    assert (trials(file), trials(done.kept)) == ([OLD], [OLD, NEW])


def test_a_rename_that_fails_leaves_the_database_with_its_log(
    file: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(f"{file}-wal").write_bytes(b"log")
    file.write_bytes(b"\0" * 4096)
    real = Path.replace

    def fail(path: Path, to: Path) -> Path:
        if path.suffix == ".restoring":
            raise OSError(28, "No space left on device")
        return real(path, to)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreUnavailable, match="No space left on device; nothing was changed"):
        restore(f"sqlite:///{file}", backup, clock=NOW)
    assert (file.read_bytes(), Path(f"{file}-wal").read_bytes()) == (b"\0" * 4096, b"log")
    assert not list(file.parent.glob("*replaced*"))
