"""HTTP POST to a URL in the settings. No other module of this folder sends HTTP itself.

The URL comes only from the settings, never from a record. Errors omit it, because it may contain a
token. Redirects are not followed, so a server cannot redirect the request. Proxies come from the
environment; credentials come from the URL and never from ~/.netrc.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
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
    """The answer of the server."""

    status: int

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
) -> WebAnswer:
    """Send `body` and return the answer. Does not read the answer's body. Raises NoAnswer."""
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
            return WebAnswer(answer.status_code)
    except (requests.RequestException, OSError, ValueError) as error:
        raise NoAnswer(_reason(error)) from None


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
