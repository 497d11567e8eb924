"""Circuit breaker: stops sending requests to a registry that keeps failing."""

from __future__ import annotations

import threading

from ctsync.dates import Clock
from ctsync.errors import RegistryBusy, RegistryError, RegistryUnreachable

OPENS_AT = 30
CLOSES_AFTER_SECONDS = 15 * 60.0


class CircuitBreaker:
    """Sums the weights of consecutive failures, and refuses requests once the sum is OPENS_AT.

    - A failure of the registry itself (no connection, 5xx, 403, a web page instead of JSON)
      weighs 10. Three of them open the circuit, each after all its retries.
    - A failure of one request (400, unusable JSON) weighs 1. Halving a batch of 500 to find one
      bad id fails ten times in a row, and must not open the circuit.
    - Any usable answer closes the circuit, and so does `reset`.
    - The circuit also closes after CLOSES_AFTER_SECONDS, so that a daemon that never calls
      `reset` sends requests again.

    It opens wrongly if many independent requests fail in a row for separate reasons, such as 30
    malformed queries.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._weight = 0
        self._last: RegistryError | None = None
        self._opened_at: float | None = None

    def check(self) -> None:
        """While the circuit is open, raise RegistryBusy or RegistryUnreachable (the last error)."""
        with self._lock:
            if self._opened_at is None:
                return
            if self._clock.monotonic() - self._opened_at >= CLOSES_AFTER_SECONDS:
                self._close()
                return
            last = self._last
        kind = RegistryBusy if isinstance(last, RegistryBusy) else RegistryUnreachable
        raise kind(f"not requested, because too many requests failed; the last error: {last}")

    def strike(self, error: RegistryError, weight: int) -> None:
        """Count a request that failed after all its retries."""
        with self._lock:
            self._weight += weight
            self._last = error
            if self._weight >= OPENS_AT and self._opened_at is None:
                self._opened_at = self._clock.monotonic()

    def reset(self) -> None:
        """Close the circuit and forget all failures."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._weight, self._last, self._opened_at = 0, None, None
