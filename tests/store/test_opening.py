"""What open_store makes of what it finds: it serves it, upgrades it, or leaves it as it was."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import stat
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
    """Why the database at `url` is refused; what a person reads is one line."""
    with pytest.raises(kind) as caught:
        opened(url)
    said = str(caught.value)
    assert "\n" not in said
    return said


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


# --- what is served ---------------------------------------------------------------------------


def test_an_empty_database_becomes_one_of_the_newest_schema(database_url: str) -> None:
    with opened(database_url) as store:
        assert store.revision() == head_revision()
        assert set(store.counts().values()) == {0}


def test_a_database_opened_again_has_what_was_stored(database_url: str) -> None:
    for expected in (0, 1, 2):
        with opened(database_url) as store:
            assert len(store.versions(TRIAL)) == expected
            head = store.heads([TRIAL]).get(TRIAL)
            with store.unit() as unit:
                keep(unit, expected, head.snapshot_id if head else None)


def test_a_file_of_no_bytes_and_one_of_no_tables_are_taken(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with sqlite3.connect(tmp_path / "bare.db") as connection:
        connection.execute("PRAGMA user_version = 0")
        connection.execute("VACUUM")
    connection.close()
    for name in ("empty.db", "bare.db"):
        with opened(f"sqlite:///{tmp_path / name}") as store:
            assert store.revision() == head_revision()


def test_the_file_and_its_directory_are_private_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with opened(f"sqlite:///{tmp_path / 'new' / 'ctsync.db'}") as store:
            fill(store, 1)
            modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "new").iterdir()}
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert modes == {"ctsync.db": 0o600, "ctsync.db-wal": 0o600, "ctsync.db-shm": 0o600}


def test_the_file_says_whose_it_is_and_survives_a_power_cut(sqlite_url: str) -> None:
    with opened(sqlite_url) as store, store._reading() as connection:

        def pragma(name: str) -> object:
            return connection.execute(text(f"PRAGMA {name}")).scalar()

        assert pragma("application_id") == APPLICATION_ID
        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1


def test_a_path_with_any_character_is_the_path_meant(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1? ünï & spaces"
    with opened(f"sqlite:///{str(folder / 'a.db').replace('%', '%25').replace('?', '%3F')}"):
        pass
    assert [file.name for file in tmp_path.rglob("*.db")] == ["a.db"]


# --- what is refused, untouched -----------------------------------------------------------------


def test_without_leave_to_create_a_missing_database_is_an_error(tmp_path: Path) -> None:
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
    """A foreign database in WAL whose last commits are not in the main file."""
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
    ("make", "kind", "says"),
    [
        (_newer, NewerDatabase, "upgrade ctsync"),
        (_foreign, ForeignDatabase, "another program"),
        (_marked_by_another, ForeignDatabase, "another program"),
        (_text, ForeignDatabase, "not a database"),
        (_short, ForeignDatabase, "not a database"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_not_ours_or_newer_is_refused_with_its_bytes_unchanged(
    tmp_path: Path, make: object, kind: type[CtsyncError], says: str
) -> None:
    file = tmp_path / "some.db"
    assert callable(make)
    make(file)
    before = contents(tmp_path)
    for _ in range(2):
        said = refusal(f"sqlite:///{file}", kind)
        assert says in said
        assert str(file) in said
    assert contents(tmp_path) == before


def test_a_foreign_file_in_use_is_not_even_opened(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    _in_use_by_another(file)
    before = contents(tmp_path)
    # its tables stand in the log alone, which SQLite would fold into the file on closing it
    refusal(f"sqlite:///{file}", ForeignDatabase)
    assert contents(tmp_path) == before


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refusal(f"sqlite:///{tmp_path}", StoreUnavailable)


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(f"sqlite:///{tmp_path / 'file' / 'ctsync.db'}", StoreUnavailable)
    assert "Not a directory" in said or "cannot be" in said


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ctsync.db", "sqlite:///file"),
        ("mysql://user:hunter2@host/db", "runs on SQLite and PostgreSQL"),
        ("nosuch://user:hunter2@host/db", "runs on SQLite and PostgreSQL"),
        ("sqlite://", "give the file"),
        ("sqlite:///:memory:", "give the file"),
        ("postgresql://user:hunter2@host:port/db", "sqlite:///file"),
    ],
)
def test_a_url_that_cannot_be_read_says_how_to_write_one(url: str, says: str) -> None:
    said = refusal(url, ConfigError)
    assert says in said
    assert "hunter2" not in said


def test_the_current_revision_is_read_without_writing(tmp_path: Path) -> None:
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


def test_a_database_that_does_not_exist_says_so(postgres: PostgresServer) -> None:
    assert "does not exist" in refusal(postgres.url("nowhere"), StoreUnavailable)


def test_a_server_out_of_reach_is_named_without_its_password() -> None:
    url = "postgresql://ctsync:hunter2@127.0.0.1:9/ctsync?sslpassword=hunter2"
    said = refusal(url, StoreUnavailable)
    assert "127.0.0.1:9" in said
    assert "check that the server runs" in said
    assert "hunter2" not in said
    assert "hunter2" not in name_of(parse_url(url))


def test_a_server_that_went_away_is_unavailable_and_one_that_is_back_is_used_again(
    migrated_postgres_url: str,
) -> None:
    with opened(migrated_postgres_url) as store:
        fill(store, 1)

        def cut_off_within_a_unit() -> None:
            with store.unit() as unit:
                unit.mark_seen([TRIAL], run_id=None, load=LOAD)
                _statements(
                    migrated_postgres_url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                unit.mark_absent(TRIAL, LOAD)

        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            cut_off_within_a_unit()
        assert store.heads([TRIAL])[TRIAL].version == 1


# --- locked and read-only ---------------------------------------------------------------------


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program in the middle of a write that touches everything."""
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


