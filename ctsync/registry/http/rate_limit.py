"""How fast we ask: a token bucket that all threads share."""

from __future__ import annotations

import threading

from ctsync.dates import Clock


class RateLimit:
    """Lets `burst` requests go at once and `per_second` a second after that, in the order asked.

    In any stretch of t seconds no more than burst + per_second * t go.
    """

    def __init__(self, per_second: float, burst: int, *, clock: Clock) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a pace needs more than 0 requests a second and a burst of 1 or more")
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._counted_at = clock.monotonic()

    def wait(self) -> None:
        """Return when the next request may go."""
        with self._lock:
            now = self._clock.monotonic()
            earned = (now - self._counted_at) * self._per_second
            # below zero it counts those who wait: each has taken the token it waits for
            self._tokens = min(self._burst, self._tokens + earned) - 1
            self._counted_at = now
            seconds = -self._tokens / self._per_second
        if seconds > 0:
            self._clock.sleep(seconds)
