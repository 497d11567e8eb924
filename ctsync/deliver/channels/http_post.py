"""HTTP POST to a URL in the settings. No other module of this folder sends HTTP itself.

The URL comes only from the settings, never from a record. Errors omit it, because it may contain a
token. Redirects are not followed, so a server cannot redirect the request. Proxies come from the
environment; credentials come from the URL and never from ~/.netrc.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from ctsync import __version__
from ctsync.registry.http.session import new_session, time_limit

DEADLINE_SECONDS = 30.0
"""Time limit of one request: name lookup, connecting, sending, and the head of the answer."""
CONNECT_SECONDS = 10.0
USER_AGENT = f"ctsync/{__version__}"


class NoAnswer(Exception):
    """The server did not answer. The text states why, without the URL."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """The answer of the server; `start` is the start of its body, if it was asked for."""

    status: int
    start: bytes = b""

    @property
    def is_ok(self) -> bool:
        """Whether the server accepted the request (status 2xx)."""
        return 200 <= self.status < 300


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = DEADLINE_SECONDS,
    most_read: int = 0,
) -> WebAnswer:
    """Send `body` and return the answer, with at most `most_read` bytes of its body.

    Raises NoAnswer.
    """
    # urllib3's debug lines contain the full path, which may contain a token
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    try:
        target = urlsplit(url)
        with (
            new_session(target.username, target.password, "") as session,
            session.post(
                url,
                data=body,
                headers={"User-Agent": USER_AGENT, **headers},
                timeout=time_limit(seconds, connect=CONNECT_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            return WebAnswer(answer.status_code, _start(answer, most_read))
    except (requests.RequestException, OSError, ValueError) as error:
        raise NoAnswer(_reason(error)) from None


def _start(answer: requests.Response, most: int) -> bytes:
    # the message has arrived: a failure to read the rest of the answer must not send it again
    with suppress(requests.RequestException, OSError):
        return next(answer.iter_content(most), b"") if most else b""
    return b""


def _reason(error: Exception) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.Timeout():
            return "no answer in time"
        case requests.ConnectionError():
            return "no connection"
        case _:
            return type(error).__name__
