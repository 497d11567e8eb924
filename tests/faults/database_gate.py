"""A TCP port in front of a PostgreSQL server, which can refuse to be one in several ways."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

SSL_REQUEST = struct.pack("!I", 80877103)
Behaviour = Callable[["DatabaseGate", socket.socket], None]


class DatabaseGate:
    """Listens on a port and treats each connection as `behaviour` says at that moment."""

    def __init__(self, behaviour: Behaviour, *, server: str = "") -> None:
        self.behaviour = behaviour
        self.server = server
        self.accepted = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, database: str = "ctsync", user: str = "postgres") -> str:
        return f"postgresql+psycopg://{user}:hunter2@127.0.0.1:{self.port}/{database}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            self.behaviour(self, client)

    def adopt(self, other: socket.socket) -> socket.socket:
        self._open.append(other)
        return other

    def cut(self) -> None:
        """Break every open connection."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # a listener that a thread waits for stays open until it is shut down
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join()


def never_answer(_gate: DatabaseGate, client: socket.socket) -> None:
    while client.recv(4096):
        pass


def close_at_once(_gate: DatabaseGate, client: socket.socket) -> None:
    client.close()


def refuse_ssl(_gate: DatabaseGate, client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"N")


def drip(_gate: DatabaseGate, client: socket.socket) -> None:
    """Announce a long error message and send it a byte at a time."""
    _greet(client)
    client.sendall(b"E" + struct.pack("!I", 29_000))
    while True:
        client.sendall(b"x")
        time.sleep(0.1)


def fail_with(code: str, message: str) -> Behaviour:
    """Make a server that answers each connection with an error, as it does while starting."""

    def fail(_gate: DatabaseGate, client: socket.socket) -> None:
        _greet(client)
        body = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
        client.sendall(b"E" + struct.pack("!I", len(body) + 4) + body)

    return fail


def forward(gate: DatabaseGate, client: socket.socket) -> None:
    """Pass everything on to the server, whose Unix socket is the file `gate.server`."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(gate.server)
        gate.adopt(server)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _greet(client: socket.socket) -> None:
    if client.recv(4096)[4:8] == SSL_REQUEST:
        client.sendall(b"N")
        client.recv(4096)


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while received := one.recv(65536):
            other.sendall(received)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
