"""Writing commands refuse a proxy that pools transactions, but accept one that pools sessions."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from ctsync.cli import main
from ctsync.errors import StoreUnavailable
from ctsync.store.database.engine import parse_url
from ctsync.store.database.pooling import pools_transactions
from ctsync.store.store import open_for_reading, open_store
from tests.conftest import PostgresServer, StillClock
from tests.store.samples import FETCHED, TRIAL

# --- a proxy of our own ---------------------------------------------------------------------------


@dataclass
class Proxy:
    """Assigns the sessions of a server to connections, each for a transaction or permanently.

    `takes` is called before a session is assigned, to act like another program at the proxy.
    """

    mode: str
    idle: deque[int]
    takes_oldest: bool = False
    takes: Callable[[], None] = lambda: None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(90_000))

    def connect(self) -> Connection:
        return Connection(self, next(self.numbers))

    def lend(self) -> int:
        self.takes()
        return self.idle.popleft() if self.takes_oldest else self.idle.pop()


class Connection:
    """The part of a psycopg connection that `pools_transactions` uses."""

    def __init__(self, proxy: Proxy, number: int) -> None:
        self._proxy = proxy
        self._session: int | None = None
        if proxy.mode == "none":
            self._session = proxy.lend()
        greeted = self._session if proxy.mode == "none" else number
        self.info = SimpleNamespace(backend_pid=greeted)

    def execute(self, _statement: str) -> Any:
        if self._proxy.mode == "statement":
            raise psycopg.OperationalError("transaction blocks not allowed in statement pooling")
        if self._session is None:
            self._session = self._proxy.lend()
        return SimpleNamespace(fetchone=lambda: (self._session,))

    def rollback(self) -> None:
        if self._proxy.mode == "transaction" and self._session is not None:
            self._proxy.idle.append(self._session)
            self._session = None

    def close(self) -> None:
        self.rollback()


def is_refused(proxy: Proxy) -> bool:
    return pools_transactions(proxy.connect(), proxy.connect)


def rotated(sessions: deque[int]) -> Callable[[], None]:
    """Return a function that acts like a program that uses a session between two transactions."""
    return lambda: sessions.rotate(1)


def test_a_proxy_is_refused_only_if_it_pools_transactions() -> None:
    refused = {True: 0, False: 0}
    for sessions in (1, 2, 3, 20):
        for oldest in (False, True):
            for is_busy in (False, True):
                for mode in ("transaction", "statement", "session", "none"):
                    idle = deque(range(500, 500 + max(sessions, 2 * (mode in {"session", "none"}))))
                    takes = rotated(idle) if is_busy else lambda: None
                    pools = mode in {"transaction", "statement"}
                    refused[pools] += is_refused(Proxy(mode, idle, oldest, takes))
    print(
        f"proxies: 32 that pool transactions or statements, {refused[True]} refused; "
        f"32 others, {refused[False]} refused"
    )
    assert refused == {True: 32, False: 0}


def test_a_direct_connection_opens_no_second_connection() -> None:
    proxy = Proxy("none", deque([500]))

    def connect_again() -> Connection:
        raise AssertionError("not needed")

    assert not pools_transactions(proxy.connect(), connect_again)


# --- PgBouncer ------------------------------------------------------------------------------------

needs_pgbouncer = pytest.mark.skipif(
    shutil.which("pgbouncer") is None, reason="PgBouncer is not installed"
)


@contextmanager
def pgbouncer(postgres: PostgresServer, url: str, mode: str, folder: Path) -> Iterator[str]:
    """Run PgBouncer in front of a database. Yield the database's URL behind PgBouncer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    name, server = postgres.name_of(url), Path(str(parse_url(url).query["host"]))
    settings = folder / f"{mode}.ini"
    settings.write_text(
        f"[databases]\n{name} = host={server} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\nserver_login_retry = 1\n"
    )
    # PgBouncer refuses to run as root, and the directory of the server belongs to its own user
    words = ["pgbouncer", "-q", str(settings)]
    if os.getuid() == 0:
        owner = pwd.getpwuid((server / "PG_VERSION").stat().st_uid).pw_name
        shutil.chown(settings, owner)
        words[2:2] = ["-u", owner]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        behind = f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name}"
        _wait_until_it_answers(behind)
        yield behind
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_answers(url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url.replace("+psycopg", "")).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until, "PgBouncer does not start"
            time.sleep(0.05)
        else:
            return


