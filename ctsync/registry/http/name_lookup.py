"""Name lookup with a time limit, which the system's own lookup has not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TypeVar

_T = TypeVar("_T")


def addresses_of(host: str, port: int, *, seconds: float | None) -> Sequence[str]:
    """Return the IP addresses of a host, in the system's order. An address is returned as it is.

    Raises TimeoutError after `seconds`, and socket.gaierror or UnicodeError as the system does. A
    lookup that takes longer ends in a thread of its own, which does not keep the process alive.
    """
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    else:
        return (host,)

    def look_up() -> tuple[str, ...]:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))

    return _within(seconds, look_up)


def own_name(*, seconds: float) -> str:
    """Return this computer's name for a mail server: in full, or its address in brackets."""

    def look_up() -> str:
        name = socket.getfqdn()
        return name if "." in name else f"[{socket.gethostbyname(socket.gethostname())}]"

    try:
        return _within(seconds, look_up)
    except (OSError, UnicodeError):
        return "[127.0.0.1]"


def _within(seconds: float | None, look_up: Callable[[], _T]) -> _T:
    found: list[_T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(look_up())
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError("the name lookup took too long")
    return found[0]
