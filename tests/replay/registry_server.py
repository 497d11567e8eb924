"""The server of the replay registry, on loopback. endpoints.py has the answers."""

from __future__ import annotations

import gzip
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from ctsync.errors import PortInUse
from tests.replay.catalogue import Catalogue
from tests.replay.endpoints import BUILD, answer
from tests.replay.faults import Fault, FaultScript
from tests.replay.http_messages import Reply, Request, front_page, unsupported
from tests.replay.search.studies_listing import page_number

HOST = "127.0.0.1"
BASE = "/api"

_LONGEST_REQUEST_LINE = 8190  # nginx's default buffer
_SMALLEST_GZIPPED = 256
_GZIP_LEVEL = 1
_LONGEST_GOODBYE = 5.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the status of its reply, which is 0 if the connection was reset."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    status: int


class ReplayRegistry:
    """A registry on loopback, with the current load of a catalogue.

    A context manager: listens from construction on and serves within the block. `requests` lists
    every exchange, and `faults` holds the faults to inject. Setting `load` is a data reload, which
    ends every listing in progress. `build` is the server's part of the ETag. Port 0 means any free
    port. Raises PortInUse if the port is taken.
    """

    def __init__(self, catalogue: Catalogue, *, port: int = 0) -> None:
        self.catalogue = catalogue
        self.faults = FaultScript()
        self.build = BUILD
        self.failures: list[BaseException] = []
        self._log: list[Exchange] = []
        self._log_lock = threading.Lock()
        try:
            self._server = _Server((HOST, port), self)
        except (OSError, OverflowError) as error:
            raise PortInUse(
                f"cannot listen on {HOST} port {port} ({error}): "
                "choose another port, or 0 for any free one"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def port(self) -> int:
        """The port on which the server listens."""
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        """The base URL of the API, for CTSYNC_REGISTRY_URL."""
        return f"http://{HOST}:{self.port}{BASE}"

    @property
    def load(self) -> datetime:
        """The dataTimestamp of the current load."""
        return self.catalogue.load

    @load.setter
    def load(self, load: datetime | date | str) -> None:
        self.catalogue.set_load(load)

    @property
    def requests(self) -> list[Exchange]:
        """All exchanges so far, in the order of their replies."""
        with self._log_lock:
            return list(self._log)

    def forget_requests(self) -> None:
        """Clear the list of exchanges."""
        with self._log_lock:
            self._log.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self.close()
        if self.failures and error is None:
            raise self.failures[0]

    def close(self) -> None:
        """Stop listening and close every connection."""
        self._server.end_connections()
        self._server.server_close()

    def exchange(self, request: Request) -> tuple[Reply, Fault]:
        """The reply to a request, and the fault with which to send it."""
        fault = self.faults.take(request, page_number(request.params)) or Fault()
        if fault.reload is not None:
            self.catalogue.set_load(fault.reload)
        reply = fault.instead or answer(
            self.catalogue, replace(request, shift=fault.shift), build=self.build
        )
        if fault.rewrite is not None:
            reply = fault.rewrite(reply)
        self.record(request, 0 if fault.reset else reply.status)
        return reply, fault

    def record(self, request: Request, status: int) -> None:
        """Add an exchange to the list."""
        done = Exchange(request.method, request.path, request.params, request.headers, int(status))
        with self._log_lock:
            self._log.append(done)


class _Server(socketserver.ThreadingTCPServer):
    """Tracks its open connections, so that closing it leaves no sockets and no threads."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], registry: ReplayRegistry) -> None:
        self.registry = registry
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._ended = threading.Condition()
        super().__init__(address, _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._ended:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._ended:
            self._connections.discard(request)
            self._ended.notify_all()

    def end_connections(self) -> None:
        """Close every connection, and wait until its thread has ended."""
        self.closing.set()
        with self._ended:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._ended.wait_for(lambda: not self._connections, timeout=_LONGEST_GOODBYE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up. Keep any other error, which __exit__ raises."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.registry.failures.append(error)


class _Connection(BaseHTTPRequestHandler):
    """One connection, which serves one request after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def version_string(self) -> str:
        return "ctsync-replay"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is inherited
        """Print nothing: `requests` lists the exchanges."""

    def _serve(self) -> None:
        self._skip_request_body()
        address = urlsplit(self.path)
        pairs = parse_qsl(address.query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = unquote(address.path)
        request = Request(self.command, path.removeprefix(BASE), dict(pairs), headers)
        refused = self._refused_at_the_door(path, pairs)
        if refused is not None:
            self.server.registry.record(request, refused.status)
            self._send(refused, Fault())
            return
        reply, fault = self.server.registry.exchange(request)
        if fault.delay:
            self.server.closing.wait(fault.delay)
        self._send(reply, fault)

    # http.server finds its methods by these names
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _skip_request_body(self) -> None:
        length = self.headers.get("Content-Length", "0")
        self.rfile.read(int(length) if length.isdigit() else 0)

    def _refused_at_the_door(self, path: str, pairs: list[tuple[str, str]]) -> Reply | None:
        if len(self.requestline) > _LONGEST_REQUEST_LINE:
            return front_page(HTTPStatus.REQUEST_URI_TOO_LONG)
        if not path.startswith(f"{BASE}/"):
            return front_page(HTTPStatus.NOT_FOUND)
        names = [name for name, _ in pairs]
        repeated = next((name for name in names if names.count(name) > 1), None)
        return unsupported(f"a repeated parameter: `{repeated}`").reply if repeated else None

    def _send(self, reply: Reply, fault: Fault) -> None:
        if fault.reset:
            self._reset()
            return
        headers, body = dict(reply.headers), reply.body
        if "Content-Encoding" not in headers and self._may_gzip(reply):
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if fault.declare_length and reply.status != HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(body))
        if fault.cut is not None:
            body = body[: fault.cut]
            headers["Connection"] = "close"
            self.close_connection = True
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._write(body, fault)

    def _may_gzip(self, reply: Reply) -> bool:
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        is_archive = reply.headers.get("Content-Type") == "application/zip"
        return accepted and not is_archive and len(reply.body) >= _SMALLEST_GZIPPED

    def _write(self, body: bytes, fault: Fault) -> None:
        step = fault.drip or max(len(body), 1)
        for start in range(0, len(body), step):
            if start and self.server.closing.wait(fault.pause):
                return
            self.wfile.write(body[start : start + step])

    def _reset(self) -> None:
        """Close the connection with a TCP reset, not in the regular way."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())
