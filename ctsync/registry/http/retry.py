"""Retry policies, and the loop that repeats failed attempts. Sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from ctsync.dates import Clock
from ctsync.errors import RegistryError

_T = TypeVar("_T")
_backoff = wait_exponential_jitter(max=30)


class RetryPolicy(NamedTuple):
    """Total number of attempts for a type of failure, and its weight for the circuit breaker."""

    attempts: int
    weight: int


# timeouts, lost connections, 429 and 5xx: usually temporary
LINK = RetryPolicy(attempts=6, weight=10)
# 403: rarely temporary, and more requests make it worse
EDGE = RetryPolicy(attempts=2, weight=10)
# a web page instead of JSON: the registry is under maintenance
NO_JSON = RetryPolicy(attempts=3, weight=10)
# a web page or a missed deadline for a batch that can be halved: eight halvings lead from 500 ids
# to one, and must not open the circuit breaker
OVERSIZE = RetryPolicy(attempts=3, weight=3)
# a truncated or broken body: a retry shows whether the error is permanent
CONTENT = RetryPolicy(attempts=3, weight=1)
# an invalid certificate: nothing is sent
UNTRUSTED = RetryPolicy(attempts=1, weight=10)
# the same request would get the same answer
FINAL = RetryPolicy(attempts=1, weight=1)
# the registry reloaded its data: the caller restarts the listing
RELOADED = RetryPolicy(attempts=1, weight=0)


class FailedAttempt(Exception):
    """A failed attempt.

    `error` is raised if this was the last attempt. `wait` is the number of seconds that the
    server requests, or None.
    """

    def __init__(
        self, error: RegistryError, policy: RetryPolicy, *, wait: float | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.policy = policy
        self.wait = wait


def with_retries(
    attempt: Callable[[], _T],
    *,
    clock: Clock,
    within: float,
    before_retry: Callable[[FailedAttempt, float], None],
) -> _T:
    """Repeat `attempt` until it succeeds. Raises the last FailedAttempt.

    Stops after the policy's number of attempts, or if the next wait would end more than `within`
    seconds after the first attempt began. So if the server requests a longer wait, there is no
    further attempt. Waits double from 1 to 30 seconds, with up to a second of jitter, unless the
    server requests a wait. Other exceptions are not caught.
    """
    began = clock.monotonic()

    def is_over(state: RetryCallState) -> bool:
        end_of_wait = clock.monotonic() - began + state.upcoming_sleep
        return (
            state.attempt_number >= _failed_attempt(state).policy.attempts or end_of_wait > within
        )

    retrying = Retrying(
        sleep=clock.sleep,
        retry=retry_if_exception_type(FailedAttempt),
        wait=_wait,
        stop=is_over,
        before_sleep=lambda state: before_retry(_failed_attempt(state), state.upcoming_sleep),
        reraise=True,
    )
    return retrying(attempt)


def _wait(state: RetryCallState) -> float:
    asked = _failed_attempt(state).wait
    return _backoff(state) if asked is None else asked


def _failed_attempt(state: RetryCallState) -> FailedAttempt:
    failed = state.outcome.exception() if state.outcome else None
    if not isinstance(failed, FailedAttempt):
        raise TypeError(f"only a failed attempt is repeated, not {failed!r}")
    return failed
