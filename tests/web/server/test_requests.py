"""Attacks over real connections: each is refused, and the server goes on answering."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from ctsync.web.server import listen
from ctsync.web.server.gate import LONGEST_ADDRESS, SECURITY_HEADERS
from tests.web.server.conftest import FIRST, RunningServer

TRAVERSALS = (
    "/../../etc/passwd", "/assets/../../../etc/passwd", "/assets/..%2f..%2f..%2fetc/passwd",
    "/assets/%2e%2e/%2e%2e/site.py", "/assets/%252e%252e%252fsite.py", "/assets/..\\..\\site.py",
    "/assets/....//....//site.py", "/assets//etc/passwd", "/assets/style.css%00.html",
    "/assets/%c0%ae%c0%ae/site.py", "/%2e%2e/%2e%2e/etc/passwd", "/trials/..%2f..%2fetc%2fpasswd",
    "/trials/../../assets/../site.py", "/file:///etc/passwd", "//etc/passwd", "/.git/config",
    "/ctsync.toml", "/ctsync.db", "/trials/%00", "/%ff%fe",
)  # fmt: skip
HOSTS = (
    "attacker.example", "attacker.example:{port}", "localhost", "localhost:1", "127.0.0.1:1",
    "127.0.0.1.attacker.example:{port}", "localhost:{port}.attacker.example", "[::1]",
    "0.0.0.0:{port}",
    "localhost:{port}@attacker.example", "user@localhost:{port}", "",
)  # fmt: skip
METHODS = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")
MALFORMED = (
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /  HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: attacker.example\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\n",
    b"GET http://attacker.example/ HTTP/1.1\r\nHost: attacker.example\r\n\r\n",
    b"GET / HTTP/1.1\nHost: attacker.example\n\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


@contextmanager
def connected(served: RunningServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        yield connection


def status_of(served: RunningServer, request: bytes) -> int:
    """Send bytes and return the status of the answer; 0 if the server only closes."""
    host = f"127.0.0.1:{served.port}".encode()
    with connected(served) as connection:
        connection.sendall(request.replace(b"{host}", host))
        try:
            answer = connection.recv(65536)
        except OSError:  # the server refused before it read everything
            return 0
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else 0


def asked(path: str, *, host: str = "{host}", method: str = "GET", more: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n"
    return head.encode()


def attacks(port: int) -> Iterator[tuple[str, bytes, set[int]]]:
    """Yield each attack with its name and the statuses that refuse it; 0 closes the connection."""
    for path in TRAVERSALS:
        yield path, asked(path), {400, 404}
    for host in HOSTS:
        yield f"Host {host}", asked("/", host=host.format(port=port)), {400, 421}
    for method in METHODS:
        yield method, asked("/", method=method), {400, 405}
    for request in MALFORMED:
        yield repr(request), request, {0, 400, 421}
    for size in (LONGEST_ADDRESS, 17 * 1024, 2**20):
        yield f"query of {size:,} bytes", asked(f"/trials?q={'x' * size}"), {0, 400, 414}
        yield f"path of {size:,} bytes", asked(f"/{'x' * size}"), {0, 400, 404, 414}
    for size in (17 * 1024, 2**20):
        yield (
            f"header of {size:,} bytes",
            asked("/", more=f"X-Long: {'x' * size}\r\n"),
            {0, 400, 431},
        )
    yield "2,000 headers", asked("/", more="X-Many: y\r\n" * 2000), {0, 400, 431}
    yield "300 parameters", asked(f"/trials?{'q=1&' * 300}"), {400}
    yield "an upgrade", asked("/", more="Upgrade: websocket\r\nConnection: Upgrade\r\n"), {200, 400}


def test_attacks_are_refused_and_the_server_goes_on(
    served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "HEADER_SECONDS", 0.2)
    page = served.get("/")
    assert page.status_code == 200
    sent = list(attacks(served.port))
    failed = []
    for name, request, wanted in sent:
        status = status_of(served, request)
        if status not in wanted:
            failed.append((name[:80], status))
    after = served.get("/")
    print(f"attacks: {len(sent)} sent, {len(sent) - len(failed)} refused, server goes on")
    assert failed == []
    assert (after.status_code, after.content) == (200, page.content)


def test_slow_clients_do_not_keep_others_from_answers(
    served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "HEADER_SECONDS", 0.4)
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(served)) for _ in range(20)]
        for number, connection in enumerate(slow):
            head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nX-Slow: "
            body = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: 9\r\n\r\n1"
            connection.sendall((body if number % 4 == 3 else head).encode())
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: served.get("/rules").status_code, range(8)))
        assert answers == [200] * 8
        deadline = time.monotonic() + 15
        closed = 0
        for connection in slow:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            while connection.recv(65536):
                pass  # the answer to a request with a slow body
            closed += 1
    print(f"slow clients: {len(slow)} held half a request, {closed} closed, 8 others answered")
    assert closed == len(slow)
    assert served.get("/healthz").status_code == 200


def test_a_trickle_of_bytes_does_not_extend_the_time(
    served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "HEADER_SECONDS", 0.3)
    with connected(served) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        began, sent = time.monotonic(), 0
        try:
            while time.monotonic() - began < 10:
                connection.sendall(b"x")
                sent += 1
                time.sleep(0.02)
        except OSError:
            pass
        assert time.monotonic() - began < 10, sent


def test_answers_have_the_headers_that_protect_readers(served: RunningServer) -> None:
    for path in ("/", "/trials", f"/trials/{FIRST}", "/none", "/assets/style.css", "/trials?x=1"):
        answer = served.get(path)
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        assert "server" not in answer.headers
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy


def test_head_sends_no_body_and_other_methods_are_refused(served: RunningServer) -> None:
    whole, head = served.get("/rules"), served.ask("HEAD", "/rules")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == whole.headers["etag"]
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = served.ask(method, "/rules")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
