"""When to stop asking: a registry that keeps failing is left alone."""

from __future__ import annotations

import threading

from ctsync.dates import Clock
from ctsync.errors import RegistryBusy, RegistryError, RegistryUnreachable

OPENS_AT = 30
CLOSES_AFTER_SECONDS = 15 * 60.0


class CircuitBreaker:
    """Counts failures in a row, and refuses further requests once they weigh OPENS_AT.

    A failure of the registry itself (no connection, 5xx, 403, a web page for JSON) weighs 10, so
    that three of them open it, each after all its retries. One of a single request (400, JSON
    that cannot be used) weighs 1: finding one bad id among 500 fails ten times in a row. Any
    usable answer closes it, so does `reset`, and so do CLOSES_AFTER_SECONDS, lest a daemon that
    forgot to reset stay silent for ever.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._weight = 0
        self._last: RegistryError | None = None
        self._opened_at: float | None = None

    def check(self) -> None:
        """Raise RegistryBusy or RegistryUnreachable, by what failed last, if it is open."""
        with self._lock:
            if self._opened_at is None:
                return
            if self._clock.monotonic() - self._opened_at >= CLOSES_AFTER_SECONDS:
                self._close()
                return
            last = self._last
        kind = RegistryBusy if isinstance(last, RegistryBusy) else RegistryUnreachable
        raise kind(f"not asked, as request after request failed; the last one: {last}")

    def strike(self, error: RegistryError, weight: int) -> None:
        """Count a request that failed for good."""
        with self._lock:
            self._weight += weight
            self._last = error
            if self._weight >= OPENS_AT and self._opened_at is None:
                self._opened_at = self._clock.monotonic()

    def reset(self) -> None:
        """Forget every failure."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._weight, self._last, self._opened_at = 0, None, None
