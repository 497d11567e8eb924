"""Transport that streams answers into a file, for answers too large for memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ctsync.registry.http.response import Response
from ctsync.registry.http.resumable_file import ResumableFile
from ctsync.registry.http.retry import LINK, FailedAttempt
from ctsync.registry.http.transport import CHUNK_BYTES, Transport


class Download(Transport):
    """Fetches into one file at a time. Not safe for several threads.

    Create it with `transport.beside(Download)`, so that it shares the rate limit.
    """

    _to: ResumableFile | None = None

    def save(
        self,
        path: str,
        params: Mapping[str, str],
        to: ResumableFile,
        *,
        accept: Sequence[str],
        max_bytes: float,
        deadline_seconds: float,
    ) -> Response:
        """Fetch one path into a file. Return the response as `get` does, without a body.

        A broken transfer resumes where it stopped, if the registry supports that and the data is
        still the same. Otherwise it restarts. The deadline limits each attempt, and also the time
        from the first attempt to the start of the last one.
        """
        self._max_bytes = max_bytes
        self._deadline_seconds = self._retry_seconds = deadline_seconds
        self._to = to
        try:
            return self.get(path, params, accept=accept)
        finally:
            self._to = None

    def _headers(self, accept: Sequence[str]) -> dict[str, str]:
        headers = super()._headers(accept)
        return headers if self._to is None else {**headers, **self._to.headers()}

    def _judge_status(self, status: int, retry_after: Sequence[str]) -> None:
        if self._to is None or status != 206:
            super()._judge_status(status, retry_after)

    def _read(self, response: Any, deadline: float) -> Response:
        """Write the body to the file, within the size limit and the deadline."""
        status, to = response.status_code, self._to
        if to is None or status not in {200, 206}:
            return super()._read(response, deadline)
        size = to.begin(status, response.headers)
        for chunk in response.iter_content(CHUNK_BYTES):
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large(self._max_bytes)
            to.write(chunk)
            if self._clock.monotonic() > deadline:
                raise FailedAttempt(self._too_late(), LINK)
        return Response(200, response.headers, b"", str(response.url))
