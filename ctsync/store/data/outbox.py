"""The outbox: one row an event and recipient, from the unit that wrote the event until sent.

pending -> claimed -> sent; a claim that fails is pending again, later, or parked for a person.
A claim is a compare-and-swap with a lease, so that of two workers one gets a row, and a row
whose worker died comes free. Sending itself is not done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, or_, select, text, update

from ctsync.store.database.access import Reads, Writes, batches
from ctsync.store.database.tables import DELIVERIES, UNDONE


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    PARKED = "parked"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is to be told to whom; `dedup_key` is its identity, `not_before` when it falls due."""

    event_id: int
    channel: str
    recipient: str
    dedup_key: str
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the outbox."""

    delivery_id: int
    event_id: int
    channel: str
    recipient: str
    dedup_key: str
    state: DeliveryState
    created: datetime
    not_before: datetime
    attempts: int
    claimed_by: str | None
    lease_until: datetime | None
    last_error: str | None
    sent_at: datetime | None
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not delivered: how much waits, how much is parked, and since when any is due."""

    waiting: int
    parked: int
    oldest_due: datetime | None


_COLUMNS = [
    DELIVERIES.c.id.label("delivery_id"),
    *(DELIVERIES.c[field.name] for field in fields(Delivery)[1:]),
]
_UNSENT = (DeliveryState.PENDING, DeliveryState.CLAIMED)
_UNDONE = frozenset({*_UNSENT, DeliveryState.PARKED})

_IS_UNDONE = text(UNDONE)
"""Said besides the states themselves: SQLite takes a partial index where a query names its very
condition, and else reads every delivery that was ever made."""

_FREE = {"claimed_by": None, "lease_until": None}


def _delivery(row: Any) -> Delivery:
    return Delivery(**dict(row._mapping) | {"state": DeliveryState(row.state)})


class DeliveryReads(Reads):
    """What is stored of deliveries."""

    def deliveries(self, *states: DeliveryState, unsent_only: bool = False) -> list[Delivery]:
        """The deliveries in these states, or all, in the order they were made.

        `unsent_only` asks for those that wait, are under way or are parked.
        """
        wanted = (*states, *_UNSENT, DeliveryState.PARKED) if unsent_only else states
        statement = select(*_COLUMNS).order_by(DELIVERIES.c.id)
        if wanted:
            statement = statement.where(DELIVERIES.c.state.in_(wanted))
        if wanted and _UNDONE.issuperset(wanted):
            statement = statement.where(_IS_UNDONE)
        with self._reading() as connection:
            return [_delivery(row) for row in connection.execute(statement)]

    def backlog(self) -> Backlog:
        """How much waits, how much is parked, and when the oldest that waits fell due."""
        waiting = select(func.count(), func.min(DELIVERIES.c.not_before)).where(
            _IS_UNDONE, DELIVERIES.c.state.in_(_UNSENT)
        )
        parked = select(func.count()).where(_IS_UNDONE, DELIVERIES.c.state == DeliveryState.PARKED)
        with self._reading() as connection:
            count, oldest = connection.execute(waiting).one()
            return Backlog(count, connection.execute(parked).scalar_one(), oldest)


