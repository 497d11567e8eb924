"""What a failed attempt means, and how often another is made; sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from ctsync.dates import Clock
from ctsync.errors import RegistryError

_T = TypeVar("_T")
_backoff = wait_exponential_jitter(max=30)


class RetryPolicy(NamedTuple):
    """How often a failure of one sort is tried in all, and how it weighs on the circuit."""

    attempts: int
    weight: int


LINK = RetryPolicy(attempts=6, weight=10)  # timeouts, lost connections, 429 and 5xx: these pass
EDGE = RetryPolicy(
    attempts=2, weight=10
)  # 403: it hardly ever passes, and asking more makes it worse
NO_JSON = RetryPolicy(attempts=3, weight=10)  # a web page: the registry is being worked on
CONTENT = RetryPolicy(attempts=3, weight=1)  # cut short, or broken for good: one more look tells
UNTRUSTED = RetryPolicy(attempts=1, weight=10)  # a wrong certificate: nothing is sent
FINAL = RetryPolicy(attempts=1, weight=1)  # would be answered the same again
RELOADED = RetryPolicy(attempts=1, weight=0)  # for the caller to begin anew


class FailedAttempt(Exception):
    """An attempt that failed: the error it is if it was the last, and the wait it asks for."""

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
    """Make attempts until one succeeds; raise the last Setback once they are used up.

    They are when the policy's number is reached, or when the wait before the next one would end
    more than `within` seconds after the first began: who asks for a longer wait gets no further
    attempt. Waits double from 1 to 30 seconds with up to a second of jitter, unless the setback
    says how long. Any other exception passes through.
    """
    began = clock.monotonic()

    def is_over(state: RetryCallState) -> bool:
        end_of_wait = clock.monotonic() - began + state.upcoming_sleep
        return state.attempt_number >= _setback(state).policy.attempts or end_of_wait > within

    retrying = Retrying(
        sleep=clock.sleep,
        retry=retry_if_exception_type(FailedAttempt),
        wait=_wait,
        stop=is_over,
        before_sleep=lambda state: before_retry(_setback(state), state.upcoming_sleep),
        reraise=True,
    )
    return retrying(attempt)


def _wait(state: RetryCallState) -> float:
    asked = _setback(state).wait
    return _backoff(state) if asked is None else asked


def _setback(state: RetryCallState) -> FailedAttempt:
    failed = state.outcome.exception() if state.outcome else None
    if not isinstance(failed, FailedAttempt):
        raise TypeError(f"only a setback is followed by another attempt, not {failed!r}")
    return failed
