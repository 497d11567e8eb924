"""Servers on localhost that answer endlessly, one byte at a time, or never answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

DRIP_SECONDS = 0.05
"""Time between two bytes."""

Talk = Callable[["Connection"], None]


@dataclass
class DripServer:
    """The state of a server: its port, and the number of accepted connections."""

    port: int = 0
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Connection:
    """One connection: reads lines, and writes at once or byte by byte."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self._sock, self._over = sock, over
        self._file = sock.makefile("rb")

    def line(self) -> bytes:
        found = self._file.readline()
        if not found:
            raise ConnectionResetError
        return found

    def lines_until(self, end: bytes) -> None:
        while self.line().rstrip(b"\r\n") != end:
            pass

    def say(self, text: str) -> None:
        self._sock.sendall(text.encode())

    def is_over(self, seconds: float = DRIP_SECONDS) -> bool:
        """Wait briefly. Return whether the server is stopping."""
        return self._over.wait(seconds)

    def drip(self, start: str = "") -> None:
        """Send `start` and then letters, one byte at a time, until the client hangs up."""
        for letter in start.encode():
            self._sock.sendall(bytes([letter]))
        while not self.is_over():
            self._sock.sendall(b"a")


def silent(connection: Connection) -> None:
    """Read a request, and never answer it."""
    connection.lines_until(b"")
    while not connection.is_over():
        pass


def http(connection: Connection) -> None:
    """Read a request, and drip the headers of a successful answer."""
    connection.lines_until(b"")
    connection.drip("HTTP/1.1 200 OK\r\nX-Padding: ")


def http_body(connection: Connection) -> None:
    """Read a request, and drip the body of a successful answer."""
    connection.lines_until(b"")
    connection.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    connection.drip()


def smtp_greeting(connection: Connection) -> None:
    """Drip the greeting of a mail server."""
    connection.drip("220 ")


def smtp_recipient(connection: Connection) -> None:
    """Accept a mail's sender, and drip the answer to its recipient."""
    _mail(connection, b"RCPT")
    connection.drip("250 ")


def smtp_verdict(connection: Connection) -> None:
    """Accept a mail's text, and drip the answer to it."""
    _mail(connection, b"DATA")
    connection.say("354 go ahead\r\n")
    connection.lines_until(b".")
    connection.drip("250 ")


def _mail(connection: Connection, last: bytes) -> None:
    """Accept every command before `last`. Read `last` without answering it."""
    connection.say("220 here\r\n")
    while not (line := connection.line()).upper().startswith(last):
        connection.say("221 bye\r\n" if line.upper().startswith(b"QUIT") else "250 fine\r\n")


@contextmanager
def dripping(talk: Talk) -> Iterator[DripServer]:
    """Run a server on a free port, with one thread per connection."""
    server = DripServer()
    listening = socket.create_server(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            talk(Connection(sock, server.over))

    def listen() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listening.accept()
                server.connections += 1
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=listen, daemon=True))
    threads[0].start()
    try:
        yield server
    finally:
        server.over.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in threads:
            thread.join(5)


def in_time(work: Callable[[], object], seconds: float = 5) -> None:
    """Run `work` and raise its exception. Fail if it has not ended after `seconds`."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"no end within {seconds} s"
    if raised:
        raise raised[0]
