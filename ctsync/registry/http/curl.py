"""The transport by way of the curl program, for an edge that takes curl and refuses requests.

The edge compares what a client says it is with how it connects, so this one says that it is curl.
On its command line stands only where to read its settings, which it is given through a pipe: no
shell, no secret among the processes of the machine, and of the environment only what names
proxies and certificates.
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

GRACE_SECONDS = 5.0  # for curl to notice by itself that its time is up
HEADER_BYTES = 2**18
LONGEST_SAID = 300

# what curl's exit status says went wrong (its manual)
_TOO_LATE, _NOT_DECODABLE, _TOO_LARGE = 28, 61, 63
_UNTRUSTED = {51, 58, 60, 77, 83, 90, 91}
_NOT_SENT = {1, 2, 3, 4}

_PASSED_ON = re.compile(
    r"(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|PATH|SYSTEMROOT|TMP(DIR)?",
    re.IGNORECASE,
)


def find_curl() -> str | None:
    """Where the curl program is; None where there is none."""
    return shutil.which("curl")


class CurlTransport(Transport):
    """A Transport that sends each request by a curl of its own; else it keeps the same promises."""

    def _exchange(
        self, path: str, params: Mapping[str, str] | None, accept: Sequence[str]
    ) -> Response:
        program = find_curl()
        if program is None:
            raise FailedAttempt(RegistryUnreachable("there is no curl program to ask with"), FINAL)
        url = self.base_url + path + (f"?{urlencode(params)}" if params else "")
        ended = self._run(program, self._settings(program, url, accept))
        if ended.code or not ended.is_whole:
            raise self._judge_end(ended)
        status, headers, body = _split(ended.output)
        self._judge_status(status, headers.get_all("Retry-After") or ())
        limit = self._max_bytes if status == 200 else ERROR_TEXT_BYTES
        if len(body) > limit:
            raise self._too_large(limit)
        return Response(status, _Headers(headers.items()), body, url)

    def _settings(self, program: str, url: str, accept: Sequence[str]) -> str:
        """What curl is told; it goes through a pipe, and so may hold the login."""
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

    def _run(self, program: str, settings: str) -> _Ended:
        """Let curl ask, and read what it writes within size cap and time."""
        cap = int(self._max_bytes) + HEADER_BYTES
        with subprocess.Popen(
            # --disable: whatever a .curlrc says is not for us
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
                said = (_read(curl.stderr, HEADER_BYTES) or b"").decode("utf-8", "replace")
                code = curl.wait()
            finally:
                curl.kill()
                over.cancel()
        return _Ended(code, output or b"", said, is_whole=output is not None)

    def _judge_end(self, ended: _Ended) -> FailedAttempt:
        """What it means that curl gave up, or was made to."""
        if not ended.is_whole or ended.code == _TOO_LARGE:
            return self._too_large(self._max_bytes)
        if ended.code == _TOO_LATE or ended.code < 0:
            return FailedAttempt(self._too_late(), LINK)
        why = shorten(for_log(ended.said.strip().removeprefix("curl: ")), LONGEST_SAID)
        if ended.code in _UNTRUSTED:
            text = f"the TLS certificate of {self.host} cannot be trusted: {why}"
            return FailedAttempt(RegistryUnreachable(text), UNTRUSTED)
        if ended.code == _NOT_DECODABLE:
            return FailedAttempt(BadAnswer(f"{self.host} sent what cannot be decoded"), CONTENT)
        text = f"no connection to {self.host} by curl, or none that lasted: {why}"
        return FailedAttempt(RegistryUnreachable(text), FINAL if ended.code in _NOT_SENT else LINK)


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a curl ended: its exit status, negative where it was killed, and what it wrote."""

    code: int
    output: bytes
    said: str
    is_whole: bool


class _Headers(dict[str, str]):
    """Headers by name in any case, as Reply promises."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__((name.lower(), value) for name, value in pairs)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


@cache
def _token(program: str) -> str:
    """What this curl calls itself: curl/7.88.1."""
    told = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=False)
    found = re.match(rb"curl ([\w.+-]{1,40})", told.stdout)
    return f"curl/{found[1].decode()}" if found else "curl"


def _environment() -> dict[str, str]:
    passed_on = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    return ({"CURL_CA_BUNDLE": bundle} if bundle else {}) | passed_on


def _quoted(value: str) -> str:
    """A value as curl's settings take it."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + plain.replace("\n", "\\n").replace("\r", "\\r") + '"'


def _write(pipe: IO[bytes] | None, settings: str) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):  # it ended at once, and its exit status says why
            pipe.write(settings.encode())
            pipe.close()


def _read(pipe: IO[bytes] | None, most: int) -> bytes | None:
    """All that comes, or None where that is more than `most` bytes."""
    read = bytearray()
    while pipe is not None and (chunk := pipe.read(CHUNK_BYTES)):
        read += chunk
        if len(read) > most:
            return None
    return bytes(read)


def _split(output: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of what `--include` wrote; interim answers (1xx) are passed over."""
    stream = io.BytesIO(output)
    while True:
        found = re.match(rb"HTTP/[\d.]+ (\d{3})\b", stream.readline(HEADER_BYTES))
        if found is None:
            raise FailedAttempt(BadAnswer("what answers does not speak HTTP"), NO_JSON)
        try:
            headers = http.client.parse_headers(stream)
        except http.client.HTTPException as error:
            raise FailedAttempt(
                BadAnswer(f"an answer with bad headers: {error}"), NO_JSON
            ) from error
        status = int(found[1])
        if status >= 200:
            return status, headers, stream.read()
