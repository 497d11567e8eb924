"""One request to a web address of the settings; knows no message. Nothing else here speaks HTTP.

The address comes from the settings alone, never from a record. It is in no error, as it may
hold a token. No redirect is followed, so that what answers cannot send a request elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from ctsync import __version__

TIMEOUT_SECONDS = (10.0, 20.0)
_MOST_READ = 4096
USER_AGENT = f"ctsync/{__version__}"


class NoAnswer(Exception):
    """No answer came; the words say why, without the address."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What was answered: its status."""

    status: int

    @property
    def is_ok(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: tuple[float, float] = TIMEOUT_SECONDS,
) -> WebAnswer:
    """Send `body`; raises NoAnswer where none came."""
    # its debug lines hold the whole path
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    try:
        with requests.post(
            url,
            data=body,
            headers={"User-Agent": USER_AGENT, **headers},
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as answer:
            answer.raw.read(_MOST_READ)
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
