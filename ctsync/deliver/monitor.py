"""Tells a dead-man's switch elsewhere that a run began, went well or failed."""

from __future__ import annotations

import logging

from ctsync.deliver.channels.http_post import NoAnswer, post
from ctsync.text import for_log, shorten

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = (5.0, 10.0)


class Monitor:
    """Pings a URL as healthchecks.io has it: /start, nothing, /fail.

    A ping that fails is logged, without its URL, and stops nothing. Without a URL nothing is
    pinged.
    """

    def __init__(self, ping_url: str) -> None:
        self._url = ping_url.rstrip("/")

    def start(self) -> None:
        """Say that a run begins."""
        self._ping("/start", "")

    def success(self, words: str = "") -> None:
        """Say that a run went well."""
        self._ping("", words)

    def failure(self, words: str) -> None:
        """Say that a run failed, or was not whole, and why."""
        self._ping("/fail", words)

    def _ping(self, what: str, words: str) -> None:
        if not self._url:
            return
        body = shorten(for_log(words), 2000).encode()
        try:
            answer = post(
                self._url + what, body, {"Content-Type": "text/plain"}, timeout=TIMEOUT_SECONDS
            )
        except NoAnswer as error:
            log.warning("the monitor could not be told: %s", error)
        else:
            if not answer.is_ok:
                log.warning("the monitor could not be told: it answered %s", answer.status)
