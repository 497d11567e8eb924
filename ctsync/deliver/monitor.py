"""Pings to an external dead-man's switch when a run starts, succeeds or fails."""

from __future__ import annotations

import logging
import threading
from urllib.parse import urlsplit

from ctsync.deliver.channels.http_post import NoAnswer, post
from ctsync.text import for_log, shorten

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 15.0
"""Time limit of one ping."""


class Monitor:
    """Pings a URL with the suffixes of healthchecks.io: /start, none for success, /fail.

    The suffix is added to the path of the URL; a query stays behind it. A ping that fails is
    logged without its URL and never stops the run. An empty URL disables pings.
    """

    def __init__(self, ping_url: str, *, seconds: float = DEADLINE_SECONDS) -> None:
        self._url = ping_url
        self._seconds = seconds
        self._starting: threading.Thread | None = None

    def start(self) -> None:
        """Report that a run starts, in a thread of its own: the run does not wait for it."""
        self._starting = threading.Thread(target=self._ping, args=("/start", ""), daemon=True)
        self._starting.start()

    def success(self, words: str = "") -> None:
        """Report that a run succeeded."""
        self._end("", words)

    def failure(self, words: str) -> None:
        """Report that a run failed or was incomplete, and why."""
        self._end("/fail", words)

    def _end(self, suffix: str, words: str) -> None:
        if self._starting is not None:
            self._starting.join()  # the monitor must not see the start after the end
        self._ping(suffix, words)

    def _ping(self, suffix: str, words: str) -> None:
        if not self._url:
            return
        body = shorten(for_log(words), 2000).encode()
        try:
            answer = post(
                ping_address(self._url, suffix),
                body,
                {"Content-Type": "text/plain"},
                seconds=self._seconds,
            )
        except NoAnswer as error:
            log.warning("monitor ping failed: %s", error)
        else:
            if not answer.is_ok:
                log.warning("monitor ping failed: status %s", answer.status)


def ping_address(ping_url: str, suffix: str) -> str:
    """Return a ping URL with a suffix added to its path, before the query; drops the fragment."""
    parts = urlsplit(ping_url)
    return parts._replace(path=parts.path.rstrip("/") + suffix, fragment="").geturl()