def test_while_another_program_writes_units_fail_in_time_and_reads_go_on(
    migrated_url: str,
) -> None:
    with opened(migrated_url) as store:
        fill(store, 2)
        with locked(migrated_url):
            with pytest.raises(StoreUnavailable, match="locked by another"), store.unit() as unit:
                unit.mark_absent(TRIAL, LOAD)
            reads = [
                store.heads([TRIAL]), store.versions(TRIAL), store.past(TRIAL), store.events(),
                store.watches(), store.watched_ids(), store.runs(), store.failures(),
                store.deliveries(), store.counts(), store.trials_known(), store.backlog(),
                store.awaited([TRIAL]), store.newest_load(), store.last_run(),
                store.body(store.newest_digest(TRIAL)), store.revision(), store.count_events(),
                store.watches_of(TRIAL), store.last_finished("sync"), store.events_of_run(1),
            ]  # fmt: skip
            assert reads
            with opened(migrated_url) as another:
                assert len(another.versions(TRIAL)) == 2
        with store.unit() as unit:
            unit.mark_absent(TRIAL, LOAD)


def test_several_that_make_the_file_at_once_make_one(tmp_path: Path) -> None:
    failed: list[Exception] = []
    for number in range(10):
        file = tmp_path / str(number) / "ctsync.db"
        together = threading.Barrier(6)

        def make(file: Path = file, together: threading.Barrier = together) -> None:
            together.wait()
            try:
                mark_file(file)
            except StoreUnavailable as error:
                failed.append(error)

        makers = [threading.Thread(target=make) for _ in range(6)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        assert look_at_file(file) is DatabaseState.OURS
    assert failed == []


def test_a_reader_holds_up_no_writer_and_sees_one_moment(store: Store) -> None:
    fill(store, 1)
    counted = text("SELECT count(*) FROM runs")
    with store._reading() as connection:
        assert connection.execute(counted).scalar() == 0
        with store.unit() as unit:
            unit.begin_run("sync", FETCHED)
        if connection.dialect.name == "sqlite":
            assert connection.execute(counted).scalar() == 0
    assert len(store.runs()) == 1


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write anything."""
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
def test_a_read_only_database_can_be_read_and_says_so_when_written(
    migrated_file: Path, folder_mode: int
) -> None:
    # pytest's own directories are closed to nobody
    with tempfile.TemporaryDirectory(prefix="ctsync-") as folder:
        file = Path(folder) / "ctsync.db"
        shutil.copy(migrated_file, file)
        with opened(f"sqlite:///{file}") as store:
            fill(store, 2)
        before = file.read_bytes()
        file.chmod(0o444)
        Path(folder).chmod(folder_mode)
        with as_nobody(), opened(f"sqlite:///{file}") as store:
            assert len(store.versions(TRIAL)) == 2
            assert store.body(store.newest_digest(TRIAL))
            with pytest.raises(StoreUnavailable, match="is read-only"), store.unit() as unit:
                unit.mark_absent(TRIAL, LOAD)
        assert file.read_bytes() == before


def test_a_file_nobody_may_read_says_so(migrated_file: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ctsync-") as folder:
        file = Path(folder) / "ctsync.db"
        shutil.copy(migrated_file, file)
        file.chmod(0o000)
        Path(folder).chmod(0o555)
        with as_nobody():
            assert "Permission denied" in refusal(f"sqlite:///{file}", StoreUnavailable)
            said = refusal(f"sqlite:///{folder}/new.db", StoreUnavailable)
            assert "give a place that can be written" in said


def test_a_store_opened_for_reading_refuses_every_write(migrated_url: str) -> None:
    with open_for_reading(migrated_url, clock=StillClock()) as store:
        assert store.versions("NCT00000001") == []
        with pytest.raises(StoreUnavailable), store.unit() as unit:
            unit.begin_run("sync", StillClock().now())
    with open_store(migrated_url, clock=StillClock()) as store:
        assert store.runs() == []


def test_opening_for_reading_makes_no_database(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(NoDatabase, match="ctsync watch add"):
        open_for_reading(database_url, clock=StillClock())
    assert list(tmp_path.glob("*.db*")) == []
