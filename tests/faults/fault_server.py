"""A loopback server that sends wrong answers on purpose: raw sockets, one script per path.

`responses` opens no socket, so it cannot truncate, drip, stall or reset. Here each path has a list
of acts. The n-th request gets the n-th act, and later requests get the last one.
"""

from __future__ import annotations

import gzip
import socket
import socketserver
import ssl
import struct
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlsplit

# a fault ends after this, so that a test without its guard fails and does not hang
LONGEST_FAULT_SECONDS = 20.0
LARGEST_FAULT_BYTES = 400 * 2**20
MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the server received."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """The connection on which an act answers."""

    socket: socket.socket
    stopping: threading.Event

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def pause(self, seconds: float) -> bool:
        """Wait, and return False once the server is stopping."""
        return not self.stopping.wait(seconds)

    def reset(self) -> None:
        """Reset the connection, as a crash does."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()


Act = Callable[[Line, Request], bool]
"""Answers one request, and returns whether the connection stays open."""


class FaultServer:
    """Serves inside its `with` block. `hits` counts the requests per path.

    `tls` is a certificate and its key.
    """

    def __init__(self, *, tls: tuple[Path, Path] | None = None) -> None:
        self.scripts: dict[str, list[Act]] = {}
        self.fallback: Act | None = None
        self.hits: defaultdict[str, int] = defaultdict(int)
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.faults = self
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.host}/api"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def script(self, path: str, *acts: Act) -> None:
        """Answer the requests to `path` below /api with these acts, in this order."""
        self.scripts["/api" + path] = list(acts)

    def next_act(self, request: Request) -> Act:
        with self._lock:
            self.requests.append(request)
            number = self.hits[request.path]
            self.hits[request.path] += 1
        acts = self.scripts.get(request.path)
        if acts:
            return acts[min(number, len(acts) - 1)]
        return self.fallback or answer(b"<html>nginx</html>", status=404, media_type="text/html")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    faults: FaultServer


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        faults = self.server.faults
        line = Line(self.request, faults.stopping)
        with suppress(OSError, ValueError), self.request.makefile("rb") as reader:
            while request := _read_request(reader):
                if not faults.next_act(request)(line, request):
                    return


def _read_request(reader: Iterator[bytes]) -> Request | None:
    head = []
    for text in reader:
        if not text.strip():
            break
        head.append(text.decode("latin-1").strip())
    if not head:
        return None
    address = urlsplit(head[0].split(" ")[1])
    headers = dict(text.split(": ", 1) for text in head[1:] if ": " in text)
    return Request(address.path, dict(parse_qsl(address.query)), headers)


# --- acts: valid and wrong answers -------------------------------------------------------------


def head(status: int = 200, media_type: str = "application/json", *extra: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted"]
    if media_type:
        lines.append(f"Content-Type: {media_type}")
    return "\r\n".join([*lines, *extra, "", ""]).encode("latin-1")


def whole(
    body: bytes, *extra: str, status: int = 200, media_type: str = "application/json"
) -> bytes:
    return head(status, media_type, f"Content-Length: {len(body)}", *extra) + body


def answer(
    body: bytes, *extra: str, status: int = 200, media_type: str = "application/json"
) -> Act:
    """A complete answer. `extra` are further header lines."""
    return said(whole(body, *extra, status=status, media_type=media_type))


def said(data: bytes, *, goes_on: bool = True) -> Act:
    """Exactly these bytes. `goes_on` keeps the connection open."""

    def act(line: Line, _request: Request) -> bool:
        line.send(data)
        return goes_on

    return act


def cut(body: bytes, at: int, *, framing: str) -> Act:
    """The first `at` bytes of a body. `framing` is `length`, `chunked` or `none`."""
    if framing == "length":
        return said(
            head(200, "application/json", f"Content-Length: {len(body)}") + body[:at], goes_on=False
        )
    if framing == "chunked":
        sent = head(200, "application/json", "Transfer-Encoding: chunked") + chunk(body)[: at + 4]
        return said(sent, goes_on=False)
    return said(head(200, "application/json", "Connection: close") + body[:at], goes_on=False)


def reset_at_once() -> Act:
    """A connection that is reset before any byte."""

    def act(line: Line, _request: Request) -> bool:
        line.reset()
        return False

    return act


def reset_after(data: bytes) -> Act:
    """A connection that is reset after these bytes."""

    def act(line: Line, _request: Request) -> bool:
        line.send(data)
        line.reset()
        return False

    return act


def closed() -> Act:
    """A connection that is closed without an answer."""
    return said(b"", goes_on=False)


def stalled(before: bytes, after: bytes) -> Act:
    """A silent pause between `before` and `after`."""

    def act(line: Line, _request: Request) -> bool:
        line.send(before)
        if line.pause(LONGEST_FAULT_SECONDS):
            line.send(after)
        return True

    return act


def dripped(before: bytes, dripping: bytes, *, every: float, after: bytes = b"") -> Act:
    """One byte of `dripping` at a time, repeated if it is short, between `before` and `after`."""

    def act(line: Line, _request: Request) -> bool:
        line.send(before)
        for number in range(int(LONGEST_FAULT_SECONDS / every)):
            line.send(dripping[number % len(dripping) :][:1])
            if not line.pause(every):
                return False
        line.send(after)
        return False

    return act


def endless(before: bytes, piece: bytes) -> Act:
    """The same piece again and again, as fast as the client reads it."""

    def act(line: Line, _request: Request) -> bool:
        line.send(before)
        last = time.monotonic() + LONGEST_FAULT_SECONDS
        for _ in range(LARGEST_FAULT_BYTES // len(piece)):
            line.send(piece)
            if line.stopping.is_set() or time.monotonic() > last:
                break
        return False

    return act


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def gzip_bomb(megabytes: int, *, layers: int = 1) -> bytes:
    """A small gzip body of many zeros. The first blocks are compressed once and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    start = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = start + block * (megabytes - 1)
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    return bomb
