"""Rate limit for requests: a token bucket that all threads share."""

from __future__ import annotations

import threading

from ctsync.dates import Clock


class RateLimit:
    """A token bucket: `burst` requests at once, then `per_second` per second, in calling order.

    In any period of t seconds at most burst + per_second * t requests are sent.
    """

    def __init__(self, per_second: float, burst: int, *, clock: Clock) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a rate limit needs per_second above 0 and a burst of at least 1")
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._counted_at = clock.monotonic()

    def wait(self) -> None:
        """Block until the next request may be sent."""
        with self._lock:
            now = self._clock.monotonic()
            earned = (now - self._counted_at) * self._per_second
            # A negative count is the number of waiting threads: each takes its token now and
            # sleeps outside the lock until that token is earned.
            self._tokens = min(self._burst, self._tokens + earned) - 1
            self._counted_at = now
            seconds = -self._tokens / self._per_second
        if seconds > 0:
            self._clock.sleep(seconds)
