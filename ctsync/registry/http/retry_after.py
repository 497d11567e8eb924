"""Parsing of the Retry-After header in all forms that servers send. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 15 * 60.0

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)


def read_retry_after(values: Iterable[str], now: datetime) -> float | None:
    """Return the seconds to wait, from 0 to LONGEST_SECONDS; None if no value is usable.

    A number may have a fraction or a sign, and a date may be in the past. Of several values, in
    separate headers or separated by commas, the longest wait counts.
    """
    waits = [wait for value in values for wait in _waits(value, now)]
    return min(max(0.0, *waits), LONGEST_SECONDS) if waits else None


def _waits(value: str, now: datetime) -> list[float]:
    parts = [part.strip() for part in value.split(",")]
    if all(_NUMBER.fullmatch(part) for part in parts):
        return [float(part) for part in parts]
    try:
        stamp = parsedate_to_datetime(value.strip())
    except (ValueError, TypeError, OverflowError):
        return []
    aware = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
    return [(aware - now).total_seconds()]
