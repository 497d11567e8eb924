"""Retry times of failed deliveries, and the deliveries held back behind them. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ctsync.store.data.outbox import LONGEST_WAIT, Delivery

FIRST_WAIT = timedelta(minutes=1)
MOST_ATTEMPTS = 64
"""About two weeks at the longest wait. A message that fails this often is parked."""
HOLDS_UP = 3
"""A message that failed this often on a working channel no longer delays later messages."""
CHANNEL_DOWN = "channel down: "
"""Prefix of a row's error if the channel itself did not work."""


def wait_after(attempts: int) -> timedelta:
    """Return the wait before the next attempt; it doubles up to LONGEST_WAIT."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 16)), LONGEST_WAIT)


def holds_up(last_error: str | None, attempts: int) -> bool:
    """Check whether a row that waits after a failure holds back later rows."""
    if last_error is None:
        return False
    return last_error.startswith(CHANNEL_DOWN) or attempts < HOLDS_UP


def held_behind(
    rows: Iterable[Delivery], waiting: Iterable[Delivery], *, now: datetime
) -> dict[int, Delivery]:
    """Find the due `rows` that would overtake a failed row of `waiting`.

    Maps the id of each held row to the failed row it waits for: the oldest one for the same
    channel and recipient. `waiting` is in order of creation.
    """
    first: dict[tuple[str, str], Delivery] = {}
    for row in waiting:
        if row.due_at(now) > now and holds_up(row.last_error, row.attempts):
            first.setdefault((row.channel, row.recipient), row)
    return {
        row.delivery_id: ahead
        for row in rows
        if (ahead := first.get((row.channel, row.recipient))) is not None
        and ahead.delivery_id < row.delivery_id
    }
