"""When what failed is tried again, and what waits behind it meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ctsync.store.data.outbox import Delivery

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
MOST_ATTEMPTS = 64
"""About two weeks at the longest wait; after that a message is parked for a person."""
HOLDS_UP = 3
"""A message that failed this often, while its channel worked, no longer holds up the next."""
CHANNEL_DOWN = "no way out: "
"""How the error of a row begins whose channel did not work."""


def wait_after(attempts: int) -> timedelta:
    """How long a message waits that has failed so often."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 16)), LONGEST_WAIT)


def holds_up(last_error: str | None, attempts: int) -> bool:
    """Whether a row that waits after a failure keeps back what comes after it."""
    if last_error is None:
        return False
    return last_error.startswith(CHANNEL_DOWN) or attempts < HOLDS_UP


def held_behind(
    rows: Iterable[Delivery], waiting: Iterable[Delivery], *, now: datetime
) -> dict[int, Delivery]:
    """Which of the `rows` that are due would overtake one of `waiting` that failed.

    By their ids, each with the failed row it waits for: the oldest on the way to the same
    recipient. `waiting` come in the order they were made.
    """
    first: dict[tuple[str, str], Delivery] = {}
    for row in waiting:
        if row.not_before > now and holds_up(row.last_error, row.attempts):
            first.setdefault((row.channel, row.recipient), row)
    return {
        row.delivery_id: ahead
        for row in rows
        if (ahead := first.get((row.channel, row.recipient))) is not None
        and ahead.delivery_id < row.delivery_id
    }
