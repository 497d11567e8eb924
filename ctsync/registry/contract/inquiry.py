"""Single requests to the registry that accept any answer, and a record of each.

No request is repeated, and at most LARGEST_INQUIRY are sent, at the transport's request rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctsync.errors import RegistryError, RegistryUnreachable
from ctsync.registry.http.curl import CurlTransport
from ctsync.registry.http.response import Response
from ctsync.registry.http.transport import CHUNK_BYTES, JSON, Transport

LARGEST_INQUIRY = 25
MOST_SILENT = 3
"""A client stops after this many requests in a row without an answer or with a 403."""

_RANGE = "bytes=0-99"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and its answer or error.

    `by_curl` is whether curl sent it. `path` begins below the base URL.
    """

    path: str
    params: Mapping[str, str]
    by_curl: bool
    answer: Response | None
    error: str = ""


class _AnyStatus(Transport):
    """Accepts every status and media type."""

    def _judge_status(self, status: int, retry_after: Sequence[str]) -> None:
        """Accept it."""

    def _fetch(
        self, path: str, params: Mapping[str, str] | None, accept: Sequence[str]
    ) -> Response:
        self._before_request()
        return self._exchange(path, params, accept)


class _CurlAnyStatus(_AnyStatus, CurlTransport):
    """The same with curl."""


class _FirstBytes(_AnyStatus):
    """Requests the first hundred bytes, and reads one chunk if the server sends everything."""

    def _headers(self, accept: Sequence[str]) -> dict[str, str]:
        return {**super()._headers(accept), "Range": _RANGE}

    def _read(self, response: Any, deadline: float) -> Response:
        if response.status_code not in {200, 206}:
            return super()._read(response, deadline)
        first = next(response.iter_content(CHUNK_BYTES), b"")
        return Response(response.status_code, response.headers, first, str(response.url))


class Inquiry:
    """Sends requests at the request rate of `transport`, and records every exchange."""

    def __init__(self, transport: Transport) -> None:
        self.base_url = transport.base_url
        self.exchanges: list[Exchange] = []
        self._requests = transport.beside(_AnyStatus)
        self._curl = transport.beside(_CurlAnyStatus)
        self._first = transport.beside(_FirstBytes)

    def close(self) -> None:
        """Close the connections."""
        for transport in (self._requests, self._curl, self._first):
            transport.close()

    def ask(
        self, path: str, params: Mapping[str, str] | None = None, *, by_curl: bool = False
    ) -> Response:
        """Send one request and return the answer, of any status. Raises RegistryError without one.

        Raises it without sending the request if the last MOST_SILENT requests of this client had no
        answer or a 403, or if LARGEST_INQUIRY requests were sent.
        """
        return self._send(self._curl if by_curl else self._requests, path, params, by_curl=by_curl)

    def ask_start(self, path: str, params: Mapping[str, str]) -> Response:
        """Send one request for the first hundred bytes. Does not read the complete body."""
        return self._send(self._first, path, params, by_curl=False)

    def _send(
        self,
        transport: Transport,
        path: str,
        params: Mapping[str, str] | None,
        *,
        by_curl: bool,
    ) -> Response:
        if len(self.exchanges) >= LARGEST_INQUIRY:
            raise RegistryUnreachable(f"not requested: {LARGEST_INQUIRY} requests were sent")
        last = [one for one in self.exchanges if one.by_curl is by_curl][-MOST_SILENT:]
        if len(last) == MOST_SILENT and all(_is_silent(one) for one in last):
            raise RegistryUnreachable(
                f"not requested: the last {MOST_SILENT} requests had no answer, or 403"
            )
        try:
            answer = transport.get(path, params, accept=JSON, retry=False)
        except RegistryError as error:
            self.exchanges.append(Exchange(path, params or {}, by_curl, None, str(error)))
            raise
        self.exchanges.append(Exchange(path, params or {}, by_curl, answer))
        return answer


def _is_silent(exchange: Exchange) -> bool:
    return exchange.answer is None or exchange.answer.status == 403
