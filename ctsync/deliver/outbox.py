"""Draining of the outbox: sends its rows at least once. Independent of the kind of channel.

A row is one event for one recipient. Rows sent together are one message: they are claimed
together, and the message's identity is written to them before the first attempt. Every later
attempt sends the same rows under the same identity.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from ctsync.dates import Clock
from ctsync.deliver.backoff import (
    CHANNEL_DOWN,
    MOST_ATTEMPTS,
    held_behind,
    holds_up,
    wait_after,
)
from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.compose import ComposedMessage, compose
from ctsync.deliver.message import DeliveryError
from ctsync.errors import StoreLocked
from ctsync.record.value_text import counted, listed
from ctsync.route import ChannelKind
from ctsync.store.data.outbox import Delivery, DeliveryState, OutboxHorizon
from ctsync.store.store import Store, Unit

log = logging.getLogger(__name__)

CLAIM = 20_000
MOST_NAMED = 2
LEASE = timedelta(minutes=15)
"""Longer than the deadline of a message on any channel."""
WRITE_SECONDS = 300.0
"""How long a drain waits to write while another program holds the database."""

T = TypeVar("T")


@dataclass(slots=True)
class DrainResult:
    """Result of a drain.

    `messages`, `recipients` and `waiting` leave out the log, whose lines are not messages. `sent`,
    `waiting` and `parked` count outbox rows. Each of `problems` was logged as a warning.
    """

    messages: int = 0
    sent: int = 0
    waiting: int = 0
    parked: int = 0
    recipients: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def is_worth_a_sentence(self) -> bool:
        """Whether a message was sent, waits or was parked."""
        return bool(self.messages or self.waiting or self.parked)

    def sentence(self) -> str:
        """Return the result as one sentence."""
        parts = [f"{counted(self.messages, 'message')} sent{self._to()}"]
        if self.waiting:
            waiting = counted(self.waiting, "delivery", "deliveries")
            parts.append(f"{waiting} will be retried: ctsync outbox list")
        if self.parked:
            parts.append(f"{self.parked:,} parked, see: ctsync outbox list")
        return "; ".join(parts)

    def _to(self) -> str:
        if len(self.recipients) > MOST_NAMED:
            return f" to {len(self.recipients):,} recipients"
        return f" to {listed(sorted(self.recipients))}" if self.recipients else ""


def drain(
    store: Store,
    channels: Mapping[str, Channel],
    *,
    clock: Clock,
    horizon: OutboxHorizon | None = None,
    check: Callable[[], None] = lambda: None,
) -> DrainResult:
    """Send all due messages. A failed message or channel does not stop the others.

    Needs no writer lock, so that a slow channel does not delay a sync: claims coordinate drains
    that run at the same time. `horizon` leaves the deliveries of a run in progress to the drain
    after it; None means that no run is in progress. `check` is called before each message and may
    raise Stopped.

    1. Claim every due row for a lease, and group the rows into messages.
    2. Write the attempt and the message's identity to the rows, send, then mark them as sent.
    3. After a temporary failure, retry at growing intervals; later messages to the same
       recipient wait. After a permanent failure, park the message.
    4. If a channel does not work, do not try it again in this drain. Its rows wait.

    If the process dies in between, the lease of its rows expires and a later drain sends them
    again, as the same message.
    """
    drained = _Drain(store, channels, clock, horizon)
    try:
        while drained.round(check):
            pass
    finally:
        for channel in channels.values():
            channel.close()
    return drained.result


@dataclass(frozen=True, slots=True)
class _Wait:
    """The time until which rows behind a failed message wait, and the reason."""

    until: datetime
    reason: str


class _Drain:
    """One drain, with the channels and recipients that it holds back."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        clock: Clock,
        horizon: OutboxHorizon | None,
    ) -> None:
        self._store, self._channels, self._clock = store, channels, clock
        self._horizon = horizon
        self._worker = uuid.uuid4().hex
        self._waits: dict[str | tuple[str, str], _Wait] = {}
        self._held: dict[_Wait, list[Delivery]] = {}
        self.result = DrainResult()

    def round(self, check: Callable[[], None]) -> bool:
        """Claim and send once. Return False if no row was due."""
        now = self._clock.now()
        rows = self._claim(now)
        if not rows:
            return False
        untried = {row.delivery_id for row in rows}
        try:
            ready = self._not_behind_others([row for row in rows if self._is_known(row)], now)
            delivered = set()
            for parcel in compose(self._store, ready, self._channels, now=now):
                check()
                ids = {row.delivery_id for row in parcel.rows}
                untried -= ids
                self._deliver(parcel)
                delivered |= ids
        except BaseException:
            # the claims of an attempted message remain: it may have been sent
            self._write(lambda unit: unit.outbox.release(untried, worker=self._worker))
            raise
        self._give_back()
        self._park(
            [row for row in ready if row.delivery_id not in delivered], "its event no longer exists"
        )
        return True

    def _claim(self, now: datetime) -> list[Delivery]:
        if self._horizon is not None:
            # a recipient's newer deliveries waited for this drain, if another sync has ended since
            self._horizon = self._store.outbox.horizon(self._horizon) or self._horizon
        up_to = self._horizon.delivery_id if self._horizon else None
        return self._write(
            lambda unit: unit.outbox.claim(
                now, lease=LEASE, limit=CLAIM, worker=self._worker, up_to=up_to
            )
        )

    def _write(self, change: Callable[[Unit], T]) -> T:
        """Run a short transaction. Wait while another program locks the database.

        Not fenced: a drain may write while a writer runs, because its claims protect its rows.
        """
        end = self._clock.monotonic() + WRITE_SECONDS
        while True:
            try:
                with self._store.unit(fenced=False) as unit:
                    return change(unit)
            except StoreLocked:
                if self._clock.monotonic() >= end:
                    raise
                self._clock.sleep(1)

    def _is_known(self, row: Delivery) -> bool:
        channel = self._channels.get(row.channel)
        if channel is not None and row.recipient in channel.routes:
            return True
        self._park([row], f"{row.channel} to {row.recipient} is no longer in the settings")
        return False

    def _not_behind_others(self, rows: Sequence[Delivery], now: datetime) -> list[Delivery]:
        """Hold back rows that would overtake a failed row for the same recipient."""
        behind = held_behind(rows, self._store.outbox.deliveries(DeliveryState.PENDING), now=now)
        ready = []
        for row in rows:
            ahead = behind.get(row.delivery_id)
            if ahead is not None:
                self._hold([row], _Wait(ahead.not_before, ahead.last_error or ""))
            else:
                ready.append(row)
        return ready

    def _deliver(self, parcel: ComposedMessage) -> None:
        message, rows = parcel.message, parcel.rows
        address = (message.route.channel, message.route.recipient)
        wait = self._waits.get(address[0]) or self._waits.get(address)
        if wait is not None:
            self._hold(rows, wait)
        elif self._note_attempt(parcel):
            try:
                self._channels[address[0]].send(message)
            except DeliveryError as error:
                self._fail(parcel, error)
            except Exception as error:  # one bad message must not stop the others
                log.exception("composing a message failed")
                reason = f"{type(error).__name__}: {error}"
                self._fail(parcel, DeliveryError(reason, permanent=True))
            else:
                self._mark_sent(parcel)

    def _note_attempt(self, parcel: ComposedMessage) -> bool:
        """Record the attempt. Return False if another worker has taken over the rows."""
        ids = [row.delivery_id for row in parcel.rows]
        lease_until = self._clock.now() + LEASE

        def note(unit: Unit) -> int:
            mine = unit.outbox.mark_attempt(
                ids, worker=self._worker, lease_until=lease_until, message_id=parcel.message.key
            )
            if mine < len(ids):
                unit.outbox.release(ids, worker=self._worker)
            return mine

        return self._write(note) == len(ids)

    def _mark_sent(self, parcel: ComposedMessage) -> None:
        ids, now = [row.delivery_id for row in parcel.rows], self._clock.now()
        key = parcel.message.key
        self._write(lambda unit: unit.outbox.mark_sent(ids, now=now, message_id=key))
        self.result.sent += len(parcel.rows)
        route = parcel.message.route
        if route.channel != ChannelKind.LOG:
            self.result.messages += 1
            self.result.recipients.add(route.recipient)

    def _fail(self, parcel: ComposedMessage, error: DeliveryError) -> None:
        route, attempts = parcel.message.route, parcel.rows[0].attempts + 1
        reason = f"{CHANNEL_DOWN}{error}" if error.is_channel else str(error)
        is_log = route.channel == ChannelKind.LOG
        address = "event log" if is_log else f"{route.channel} to {route.recipient}"
        self.result.problems.append(f"{address}: {error}")
        log.warning("%s: %s", address, error)
        if attempts >= MOST_ATTEMPTS or (error.permanent and not error.is_channel):
            self._park(parcel.rows, reason)
            return
        wait = _Wait(self._clock.now() + wait_after(attempts), reason)
        self._hold(parcel.rows, wait)
        if error.is_channel:
            self._waits[route.channel] = wait
        elif holds_up(reason, attempts):
            self._waits[route.channel, route.recipient] = wait

    def _hold(self, rows: Sequence[Delivery], wait: _Wait) -> None:
        self._held.setdefault(wait, []).extend(rows)
        self.result.waiting += sum(row.channel != ChannelKind.LOG for row in rows)

    def _give_back(self) -> None:
        """Schedule all held rows for a later attempt, in one transaction."""

        def give_back(unit: Unit) -> None:
            for wait, rows in self._held.items():
                unit.outbox.mark_failed(
                    [row.delivery_id for row in rows],
                    worker=self._worker,
                    error=wait.reason,
                    not_before=wait.until,
                )

        self._write(give_back)
        self._held.clear()

    def _park(self, rows: Sequence[Delivery], reason: str) -> None:
        if rows:
            ids = [row.delivery_id for row in rows]
            self._write(lambda unit: unit.outbox.park(ids, error=reason))
            self.result.parked += len(rows)
