"""Pings to an external dead-man's switch when a run starts, succeeds or fails."""

from __future__ import annotations

import logging

from ctsync.deliver.channels.http_post import NoAnswer, post
from ctsync.text import for_log, shorten

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = (5.0, 10.0)


class Monitor:
    """Pings a URL with the suffixes of healthchecks.io: /start, none for success, /fail.

    A ping that fails is logged without its URL and never stops the run. An empty URL disables
    pings.
    """

    def __init__(self, ping_url: str) -> None:
        self._url = ping_url.rstrip("/")

    def start(self) -> None:
        """Report that a run starts."""
        self._ping("/start", "")

    def success(self, words: str = "") -> None:
        """Report that a run succeeded."""
        self._ping("", words)

    def failure(self, words: str) -> None:
        """Report that a run failed or was incomplete, and why."""
        self._ping("/fail", words)

    def _ping(self, suffix: str, words: str) -> None:
        if not self._url:
            return
        body = shorten(for_log(words), 2000).encode()
        try:
            answer = post(
                self._url + suffix, body, {"Content-Type": "text/plain"}, timeout=TIMEOUT_SECONDS
            )
        except NoAnswer as error:
            log.warning("monitor ping failed: %s", error)
        else:
            if not answer.is_ok:
                log.warning("monitor ping failed: status %s", answer.status)
