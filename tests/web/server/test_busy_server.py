"""A database that another program has locked, and a server with too many clients."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from socket import create_connection

import pytest
from starlette.testclient import TestClient

from ctsync.config.settings import Settings
from ctsync.store.store import open_for_reading
from ctsync.web.api.client_rates import RequestRate
from ctsync.web.server import listen
from ctsync.web.server.application import create_app
from ctsync.web.server.gate import SECURITY_HEADERS, Access
from tests.conftest import StillClock
from tests.web.server.conftest import FIRST, NOW, RunningServer, client_of

PATHS = ("/", f"/trials/{FIRST}", "/healthz", "/api/v1/changes", f"/api/v1/trials/{FIRST}")
LOCK = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 510, 0x40000002)  # the bytes that every reader of SQLite locks
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Lock a SQLite file in another process, as one that closes it last does."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.communicate("release\n")


@pytest.fixture
def own_file(tmp_path: Path, filled: str) -> Path:
    """A copy of the database that no other test opens."""
    return Path(shutil.copy(filled.removeprefix("sqlite:///"), tmp_path / "own.db"))


def test_a_locked_database_is_answered_with_503_and_the_time_to_come_back(own_file: Path) -> None:
    with client_of(f"sqlite:///{own_file}?timeout=0.01") as client:
        with locked(own_file):
            for path in PATHS:
                answer = client.get(path)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), path
                assert answer.headers["cache-control"] == "no-store"
                assert "Traceback" not in answer.text
            problem = client.get("/api/v1/runs").json()
            assert problem["detail"] == "the database is locked; try again later"
        assert {client.get(path).status_code for path in PATHS} == {200}


def test_a_reader_waits_for_a_database_that_is_locked_for_a_moment(own_file: Path) -> None:
    with ThreadPoolExecutor(1) as pool, client_of(f"sqlite:///{own_file}?timeout=20") as client:
        with locked(own_file):
            answer = pool.submit(client.get, "/api/v1/runs")
            with pytest.raises(TimeoutError):
                answer.result(0.2)
        assert answer.result(20).status_code == 200


def test_connections_above_the_limit_are_refused_and_the_others_are_served(
    served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(path: str) -> tuple[int, str]:
        """Send a request over a new connection, and return the status and the whole answer."""
        with create_connection(("127.0.0.1", served.port), timeout=20) as connection:
            host = f"127.0.0.1:{served.port}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            with closing(connection.makefile("rb")) as stream:
                text = stream.read().decode()  # ends: the server closes the connection
        return int(text.split()[1]), text

    monkeypatch.setattr(listen, "MOST_CONNECTIONS", 3)
    with ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(create_connection(("127.0.0.1", served.port)))
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        refused = {path: ask(path) for path in PATHS}
        host = f"Host: 127.0.0.1:{served.port}\r\n\r\n"
        connection.sendall(host.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    for path, (status, text) in refused.items():
        assert status == 503, path
        assert "retry-after: 5\r\n" in text
        assert "too many connections at once" in text
        assert all(name.lower() in text for name in map(str.lower, SECURITY_HEADERS))
        is_problem = "application/problem+json" in text
        assert is_problem is path.startswith("/api/")
    monkeypatch.undo()
    assert served.get("/healthz").status_code == 200
    counted = re.search(r'requests_total\{status="503"\} (\d+)', served.get("/metrics").text)
    print(f"crowded: {len(refused)} requests refused, {counted and counted[1]} counted")
    assert counted


@pytest.mark.parametrize(
    ("first", "second", "is_shared"),
    [
        ("203.0.113.1", "203.0.113.2", False),
        ("198.51.100.7, 203.0.113.1", "192.0.2.9, 203.0.113.1", True),  # a client adds in front
        ("203.0.113.1:4711", "203.0.113.1:4712", True),
        ("[2001:db8::1]:4711", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("x" * 1000, "", True),
    ],
)
def test_behind_a_proxy_a_client_is_the_last_address_of_x_forwarded_for(
    filled: str, first: str, second: str, *, is_shared: bool
) -> None:
    clock = StillClock(NOW)
    for access, shared in ((Access(is_behind_proxy=True), is_shared), (Access(), True)):
        app = create_app(
            lambda: open_for_reading(filled, clock=clock),
            Settings(),
            clock=clock,
            access=access,
            rate=RequestRate(per_second=0.1, burst=1),
        )
        with TestClient(app) as client:
            answers = [
                client.get("/openapi.json", headers={"X-Forwarded-For": given} if given else {})
                for given in (first, second)
            ]
        assert [answer.status_code for answer in answers] == [200, 429 if shared else 200]