TRIES = 20
WRITES: tuple[tuple[str, ...], ...] = (
    ("init",),
    ("sync",),
    ("watch", "add", "NCT00000101"),
    ("watch", "remove", "mine"),
    ("db", "upgrade"),
    ("db", "compact"),
    ("check", "--repair"),
    ("backfill", "NCT00000101"),
    ("mirror",),
    ("outbox", "drop", "1"),
    ("outbox", "retry"),
    ("daemon",),
)
READS: tuple[tuple[str, ...], ...] = (("watch", "list"), ("status",), ("changes",))


def run(url: str, folder: Path, *words: str) -> Result:
    environment = {
        "CTSYNC_DATABASE_URL": url,
        "CTSYNC_REGISTRY_URL": "http://127.0.0.1:9/api",
        "CTSYNC_REGISTRY__RETRY_SECONDS": "0",
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
    }
    return CliRunner().invoke(main, list(words), env=environment)


@needs_pgbouncer
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_every_command_that_writes_refuses_a_transaction_pool(
    postgres: PostgresServer,
    migrated_postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pgbouncer(postgres, migrated_postgres_url, mode, tmp_path) as url:
        refused = 0
        for words in WRITES:
            done = run(url, tmp_path, *words)
            (line,) = [one for one in done.stderr.splitlines() if one.startswith("ctsync: ")]
            assert done.exit_code == 6, (words, done.stderr)
            refused += "is behind a proxy that pools " in line
        doctor = run(url, tmp_path, "doctor")
        assert doctor.exit_code == 6
        read = [run(url, tmp_path, *words).exit_code for words in READS]
    print(f"PgBouncer, {mode} pooling: {len(WRITES)} commands, {refused} refused in one line")
    assert refused == len(WRITES)
    if mode == "transaction":
        assert "sessions\twrong" in doctor.stdout
        assert 6 not in read
        with open_store(migrated_postgres_url, clock=StillClock()) as store:
            assert store.watches.all() == []


@needs_pgbouncer
@pytest.mark.slow
def test_a_busy_transaction_pool_is_refused_each_time(
    postgres: PostgresServer, migrated_postgres_url: str, tmp_path: Path
) -> None:
    with pgbouncer(postgres, migrated_postgres_url, "transaction", tmp_path) as url:
        stopped = threading.Event()

        def keep_busy() -> None:
            with psycopg.connect(url.replace("+psycopg", ""), prepare_threshold=None) as other:
                while not stopped.is_set():
                    other.execute("SELECT 1")
                    other.rollback()

        others = [threading.Thread(target=keep_busy) for _ in range(4)]
        for other in others:
            other.start()
        refused = sum(refuses(url) for _ in range(TRIES))
        stopped.set()
        for other in others:
            other.join()
    print(f"PgBouncer, busy: {TRIES} writers, {refused} refused")
    assert refused == TRIES


def refuses(url: str) -> bool:
    try:
        open_store(url, clock=StillClock()).close()
    except StoreUnavailable as error:
        return "pools transactions" in str(error)
    return False


@needs_pgbouncer
@pytest.mark.slow
def test_a_session_pool_works_and_a_transaction_pool_can_be_read(
    postgres: PostgresServer, migrated_postgres_url: str, tmp_path: Path
) -> None:
    with pgbouncer(postgres, migrated_postgres_url, "session", tmp_path) as url:
        for number in range(writers := 10):
            with (
                open_store(url, clock=StillClock()) as store,
                store.writer(holder="x"),
                store.unit() as unit,
            ):
                unit.watches.add_trials(f"watch {number}", {TRIAL: None}, FETCHED)
    with pgbouncer(postgres, migrated_postgres_url, "transaction", tmp_path) as url:
        with open_for_reading(url, clock=StillClock()) as reader:
            found = len(reader.watches.all())
        with psycopg.connect(url.replace("+psycopg", "")) as other:
            (is_read_only,) = other.execute("SHOW transaction_read_only").fetchone() or ("",)
    print(f"PgBouncer, session pooling: {writers} writers, {found} stored, 0 refused")
    assert found == writers
    assert is_read_only == "off"
