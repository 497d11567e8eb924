"""Transport that sends requests with the curl program, if the edge server refuses requests.

The edge server compares a client's User-Agent with the way it connects, so this client identifies
itself as curl. curl reads its settings from a pipe, and there is no shell, so the process list
shows no secret. curl gets only environment variables such as proxies and certificates.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import IO, Any
from urllib.parse import unquote, urlencode, urlsplit

from ctsync import __version__
from ctsync.errors import BadAnswer, RegistryUnreachable
from ctsync.registry.http.response import Response
from ctsync.registry.http.retry import CONTENT, FINAL, LINK, NO_JSON, UNTRUSTED, FailedAttempt
from ctsync.registry.http.transport import CHUNK_BYTES, CONNECT_SECONDS, ERROR_TEXT_BYTES, Transport
from ctsync.text import for_header, for_log, shorten

GRACE_SECONDS = 5.0  # after the deadline, before curl is killed
HEADER_BYTES = 2**18
LONGEST_ERROR_TEXT = 300

# curl's exit codes (from its manual)
_TOO_LATE, _NOT_DECODABLE, _TOO_LARGE = 28, 61, 63
_UNTRUSTED = {51, 58, 60, 77, 83, 90, 91}
_NOT_SENT = {1, 2, 3, 4}

_PASSED_ON = re.compile(
    r"(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|PATH|SYSTEMROOT|TMP(DIR)?",
    re.IGNORECASE,
)


def find_curl() -> str | None:
    """Return the path of the curl program, or None."""
    return shutil.which("curl")


class CurlTransport(Transport):
    """A Transport that runs one curl process per request. All limits are the same."""

    def _exchange(
        self, path: str, params: Mapping[str, str] | None, accept: Sequence[str]
    ) -> Response:
        program = find_curl()
        if program is None:
            raise FailedAttempt(RegistryUnreachable("curl is not installed"), FINAL)
        url = self.base_url + path + (f"?{urlencode(params)}" if params else "")
        result = self._run(program, self._settings(program, url, accept))
        if result.code or not result.is_complete:
            raise self._judge_end(result)
        status, headers, body = _split(result.output)
        self._judge_status(status, headers.get_all("Retry-After") or ())
        limit = self._max_bytes if status == 200 else ERROR_TEXT_BYTES
        if len(body) > limit:
            raise self._too_large(limit)
        return Response(status, _Headers(headers.items()), body, url)

    def _settings(self, program: str, url: str, accept: Sequence[str]) -> str:
        """Return curl's settings. They go through a pipe, so they may contain the password."""
        contact = for_header(self._contact).encode("ascii", "ignore").decode().strip("() ")
        who = f"{_token(program)} ctsync/{__version__}" + (f" (+{contact})" if contact else "")
        lines = {
            "url": url,
            "user-agent": who,
            "header": f"Accept: {', '.join(accept)}",
            "proto": "=http,https",
            "connect-timeout": f"{min(CONNECT_SECONDS, self._deadline_seconds):g}",
            "max-time": f"{self._deadline_seconds:g}",
            "max-filesize": f"{int(self._max_bytes)}",
        }
        login = urlsplit(self._url)
        if login.username:
            lines["user"] = f"{unquote(login.username)}:{unquote(login.password or '')}"
        flags = ["silent", "show-error", "include", "globoff", "compressed"]
        flags.append("suppress-connect-headers")
        return "\n".join([*flags, *(f"{name} = {_quoted(v)}" for name, v in lines.items()), ""])

    def _run(self, program: str, settings: str) -> _CurlResult:
        """Run curl, and read its output within the size limit and the deadline."""
        cap = int(self._max_bytes) + HEADER_BYTES
        with subprocess.Popen(
            # --disable: ignore the user's .curlrc
            [program, "--disable", "--config", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        ) as curl:
            over = threading.Timer(self._deadline_seconds + GRACE_SECONDS, curl.kill)
            over.start()
            try:
                _write(curl.stdin, settings)
                output = _read(curl.stdout, cap)
                if output is None:
                    curl.kill()
                error_text = (_read(curl.stderr, HEADER_BYTES) or b"").decode("utf-8", "replace")
                code = curl.wait()
            finally:
                curl.kill()
                over.cancel()
        return _CurlResult(code, output or b"", error_text, is_complete=output is not None)

    def _judge_end(self, result: _CurlResult) -> FailedAttempt:
        """Turn the end of a failed or killed curl into a FailedAttempt."""
        if not result.is_complete or result.code == _TOO_LARGE:
            return self._too_large(self._max_bytes)
        if result.code == _TOO_LATE or result.code < 0:
            return FailedAttempt(self._too_late(), LINK)
        why = shorten(for_log(result.error_text.strip().removeprefix("curl: ")), LONGEST_ERROR_TEXT)
        if result.code in _UNTRUSTED:
            text = f"the TLS certificate of {self.host} cannot be trusted: {why}"
            return FailedAttempt(RegistryUnreachable(text), UNTRUSTED)
        if result.code == _NOT_DECODABLE:
            text = f"{self.host} sent a body that cannot be decoded"
            return FailedAttempt(BadAnswer(text), CONTENT)
        text = f"the connection to {self.host} by curl failed or was lost: {why}"
        return FailedAttempt(RegistryUnreachable(text), FINAL if result.code in _NOT_SENT else LINK)


@dataclass(frozen=True, slots=True)
class _CurlResult:
    """The result of a curl process. `code` is its exit code, negative if it was killed."""

    code: int
    output: bytes
    error_text: str
    is_complete: bool


class _Headers(dict[str, str]):
    """Headers with case-insensitive names, as Response promises."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__((name.lower(), value) for name, value in pairs)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@cache
def _token(program: str) -> str:
    """Return the curl program's own User-Agent token, such as curl/7.88.1."""
    version = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=False)
    found = re.match(rb"curl ([\w.+-]{1,40})", version.stdout)
    return f"curl/{found[1].decode()}" if found else "curl"


def _environment() -> dict[str, str]:
    passed_on = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    return ({"CURL_CA_BUNDLE": bundle} if bundle else {}) | passed_on


def _quoted(value: str) -> str:
    """Quote a value for curl's settings."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + plain.replace("\n", "\\n").replace("\r", "\\r") + '"'


def _write(pipe: IO[bytes] | None, settings: str) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):  # curl ended at once; its exit code says why
            pipe.write(settings.encode())
            pipe.close()


def _read(pipe: IO[bytes] | None, most: int) -> bytes | None:
    """Read to the end. Return None if there are more than `most` bytes."""
    read = bytearray()
    while pipe is not None and (chunk := pipe.read(CHUNK_BYTES)):
        read += chunk
        if len(read) > most:
            return None
    return bytes(read)


def _split(output: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Split the output of `--include` into status, headers and body. Skips 1xx answers."""
    stream = io.BytesIO(output)
    while True:
        found = re.match(rb"HTTP/[\d.]+ (\d{3})\b", stream.readline(HEADER_BYTES))
        if found is None:
            raise FailedAttempt(BadAnswer("the answer is not HTTP"), NO_JSON)
        try:
            headers = http.client.parse_headers(stream)
        except http.client.HTTPException as error:
            raise FailedAttempt(
                BadAnswer(f"an answer with bad headers: {error}"), NO_JSON
            ) from error
        status = int(found[1])
        if status >= 200:
            return status, headers, stream.read()
