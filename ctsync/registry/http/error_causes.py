"""Root causes of errors that HTTP libraries wrap several times. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and every error it wraps, nearest first.

    Follows args, `reason` (urllib3), __cause__ and __context__.
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None)]
            waiting += [cause.__cause__, cause.__context__]


def reason_in(causes: Sequence[BaseException]) -> str:
    """Return the operating system's message, or without one the innermost error's message."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(causes[-1]) or type(causes[-1]).__name__
