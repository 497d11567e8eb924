"""What a request gave, and how many were sent; values without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Response:
    """An answer read to its end; `headers` may be asked for in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where none was sent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """What was sent so far: every request, and how many of those were repeats."""

    requests: int = 0
    retries: int = 0
