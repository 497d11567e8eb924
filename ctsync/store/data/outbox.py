"""The outbox: one row per event and recipient, written in the unit that wrote the event.

A delivery goes from pending to claimed to sent. After a failed attempt it is pending again and due
later, or parked until a person decides. A claim is a compare-and-swap with a lease: only one worker
gets a row, and the row of a dead worker becomes free. While a worker holds a row of a recipient, no
other worker gets a row of that recipient, so that messages keep their order. Sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    tuple_,
    update,
)

from ctsync.dates import CLOCK_TOLERANCE, Clock, is_ahead
from ctsync.model import Verdict
from ctsync.store.database.access import Reads, Writes, batches, exclude_other_claims, insert_rows
from ctsync.store.database.tables import DELIVERIES, RUNS, UNDONE
from ctsync.store.database.types import Timestamp

LONGEST_WAIT = timedelta(hours=6)
"""The longest wait after a failed attempt."""

LONGEST_CADENCE = timedelta(days=8)
"""The longest wait of a new delivery: a week, plus a margin for time zone shifts."""

LONGEST_LEASE = timedelta(hours=1)
"""The longest time for which a worker claims a delivery."""


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    PARKED = "parked"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be stored. `dedup_key` is its identity, `not_before` its due time."""

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

    def due_at(self, now: datetime) -> datetime:
        """Return when a drain can claim the delivery: `now`, or a later time.

        A creation in the future, or a due time further ahead than the longest wait, was written by
        a wrong clock: the delivery counts as due.
        """
        times = [] if self.is_misdated(now) else [self.not_before]
        return max([now, *times, *filter(None, [self.leased_until(now)])])

    def is_misdated(self, now: datetime) -> bool:
        """Whether a wrong clock wrote the due time, so that the delivery counts as due."""
        wait = LONGEST_CADENCE if self.last_error is None else LONGEST_WAIT
        return is_ahead(self.created, now) or is_ahead(self.not_before, now + wait)

    def leased_until(self, now: datetime) -> datetime | None:
        """Return the end of the lease if it is still valid, or None."""
        lease = self.lease_until
        if lease is None or lease <= now or is_ahead(lease, now + LONGEST_LEASE):
            return None
        return lease


@dataclass(frozen=True, slots=True)
class OutboxHorizon:
    """The newest delivery and the newest run at a moment when no run was in progress.

    Until it ends, a run may drop deliveries that it created.
    """

    delivery_id: int
    run_id: int


_COLUMNS = [
    DELIVERIES.c.id.label("delivery_id"),
    *(DELIVERIES.c[field.name] for field in fields(Delivery)[1:]),
]
_NEW_COLUMNS = tuple(field.name for field in fields(NewDelivery))
_new_values = attrgetter(*_NEW_COLUMNS)
_UNSENT = (DeliveryState.PENDING, DeliveryState.CLAIMED)
_UNDONE = frozenset({*_UNSENT, DeliveryState.PARKED})

_IS_UNDONE = text(UNDONE)
"""Queries add this to the states that they select: SQLite uses a partial index only if the query
repeats its condition, and otherwise reads every stored delivery."""

_FREE = {"claimed_by": None, "lease_until": None}


def _is_held(now: datetime) -> Any:
    """Return the condition that a worker holds a delivery. Ignores impossibly long leases."""
    lease = DELIVERIES.c.lease_until
    longest = now + CLOCK_TOLERANCE + LONGEST_LEASE
    return and_(DELIVERIES.c.state == DeliveryState.CLAIMED, lease > now, lease <= longest)


def _is_abandoned(now: datetime) -> Any:
    """Return the condition that a claim's lease has ended or is impossibly long."""
    lease = DELIVERIES.c.lease_until
    longest = now + CLOCK_TOLERANCE + LONGEST_LEASE
    return and_(DELIVERIES.c.state == DeliveryState.CLAIMED, or_(lease <= now, lease > longest))


def _delivery(row: Any) -> Delivery:
    return Delivery(**dict(row._mapping) | {"state": DeliveryState(row.state)})


