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

    The suffix is added to the path of the URL, before a query. Pings are sent one after the other
    in the background, so that a slow monitor does not delay the run. A failed ping is logged
    without its URL and never stops the run. An empty URL disables pings.
    """

    def __init__(self, ping_url: str, *, seconds: float = DEADLINE_SECONDS) -> None:
        self._url = ping_url
        self._seconds = seconds
        self._newest: threading.Thread | None = None

    @property
    def is_started(self) -> bool:
        """Whether the start of a run was reported."""
        return self._newest is not None

    def start(self) -> None:
        """Report that a run starts."""
        self._ping("/start", "")

    def success(self, words: str = "") -> None:
        """Report that a run succeeded."""
        self._ping("", words)

    def failure(self, words: str) -> None:
        """Report that a run failed or was incomplete, and why."""
        self._ping("/fail", words)

    def wait(self) -> None:
        """Wait until every ping has succeeded or failed."""
        if self._newest is not None:
            self._newest.join()

    def _ping(self, suffix: str, words: str) -> None:
        earlier = self._newest

        def send() -> None:
            if earlier is not None:
                earlier.join()  # the monitor must not receive the start after the end
            self._send(suffix, words)

        self._newest = threading.Thread(target=send, daemon=True)
        self._newest.start()

    def _send(self, suffix: str, words: str) -> None:
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
    """Return a ping URL with a suffix added to its path, before the query. Drops the fragment."""
    parts = urlsplit(ping_url)
    return parts._replace(path=parts.path.rstrip("/") + suffix, fragment="").geturl()
