"""`open_store` opens or creates a ctsync database, and leaves any other file unchanged."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ctsync.errors import (
    ConfigError,
    CtsyncError,
    ForeignDatabase,
    NewerDatabase,
    NoDatabase,
    StoreUnavailable,
)
from ctsync.model import NctId
from ctsync.store.database.engine import name_of, parse_url
from ctsync.store.database.migrate import (
    DatabaseState,
    head_revision,
    look_at_file,
    mark_file,
    revision_of,
)
from ctsync.store.database.tables import APPLICATION_ID
from ctsync.store.store import Store, open_for_reading, open_store
from tests.conftest import PostgresServer, StillClock
from tests.store.samples import FETCHED, LOAD, TRIAL, fill, keep


def opened(url: str, *, create: bool = True, patience_seconds: float = 0.2) -> Store:
    return open_store(url, clock=StillClock(), create=create, patience_seconds=patience_seconds)


def refusal(url: str, kind: type[CtsyncError]) -> str:
    """Check that the database at `url` is refused, and return the error, which is one line."""
    with pytest.raises(kind) as caught:
        opened(url)
    message = str(caught.value)
    assert "\n" not in message
    return message


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


# --- opening and creating ----------------------------------------------------------------------


def test_an_empty_database_gets_the_newest_schema(database_url: str) -> None:
    with opened(database_url) as store:
        assert store.revision() == head_revision()
        assert set(store.counts().values()) == {0}


def test_a_reopened_database_has_the_stored_versions(database_url: str) -> None:
    for expected in (0, 1, 2):
        with opened(database_url) as store:
            assert len(store.versions.of(TRIAL)) == expected
            head = store.trials.heads([TRIAL]).get(TRIAL)
            with store.unit() as unit:
                keep(unit, expected, head.snapshot_id if head else None)


def test_an_empty_file_and_a_database_without_tables_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with sqlite3.connect(tmp_path / "bare.db") as connection:
        connection.execute("PRAGMA user_version = 0")
        connection.execute("VACUUM")
    connection.close()
    for name in ("empty.db", "bare.db"):
        with opened(f"sqlite:///{tmp_path / name}") as store:
            assert store.revision() == head_revision()


def test_the_file_and_its_folder_are_private_under_any_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with opened(f"sqlite:///{tmp_path / 'new' / 'ctsync.db'}") as store:
            fill(store, 1)
            modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "new").iterdir()}
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert modes == {"ctsync.db": 0o600, "ctsync.db-wal": 0o600, "ctsync.db-shm": 0o600}


def test_the_file_has_our_application_id_and_durable_settings(sqlite_url: str) -> None:
    with opened(sqlite_url) as store, store.view() as connection:

        def pragma(name: str) -> object:
            return connection.execute(text(f"PRAGMA {name}")).scalar()

        assert pragma("application_id") == APPLICATION_ID
        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1


def test_a_path_may_contain_any_character(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1? ünï & spaces"
    with opened(f"sqlite:///{str(folder / 'a.db').replace('%', '%25').replace('?', '%3F')}"):
        pass
    assert [file.name for file in tmp_path.rglob("*.db")] == ["a.db"]


# --- refused and left unchanged ----------------------------------------------------------------


def test_a_missing_database_is_an_error_if_it_may_not_be_created(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="ctsync watch add"):
        opened(f"sqlite:///{tmp_path / 'none' / 'ctsync.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def _newer(file: Path) -> None:
    with opened(f"sqlite:///{file}") as store:
        fill(store, 1)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _foreign(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE trials (nct_id TEXT)")
    connection.close()


def _marked_by_another(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA application_id = 1196444487")
        connection.execute("CREATE TABLE feature (id INTEGER)")
    connection.close()


def _in_use_by_another(file: Path) -> None:
    """Write a foreign database in WAL mode whose last commits are not in the main file."""
    connection = sqlite3.connect(file.with_suffix(".live"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE feature (id INTEGER)")
    for suffix in ("", "-wal"):
        shutil.copy(f"{file.with_suffix('.live')}{suffix}", f"{file}{suffix}")
    connection.close()


def _text(file: Path) -> None:
    file.write_text("nct_id,status\n" * 100)


def _short(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\0")


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (_newer, NewerDatabase, "upgrade ctsync"),
        (_foreign, ForeignDatabase, "another program"),
        (_marked_by_another, ForeignDatabase, "another program"),
        (_text, ForeignDatabase, "not a database"),
        (_short, ForeignDatabase, "not a database"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_foreign_or_newer_database_is_refused_and_its_bytes_do_not_change(
    tmp_path: Path, make: object, kind: type[CtsyncError], expected: str
) -> None:
    file = tmp_path / "some.db"
    assert callable(make)
    make(file)
    before = contents(tmp_path)
    for _ in range(2):
        message = refusal(f"sqlite:///{file}", kind)
        assert expected in message
        assert str(file) in message
    assert contents(tmp_path) == before


def test_a_foreign_file_in_use_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    _in_use_by_another(file)
    before = contents(tmp_path)
    # its tables are only in the WAL; closing a connection would merge them into the file
    refusal(f"sqlite:///{file}", ForeignDatabase)
    assert contents(tmp_path) == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refusal(f"sqlite:///{tmp_path}", StoreUnavailable)


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = refusal(f"sqlite:///{tmp_path / 'file' / 'ctsync.db'}", StoreUnavailable)
    assert "Not a directory" in message or "cannot be" in message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ctsync.db", "sqlite:///file"),
        ("mysql://user:hunter2@host/db", "runs on SQLite and PostgreSQL"),
        ("nosuch://user:hunter2@host/db", "runs on SQLite and PostgreSQL"),
        ("sqlite://", "give the file"),
        ("sqlite:///:memory:", "give the file"),
        ("postgresql://user:hunter2@host:port/db", "sqlite:///file"),
    ],
)
def test_an_invalid_url_is_refused_with_a_valid_form_and_no_password(
    url: str, expected: str
) -> None:
    message = refusal(url, ConfigError)
    assert expected in message
    assert "hunter2" not in message


def test_revision_of_reads_the_revision_without_writing(tmp_path: Path) -> None:
    assert revision_of(f"sqlite:///{tmp_path / 'none.db'}") is None
    assert list(tmp_path.iterdir()) == []
    _newer(tmp_path / "newer.db")
    assert revision_of(f"sqlite:///{tmp_path / 'newer.db'}") == "9999"
    _foreign(tmp_path / "foreign.db")
    with pytest.raises(ForeignDatabase):
        revision_of(f"sqlite:///{tmp_path / 'foreign.db'}")


# --- PostgreSQL -------------------------------------------------------------------------------


def _statements(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE trials (nct_id text)",),
        ("CREATE TABLE ctsync_marks (a int)",),
        ("CREATE TABLE ctsync_marks (key text, value text)",),
    ],
)
def test_a_server_database_of_another_program_is_refused(
    postgres_url: str, statements: tuple[str, ...]
) -> None:
    _statements(postgres_url, *statements)
    assert "another program" in refusal(postgres_url, ForeignDatabase)
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        counted = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert connection.execute(counted).scalar() == 1
    engine.dispose()


def test_a_newer_server_database_is_refused(migrated_postgres_url: str) -> None:
    _statements(migrated_postgres_url, "UPDATE alembic_version SET version_num = '9999'")
    assert "upgrade ctsync" in refusal(migrated_postgres_url, NewerDatabase)


def test_a_server_database_that_does_not_exist_is_reported(postgres: PostgresServer) -> None:
    assert "does not exist" in refusal(postgres.url("nowhere"), StoreUnavailable)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    url = "postgresql://ctsync:hunter2@127.0.0.1:9/ctsync?sslpassword=hunter2"
    message = refusal(url, StoreUnavailable)
    assert "127.0.0.1:9" in message
    assert "check that the server runs" in message
    assert "hunter2" not in message
    assert "hunter2" not in name_of(parse_url(url))


def test_a_lost_server_connection_is_reported_and_opened_again(migrated_postgres_url: str) -> None:
    with opened(migrated_postgres_url) as store:
        fill(store, 1)

        def lose_connection_within_a_unit() -> None:
            with store.unit() as unit:
                unit.trials.mark_seen([TRIAL], run_id=None, load=LOAD)
                _statements(
                    migrated_postgres_url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                unit.trials.mark_absent(TRIAL, LOAD)

        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            lose_connection_within_a_unit()
        assert store.trials.heads([TRIAL])[TRIAL].version == 1


# --- locked and read-only ---------------------------------------------------------------------


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold a write lock as another program does in the middle of a large write."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.close()
        return
    engine = create_engine(url)
    with engine.connect() as server:
        server.execute(text("LOCK TABLE trials IN EXCLUSIVE MODE"))
        yield
    engine.dispose()


def test_units_fail_in_time_and_reads_work_while_another_program_writes(migrated_url: str) -> None:
    with opened(migrated_url) as store:
        fill(store, 2)
        with locked(migrated_url):
            with pytest.raises(StoreUnavailable, match="locked by another"), store.unit() as unit:
                unit.trials.mark_absent(TRIAL, LOAD)
            reads = [
                store.trials.heads([TRIAL]), store.trials.stored_ids(),
                store.trials.never_found([TRIAL]), store.versions.of(TRIAL),
                store.versions.earlier_keys(TRIAL), store.versions.newest_digest(TRIAL),
                store.bodies.read(store.versions.newest_digest(TRIAL)), store.events.find(),
                store.events.of_run(1), store.events.count(), store.watches.all(),
                store.watches.names_of(TRIAL), store.watched.ids(), store.runs.latest(),
                store.runs.last(), store.runs.last_finished("sync", FETCHED),
                store.runs.newest_load(),
                store.failures.find(), store.outbox.deliveries(),
                store.counts(), store.revision(),
            ]  # fmt: skip
            assert reads
            with opened(migrated_url) as another:
                assert len(another.versions.of(TRIAL)) == 2
        with store.unit() as unit:
            unit.trials.mark_absent(TRIAL, LOAD)


def test_threads_that_create_the_file_at_once_create_one_database(tmp_path: Path) -> None:
    failed: list[Exception] = []
    for number in range(10):
        file = tmp_path / str(number) / "ctsync.db"
        together = threading.Barrier(6)

        def create(file: Path = file, together: threading.Barrier = together) -> None:
            together.wait()
            try:
                mark_file(file)
            except StoreUnavailable as error:
                failed.append(error)

        creators = [threading.Thread(target=create) for _ in range(6)]
        for creator in creators:
            creator.start()
        for creator in creators:
            creator.join()
        assert look_at_file(file) is DatabaseState.OURS
    assert failed == []


def test_a_second_opening_in_one_process_keeps_the_locks_of_the_first(
    migrated_sqlite_url: str,
) -> None:
    """Otherwise, another process that ends would remove the log that is still in use."""
    url, file = migrated_sqlite_url, Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    log = file.with_name(f"{file.name}-wal")
    program = (
        f"import sqlite3; c = sqlite3.connect({str(file)!r}); "
        "c.execute('SELECT count(*) FROM trials').fetchall(); c.close()"
    )
    with opened(url) as first:
        fill(first, 1)
        with opened(url) as second:
            assert second.versions.of(TRIAL)
        subprocess.run([sys.executable, "-c", program], check=True)
        is_kept = log.exists()
        fill(first, 1, NctId("NCT00000009"))
    print(f"two openings in one process: log {'kept' if is_kept else 'removed while in use'}")
    assert is_kept
    with opened(url) as again:
        assert again.versions.of(NctId("NCT00000009"))


def test_a_reader_blocks_no_writer_and_has_one_consistent_view(store: Store) -> None:
    fill(store, 1)
    counted = text("SELECT count(*) FROM runs")
    with store.view() as connection:
        assert connection.execute(counted).scalar() == 0
        with store.unit() as unit:
            unit.runs.begin("sync", FETCHED)
        if connection.dialect.name == "sqlite":
            assert connection.execute(counted).scalar() == 0
    assert len(store.runs.latest()) == 1


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run as the user nobody, because root may write any file."""
    if os.geteuid() != 0:
        yield
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_read_only_database_can_be_read_and_refuses_writes(
    migrated_file: Path, folder_mode: int
) -> None:
    # the user nobody cannot enter pytest's own directories
    with tempfile.TemporaryDirectory(prefix="ctsync-") as folder:
        file = Path(folder) / "ctsync.db"
        shutil.copy(migrated_file, file)
        with opened(f"sqlite:///{file}") as store:
            fill(store, 2)
        before = file.read_bytes()
        file.chmod(0o444)
        Path(folder).chmod(folder_mode)
        with as_nobody(), opened(f"sqlite:///{file}") as store:
            assert len(store.versions.of(TRIAL)) == 2
            assert store.bodies.read(store.versions.newest_digest(TRIAL))
            with pytest.raises(StoreUnavailable, match="is read-only"), store.unit() as unit:
                unit.trials.mark_absent(TRIAL, LOAD)
        assert file.read_bytes() == before


def test_an_unreadable_or_unwritable_path_is_reported(migrated_file: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ctsync-") as folder:
        file = Path(folder) / "ctsync.db"
        shutil.copy(migrated_file, file)
        file.chmod(0o000)
        Path(folder).chmod(0o555)
        with as_nobody():
            assert "Permission denied" in refusal(f"sqlite:///{file}", StoreUnavailable)
            message = refusal(f"sqlite:///{folder}/new.db", StoreUnavailable)
            assert "specify a writable path" in message


def test_a_store_opened_for_reading_refuses_every_write(migrated_url: str) -> None:
    with open_for_reading(migrated_url, clock=StillClock()) as store:
        assert store.versions.of(TRIAL) == []
        with pytest.raises(StoreUnavailable), store.unit() as unit:
            unit.runs.begin("sync", StillClock().now())
    with open_store(migrated_url, clock=StillClock()) as store:
        assert store.runs.latest() == []


def test_opening_for_reading_creates_no_database(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(NoDatabase, match="ctsync watch add"):
        open_for_reading(database_url, clock=StillClock())
    assert list(tmp_path.glob("*.db*")) == []
