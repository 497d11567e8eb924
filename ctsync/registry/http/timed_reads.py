"""Reads from a socket with one time limit for all reads together."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class TimedReads(io.RawIOBase):
    """Reads from a socket. Each read may take the seconds that `seconds_left` returns.

    A socket's own timeout restarts with each byte received, so a server that sends single bytes
    slowly would never exceed it. `seconds_left` returns None for no limit. Raises TimeoutError.
    """

    def __init__(self, raw: Any, sock: Any, seconds_left: Callable[[], float | None]) -> None:
        self._raw = raw
        self._sock = sock
        self._seconds_left = seconds_left

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read once; raise TimeoutError if no time is left."""
        left = self._seconds_left()
        if left is not None:
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def readall(self) -> bytes:
        """Raise OSError.

        http.client calls this for a chunk with a negative length: it would read without limit.
        """
        raise OSError("the answer has no end")

    def close(self) -> None:
        """Close the file that reads from the socket."""
        self._raw.close()
        super().close()
