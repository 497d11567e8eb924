"""Listens on an address, and runs the application until it is stopped. Uses uvicorn."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from ctsync.errors import PortInUse, UsageError
from ctsync.web.server.gate import CROWDED, LONGEST_HEAD

HEADER_SECONDS = 10.0
"""The time in which a client must have sent a request."""
KEEP_ALIVE_SECONDS = 10
GRACE_SECONDS = 5
MOST_CONNECTIONS = 512
"""Open connections. Requests over further ones are refused; a process may open 1,024 files."""
_SHORTEST_TOKEN = 16
_HTTP_PORT = 80


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_guard(host: str, *, has_token: bool, is_behind_proxy: bool) -> None:
    """Raise UsageError for an address that others reach, if nothing keeps them out."""
    if is_loopback(host) or has_token or is_behind_proxy:
        return
    raise UsageError(
        f"other machines reach {host}, and the pages show your watches, queries and recipients: "
        "add --token-file FILE to ask for a token, or --behind-proxy if a proxy controls access"
    )


def accepted_hosts(host: str, port: int) -> frozenset[str]:
    """Return the values of the Host header that name this machine."""
    names = {"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host}
    with_port = {f"{name}:{port}" for name in names}
    return frozenset(with_port | names if port == _HTTP_PORT else with_port)


def read_token(file: Path) -> str:
    """Read the token of a file. Raises UsageError if it cannot be read, or is easy to guess."""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"--token-file {file} cannot be read: {reason}") from None
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or any(map(str.isspace, token)):
        raise UsageError(
            f"--token-file {file} must hold one token of at least {_SHORTEST_TOKEN} ASCII "
            "characters without blanks; make one: openssl rand -hex 32"
        )
    return token


def open_socket(host: str, port: int) -> socket.socket:
    """Bind an address. Port 0 takes any free port. Raises PortInUse."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, proto)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PortInUse(
            f"cannot listen on {host} port {port}: {reason}; choose another: --port 8338"
        ) from None
    return bound


_UNFINISHED = (h11.IDLE, h11.SEND_BODY)


class HurriedProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose client does not finish its request.

    uvicorn alone waits without end for the rest of a request. Above its own limit of connections,
    it refuses the requests of all of them, with a text that does not say when to come back.
    """

    _hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.app = _crowded(self.app)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the bytes of an unfinished request do not extend the time."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._calm()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in _UNFINISHED:
            self._calm()
        elif self._hurry is None:
            self._hurry = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _calm(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def _crowded(app: Any) -> Any:
    """Mark every request of a connection, so that the application refuses it."""

    async def marked(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await app({**scope, CROWDED: True}, receive, send)

    return marked


class _Server(Server):
    """A server whose signals are handled by the caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are."""
        yield


def make_server(app: Any) -> Server:
    """Return a server of the application, with limits against slow and large requests."""
    return _Server(
        Config(
            app,
            http=HurriedProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )
    )


def run_until_stopped(
    server: Server, bound: socket.socket, *, when_stopped: Callable[[Callable[[], None]], None]
) -> None:
    """Serve on a socket until `when_stopped` calls the function that it is given.

    Requests under way may finish within GRACE_SECONDS.
    """

    def stop() -> None:
        server.should_exit = True

    when_stopped(stop)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    server.run(sockets=[bound])


def _is_news(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