class OutboxReads(Reads):
    """Reads deliveries."""

    def deliveries(self, *states: DeliveryState, unsent_only: bool = False) -> list[Delivery]:
        """Return the deliveries in these states, or all, in order of creation.

        `unsent_only` adds the states pending, claimed and parked.
        """
        wanted = (*states, *_UNSENT, DeliveryState.PARKED) if unsent_only else states
        statement = select(*_COLUMNS).order_by(DELIVERIES.c.id)
        if wanted:
            statement = statement.where(DELIVERIES.c.state.in_(wanted))
        if wanted and _UNDONE.issuperset(wanted):
            statement = statement.where(_IS_UNDONE)
        with self._reading() as connection:
            return [_delivery(row) for row in connection.execute(statement)]

    def horizon(self, since: OutboxHorizon | None = None) -> OutboxHorizon | None:
        """Return the newest delivery and run up to which the outbox is complete.

        Without `since`, the caller must hold the writer lock and have no run in progress. With it,
        the result is None if a run began after `since` and has not ended.
        """
        newest = select(
            select(func.coalesce(func.max(DELIVERIES.c.id), 0)).scalar_subquery(),
            select(func.coalesce(func.max(RUNS.c.id), 0)).scalar_subquery(),
            exists().where(
                RUNS.c.verdict == Verdict.RUNNING, RUNS.c.id > (since.run_id if since else 0)
            ),
        )
        with self._reading() as connection:
            delivery_id, run_id, is_under_way = connection.execute(newest).one()
        return None if since and is_under_way else OutboxHorizon(delivery_id, run_id)

    def is_being_sent(self, now: datetime) -> bool:
        """Check whether a worker holds a delivery."""
        held = select(exists().where(_IS_UNDONE, _is_held(now)))
        with self._reading() as connection:
            return bool(connection.scalar(held))

    def first_message(self, channel: str, recipient: str, *, prefix: str) -> str | None:
        """Return the message id of the oldest attempted delivery to a recipient.

        Only deliveries whose `dedup_key` begins with `prefix` count.
        """
        key = DELIVERIES.c.dedup_key
        after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        statement = (
            select(DELIVERIES.c.message_id)
            # a range: with most collations, PostgreSQL uses no index for LIKE
            .where(key >= prefix, key < after)
            .where(DELIVERIES.c.channel == channel, DELIVERIES.c.recipient == recipient)
            .where(DELIVERIES.c.message_id.is_not(None))
            .order_by(DELIVERIES.c.id)
            .limit(1)
        )
        with self._reading() as connection:
            return connection.scalars(statement).first()