class DeliveryWrites(Writes):
    """What a unit does to deliveries; each method says how many rows it changed."""

    def enqueue(self, deliveries: Sequence[NewDelivery]) -> int:
        """Put deliveries into the outbox; one whose key is there already is left as it is."""
        now = self._clock.now()
        rows = [
            {
                **asdict(delivery),
                "state": DeliveryState.PENDING,
                "created": now,
            }
            for delivery in deliveries
        ]
        return self._insert_new(DELIVERIES, rows)

    def claim(self, now: datetime, *, lease: timedelta, limit: int, worker: str) -> list[Delivery]:
        """Take up to `limit` deliveries that are due, oldest first, for `lease`."""
        is_free = or_(
            DELIVERIES.c.state == DeliveryState.PENDING,
            and_(DELIVERIES.c.state == DeliveryState.CLAIMED, DELIVERIES.c.lease_until <= now),
        )
        due = (
            select(DELIVERIES.c.id)
            .where(_IS_UNDONE, is_free, DELIVERIES.c.not_before <= now)
            .order_by(DELIVERIES.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        # not as a subquery: PostgreSQL may run one again for each row, and pass the limit
        ids = self._connection.scalars(due).all()
        claimed = (
            update(DELIVERIES)
            .where(DELIVERIES.c.id.in_(ids), is_free)
            .values(state=DeliveryState.CLAIMED, claimed_by=worker, lease_until=now + lease)
            .returning(*_COLUMNS)
        )
        rows = [_delivery(row) for row in self._connection.execute(claimed)]
        return sorted(rows, key=lambda delivery: delivery.delivery_id)

    def mark_attempt(
        self, ids: Iterable[int], *, worker: str, lease_until: datetime, message_id: str | None
    ) -> int:
        """Note an attempt before it is made; fewer rows than ids: the lease was lost."""
        return self._update(
            ids,
            self._is_mine(worker),
            attempts=DELIVERIES.c.attempts + 1,
            lease_until=lease_until,
            message_id=message_id,
        )

    def mark_sent(self, ids: Iterable[int], *, now: datetime, message_id: str | None = None) -> int:
        """Note that deliveries were sent, whoever holds them by now: sent is sent."""
        values: dict[str, Any] = {"state": DeliveryState.SENT, "sent_at": now, **_FREE}
        if message_id is not None:
            values["message_id"] = message_id
        return self._update(ids, DELIVERIES.c.state != DeliveryState.SENT, **values)

    def mark_failed(
        self, ids: Iterable[int], *, worker: str, error: str, not_before: datetime
    ) -> int:
        """Give claimed deliveries back, to be tried again from `not_before`."""
        return self._update(
            ids,
            self._is_mine(worker),
            state=DeliveryState.PENDING,
            not_before=not_before,
            last_error=error,
            **_FREE,
        )

    def release(self, ids: Iterable[int], *, worker: str) -> int:
        """Give claimed deliveries back untried."""
        return self._update(ids, self._is_mine(worker), state=DeliveryState.PENDING, **_FREE)

    def park(self, ids: Iterable[int], *, error: str) -> int:
        """Set unsent deliveries aside until a person looks."""
        return self._update(
            ids,
            DELIVERIES.c.state.in_(_UNSENT),
            state=DeliveryState.PARKED,
            last_error=error,
            **_FREE,
        )

    def drop(self, ids: Iterable[int], *, reason: str | None = None) -> int:
        """Give deliveries up that were not sent, and note the reason if there is one."""
        noted = {} if reason is None else {"last_error": reason}
        return self._update(
            ids,
            DELIVERIES.c.state != DeliveryState.SENT,
            state=DeliveryState.DROPPED,
            **_FREE,
            **noted,
        )

    def untried_of(self, event_ids: Iterable[int]) -> list[Delivery]:
        """The deliveries of these events that wait and were never tried, in their order."""
        found = [
            _delivery(row)
            for batch in batches(list(event_ids))
            for row in self._connection.execute(
                select(*_COLUMNS).where(
                    DELIVERIES.c.event_id.in_(batch),
                    DELIVERIES.c.state == DeliveryState.PENDING,
                    DELIVERIES.c.attempts == 0,
                )
            )
        ]
        return sorted(found, key=lambda delivery: delivery.delivery_id)

    def retry(self, ids: Iterable[int] | None = None, *, now: datetime) -> int:
        """Make unsent deliveries due at once, with a new count; None: all that ever failed."""
        values = {"state": DeliveryState.PENDING, "not_before": now, "attempts": 0, **_FREE}
        if ids is not None:
            return self._update(ids, DELIVERIES.c.state != DeliveryState.SENT, **values)
        is_backing_off = and_(
            DELIVERIES.c.state == DeliveryState.PENDING, DELIVERIES.c.last_error.is_not(None)
        )
        failed = and_(_IS_UNDONE, or_(DELIVERIES.c.state == DeliveryState.PARKED, is_backing_off))
        return self._connection.execute(update(DELIVERIES).where(failed).values(values)).rowcount

    @staticmethod
    def _is_mine(worker: str) -> Any:
        return and_(DELIVERIES.c.state == DeliveryState.CLAIMED, DELIVERIES.c.claimed_by == worker)

    def _update(self, ids: Iterable[int], condition: Any, **values: Any) -> int:
        return sum(
            self._connection.execute(
                update(DELIVERIES).where(DELIVERIES.c.id.in_(batch), condition).values(values)
            ).rowcount
            for batch in batches(list(ids))
        )
