"""HTTP session with a rate limit, a deadline, a size limit and retries.

A request goes through these steps:

1. Fail at once if the circuit is open.
2. Wait for the rate limit.
3. Send, and read the body within the deadline and the size limit.
4. Check the status: 200, 3xx and 404 are answers, the others are errors.
5. Check the content: media type, complete JSON, the shape that the caller expects.

Steps 2 to 5 are one attempt and are repeated together. urllib3's own retries end once the headers
have arrived, so they never repeat a truncated body.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from ctsync.dates import Clock, format_timestamp
from ctsync.errors import (
    AnswerTooLarge,
    BadAnswer,
    DeadlineExceeded,
    EdgeRefused,
    RegistryBusy,
    RegistryUnreachable,
    RequestRefused,
    StalePage,
)
from ctsync.registry.http.circuit_breaker import CircuitBreaker
from ctsync.registry.http.error_causes import causes_of, reason_in
from ctsync.registry.http.rate_limit import RateLimit
from ctsync.registry.http.response import RequestCounts, Response, as_object, parse_json
from ctsync.registry.http.retry import (
    CONTENT,
    EDGE,
    FINAL,
    LINK,
    NO_JSON,
    OVERSIZE,
    RELOADED,
    UNTRUSTED,
    FailedAttempt,
    with_retries,
)
from ctsync.registry.http.retry_after import read_retry_after
from ctsync.registry.http.session import new_session
from ctsync.text import for_log, shorten

JSON = ("application/json",)
CONNECT_SECONDS = 10.0
CHUNK_BYTES = 2**16
ERROR_TEXT_BYTES = 2**16

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

# part of the registry's 400 answer to a page request after it reloaded its data
_DATA_CHANGED = "the data have probably changed"


class Transport:
    """Fetches paths below one base URL, at one request rate for all threads that share it.

    `deadline_seconds` limits one attempt, from the name lookup to the last byte. `max_bytes` limits
    the decoded body. `retry_seconds` limits all attempts of a request: no attempt starts after
    that. Credentials in the base URL are sent but never shown. Proxies and CA bundles come from the
    environment, as usual for requests; a .netrc file is ignored.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        requests_per_second: float = 1.0,
        burst: int = 3,
        deadline_seconds: float = 60.0,
        max_bytes: float = 64 * 2**20,
        retry_seconds: float = 120.0,
        contact: str = "",
        pace: RateLimit | None = None,
    ) -> None:
        base = urlsplit(base_url)
        if base.scheme not in {"http", "https"} or not base.hostname:
            raise ValueError("a registry URL begins with https:// (or http://) and a host")
        self.host = base.netloc.rpartition("@")[2]
        self.base_url = base._replace(netloc=self.host, query="", fragment="").geturl().rstrip("/")
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._max_bytes = max_bytes
        self._retry_seconds = retry_seconds
        self._pace = pace or RateLimit(requests_per_second, burst, clock=clock)
        self._circuit = CircuitBreaker(clock=clock)
        self._url, self._contact = base_url, contact
        self._session = new_session(base.username, base.password, contact)
        self._counting = threading.Lock()
        self._counts = RequestCounts()

    @property
    def counts(self) -> RequestCounts:
        """The requests sent so far."""
        return self._counts

    def reset(self) -> None:
        """Start a run: close the circuit that an earlier run may have opened."""
        self._circuit.reset()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def beside(self, kind: type[Transport] | None = None) -> Transport:
        """Return another transport to the same URL that shares the rate limit.

        It has its own circuit breaker and counts: refusals of one transport's requests do not
        mean that the other's are refused.
        """
        return (kind or Transport)(
            self._url,
            clock=self._clock,
            deadline_seconds=self._deadline_seconds,
            max_bytes=self._max_bytes,
            retry_seconds=self._retry_seconds,
            contact=self._contact,
            pace=self._pace,
        )

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: Sequence[str] = JSON,
        retry: bool = True,
    ) -> Response:
        """Fetch one path below the base URL.

        Returns a 200 with an accepted media type, a redirect (never followed), a 304 or a 404.
        Raises the RegistryError of the last attempt.
        """
        return self._repeat(
            lambda: self._fetch(path, params, accept), retry=retry, is_divisible=False
        )

    def get_json(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        read: Callable[[Any], Any] = as_object,
        retry: bool = True,
        is_divisible: bool = False,
    ) -> tuple[Response, Any]:
        """Fetch JSON. Return the response and `read(value)`, or None for any status but 200.

        `read` raises BadAnswer for a value of the wrong shape. The request is then retried like
        any broken answer; the last BadAnswer carries the body as `raw`. `is_divisible` means that
        the caller requests less if this fails. A missed deadline is then not retried, and a failure
        that the size may have caused weighs little for the circuit breaker.
        """

        def fetch_and_read() -> tuple[Response, Any]:
            reply = self._fetch(path, params, JSON)
            if reply.status != 200:
                return reply, None
            try:
                return reply, read(parse_json(reply.body))
            except BadAnswer as error:
                bad = BadAnswer(f"{self.host}: {error}", raw=reply.body)
                raise FailedAttempt(bad, CONTENT) from error

        return self._repeat(fetch_and_read, retry=retry, is_divisible=is_divisible)

    def _repeat(self, attempt: Callable[[], _T], *, retry: bool, is_divisible: bool) -> _T:
        self._circuit.check()
        if is_divisible:
            attempt = partial(_attempt_part, attempt)
        try:
            result = (
                with_retries(
                    attempt,
                    clock=self._clock,
                    within=self._retry_seconds,
                    before_retry=self._note_retry,
                )
                if retry
                else attempt()
            )
        except FailedAttempt as failed:
            self._circuit.strike(failed.error, failed.policy.weight)
            raise failed.error from failed.__cause__
        self._circuit.reset()
        return result

    def _note_retry(self, failed: FailedAttempt, wait: float) -> None:
        with self._counting:
            self._counts = RequestCounts(self._counts.requests, self._counts.retries + 1)
        _logger.info("retry wait=%.1fs reason=%s", wait, for_log(str(failed)))

    # --- one attempt -------------------------------------------------------------------------

    def _fetch(
        self, path: str, params: Mapping[str, str] | None, accept: Sequence[str]
    ) -> Response:
        self._before_request()
        reply = self._exchange(path, params, accept)
        if reply.status == 400:
            raise self._refusal(reply)
        if reply.status == 200 and reply.media_type not in accept:
            what = shorten(for_log(reply.media_type), 60) or "no content type"
            bad = BadAnswer(f"{self.host} answered with {what} for {accept[0]}", raw=reply.body)
            raise FailedAttempt(bad, NO_JSON)
        return reply

    def _before_request(self) -> None:
        """Wait for the rate limit, and count the request."""
        self._pace.wait()
        with self._counting:
            self._counts = RequestCounts(self._counts.requests + 1, self._counts.retries)

    def _exchange(
        self, path: str, params: Mapping[str, str] | None, accept: Sequence[str]
    ) -> Response:
        """Send one request and read the answer within the limits. Raises FailedAttempt."""
        deadline = self._clock.monotonic() + self._deadline_seconds
        try:
            with self._session.get(
                self.base_url + path,
                params=params,
                headers=self._headers(accept),
                timeout=self._timeout(),
                stream=True,
                allow_redirects=False,
            ) as response:
                self._judge_status(
                    response.status_code, response.raw.headers.getlist("Retry-After")
                )
                return self._read(response, deadline)
        # http.client raises a plain ValueError for some answers that are not HTTP
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise self._failure(error) from error

    def _headers(self, accept: Sequence[str]) -> dict[str, str]:
        return {"Accept": ", ".join(accept)}

    def _timeout(self) -> Any:
        """Return the timeout of one attempt. _TimedResponse may use `total` minus connecting."""
        connect = min(CONNECT_SECONDS, self._deadline_seconds)
        return urllib3.Timeout(total=self._deadline_seconds, connect=connect)

    def _judge_status(self, status: int, retry_after: Sequence[str]) -> None:
        if status in {200, 400, 404} or 300 <= status < 400:
            return
        if status == 403:
            text = (
                f"the edge server of {self.host} refuses this client (403), which says nothing "
                "about any trial; try again later or from another network"
            )
            raise FailedAttempt(EdgeRefused(text), EDGE)
        if status in {408, 429} or status >= 500:
            wait = read_retry_after(retry_after, self._clock.now())
            raise FailedAttempt(self._busy(status, wait), LINK, wait=wait)
        raise FailedAttempt(BadAnswer(f"{self.host} answered with status {status}"), FINAL)

    def _busy(self, status: int, wait: float | None) -> RegistryBusy:
        text = f"{self.host} is busy or unavailable (status {status})"
        if not wait:
            return RegistryBusy(f"{text}; try again later")
        until = format_timestamp(self._clock.now() + timedelta(seconds=wait))
        return RegistryBusy(f"{text} and requests a pause; try again after {until}")

    def _read(self, response: requests.Response, deadline: float) -> Response:
        """Read the body within the limits. Only a 200 may be larger than an error text."""
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            # not requested; nested encodings let a small answer expand without limit
            text = f"{self.host} answered with the unknown encoding {shorten(for_log(coding), 60)}"
            raise FailedAttempt(BadAnswer(text), NO_JSON)
        limit = self._max_bytes if response.status_code == 200 else ERROR_TEXT_BYTES
        body = bytearray()
        try:
            for chunk in response.iter_content(CHUNK_BYTES):
                body += chunk
                if len(body) > limit:
                    raise self._too_large(limit)
                if self._clock.monotonic() > deadline:
                    raise FailedAttempt(self._too_late(), LINK)
        except BaseException:
            body.clear()  # the traceback keeps this frame alive, and with it the body
            raise
        headers = CaseInsensitiveDict(response.headers)
        return Response(response.status_code, headers, bytes(body), str(response.url))

    def _refusal(self, reply: Response) -> FailedAttempt:
        message = shorten(for_log(reply.text.strip()), 300)
        if _DATA_CHANGED in reply.text.lower():
            return FailedAttempt(StalePage(f"{self.host} says: {message}"), RELOADED)
        refused = RequestRefused(f"{self.host} refused the request: {message}", body=reply.text)
        return FailedAttempt(refused, FINAL)

    def _too_large(self, limit: float) -> FailedAttempt:
        text = f"an answer of {self.host} is larger than {limit / 2**20:.3g} MB"
        return FailedAttempt(AnswerTooLarge(text), FINAL)

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self.host} did not answer in full within {self._deadline_seconds:g} s"
        )

    def _failure(self, error: Exception) -> FailedAttempt:
        """Turn an exception of requests or urllib3 into a FailedAttempt."""
        causes = list(causes_of(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                why = cause.verify_message or "it does not verify"
                text = f"the TLS certificate of {self.host} cannot be trusted: {for_log(why)}"
                return FailedAttempt(RegistryUnreachable(text), UNTRUSTED)
        late = any(isinstance(cause, requests.ReadTimeout | TimeoutError) for cause in causes)
        if late and not isinstance(error, requests.ConnectTimeout):
            return FailedAttempt(self._too_late(), LINK)
        if isinstance(error, requests.exceptions.ContentDecodingError):
            text = f"{self.host} sent a body that cannot be decoded"
            return FailedAttempt(BadAnswer(text), CONTENT)
        why = shorten(for_log(reason_in(causes)), 200)
        text = f"the connection to {self.host} failed or was lost: {why}"
        return FailedAttempt(RegistryUnreachable(text), LINK)


def _attempt_part(attempt: Callable[[], _T]) -> _T:
    """Make one attempt at a divisible request. A smaller one may be in time, or return JSON."""
    try:
        return attempt()
    except FailedAttempt as failed:
        is_late = isinstance(failed.error, DeadlineExceeded)
        if not is_late and failed.policy is not NO_JSON:
            raise
        policy = OVERSIZE._replace(attempts=1) if is_late else OVERSIZE
        raise FailedAttempt(failed.error, policy) from failed.__cause__