class OutboxWrites(Writes):
    """Writes deliveries. Methods that return an int return how many rows they changed."""

    def __init__(self, connection: Connection, *, clock: Clock) -> None:
        super().__init__(connection)
        self._clock = clock

    def enqueue(self, deliveries: Sequence[NewDelivery]) -> int:
        """Add deliveries to the outbox. Skips a delivery whose `dedup_key` is already stored."""
        columns = (*_NEW_COLUMNS, "state", "created")
        more = (DeliveryState.PENDING.value, self._clock.now())
        rows = [(*_new_values(delivery), *more) for delivery in deliveries]
        return insert_rows(self._connection, DELIVERIES, columns, rows, unless_there=True)

    def claim(
        self,
        now: datetime,
        *,
        lease: timedelta,
        limit: int,
        worker: str,
        up_to: int | None = None,
    ) -> list[Delivery]:
        """Claim up to `limit` due deliveries, oldest first, for the duration of `lease`.

        Leaves out ids above `up_to`, and recipients with a delivery that another worker holds. A
        creation in the future, or a due time further ahead than the longest wait, was written by a
        wrong clock: the delivery counts as due.
        """
        exclude_other_claims(self._connection)
        ahead = now + CLOCK_TOLERANCE
        is_free = or_(DELIVERIES.c.state == DeliveryState.PENDING, _is_abandoned(now))
        recipient = tuple_(DELIVERIES.c.channel, DELIVERIES.c.recipient)
        held = select(DELIVERIES.c.channel, DELIVERIES.c.recipient).where(
            _IS_UNDONE, _is_held(now), DELIVERIES.c.claimed_by != worker
        )
        is_due = or_(
            DELIVERIES.c.not_before <= now,
            DELIVERIES.c.not_before > ahead + LONGEST_CADENCE,
            and_(
                DELIVERIES.c.last_error.is_not(None),
                DELIVERIES.c.not_before > ahead + LONGEST_WAIT,
            ),
            DELIVERIES.c.created > ahead,
        )
        due = (
            select(DELIVERIES.c.id)
            .where(_IS_UNDONE, is_free, is_due, recipient.not_in(held))
            .order_by(DELIVERIES.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        if up_to is not None:
            due = due.where(DELIVERIES.c.id <= up_to)
        # not as a subquery: PostgreSQL may run it once per row, and claim more than `limit`
        ids = self._connection.scalars(due).all()
        if not ids:
            return []
        # a creation time in the future would hide how long the delivery has waited
        began = DELIVERIES.c.created
        created = case((began > ahead, literal(now, Timestamp)), else_=began)
        values = {"claimed_by": worker, "lease_until": now + lease, "created": created}
        claimed = (
            update(DELIVERIES)
            .where(DELIVERIES.c.id.in_(ids), is_free)
            .values(state=DeliveryState.CLAIMED, **values)
            .returning(*_COLUMNS)
        )
        rows = [_delivery(row) for row in self._connection.execute(claimed)]
        return sorted(rows, key=lambda delivery: delivery.delivery_id)

    def mark_attempt(
        self, ids: Iterable[int], *, worker: str, lease_until: datetime, message_id: str | None
    ) -> int:
        """Record an attempt before it is made. Fewer rows than ids mean that the lease was lost."""
        return self._update(
            ids,
            self._is_mine(worker),
            attempts=DELIVERIES.c.attempts + 1,
            lease_until=lease_until,
            message_id=message_id,
        )

    def mark_sent(self, ids: Iterable[int], *, now: datetime, message_id: str | None = None) -> int:
        """Record that deliveries were sent, even if another worker has claimed them since."""
        values: dict[str, Any] = {"state": DeliveryState.SENT, "sent_at": now, **_FREE}
        if message_id is not None:
            values["message_id"] = message_id
        return self._update(ids, DELIVERIES.c.state != DeliveryState.SENT, **values)

    def mark_failed(
        self, ids: Iterable[int], *, worker: str, error: str, not_before: datetime
    ) -> int:
        """Return claimed deliveries to pending, due again at `not_before`."""
        return self._update(
            ids,
            self._is_mine(worker),
            state=DeliveryState.PENDING,
            not_before=not_before,
            last_error=error,
            **_FREE,
        )

    def release(self, ids: Iterable[int], *, worker: str) -> int:
        """Return claimed deliveries to pending without an attempt."""
        return self._update(ids, self._is_mine(worker), state=DeliveryState.PENDING, **_FREE)

    def park(self, ids: Iterable[int], *, error: str) -> int:
        """Park unsent deliveries until a person retries or drops them."""
        return self._update(
            ids,
            DELIVERIES.c.state.in_(_UNSENT),
            state=DeliveryState.PARKED,
            last_error=error,
            **_FREE,
        )

    def drop(self, ids: Iterable[int], *, reason: str | None = None) -> int:
        """Drop deliveries that were not sent, and record the reason if given."""
        noted = {} if reason is None else {"last_error": reason}
        return self._update(
            ids,
            DELIVERIES.c.state != DeliveryState.SENT,
            state=DeliveryState.DROPPED,
            **_FREE,
            **noted,
        )

    def untried_of(self, event_ids: Iterable[int]) -> list[Delivery]:
        """Return the pending deliveries of these events without an attempt, oldest first."""
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
        """Make unsent deliveries due now and reset their attempts. Without `ids`, all failed ones.

        A delivery that a worker is sending is not changed.
        """
        values = {"state": DeliveryState.PENDING, "not_before": now, "attempts": 0, **_FREE}
        if ids is not None:
            is_over = or_(DELIVERIES.c.state == DeliveryState.SENT, _is_held(now))
            return self._update(ids, not_(is_over), **values)
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
