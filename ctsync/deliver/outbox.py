"""Draining of the outbox: sends its rows at least once. Independent of the kind of channel.

A row is one event for one recipient. Rows sent together are one message: they are claimed
together, and the message's identity is written to them before the first attempt. Every later
attempt sends the same rows under the same identity.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from ctsync.dates import Clock
from ctsync.deliver.backoff import (
    CHANNEL_DOWN,
    MOST_ATTEMPTS,
    held_behind,
    holds_up,
    wait_after,
)
from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.concurrent_sends import ConcurrentSends, SendResult
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.errors import StoreLocked
from ctsync.record.value_text import counted, listed
from ctsync.route import ChannelKind
from ctsync.store.data.outbox import Delivery, DeliveryState, OutboxHorizon
from ctsync.store.store import Store
from ctsync.store.unit import Unit

if TYPE_CHECKING:
    from ctsync.deliver.compose import ComposedMessage

log = logging.getLogger(__name__)

CLAIM = 20_000
MOST_NAMED = 2
LEASE = timedelta(minutes=15)
"""Longer than the deadline of a message on any channel."""
WRITE_SECONDS = 300.0
"""How long a drain waits to write while another program holds the database."""
CHECK_SECONDS = 0.5
"""How often a drain that waits for its channels checks whether it must stop."""

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
    """Send all due messages. No message or channel stops or delays another channel.

    Needs no writer lock, so that a slow channel does not delay a sync: claims coordinate drains
    that run at the same time. `horizon` leaves the deliveries of a run in progress to the drain
    after it; None means that no run is in progress. `check` is called before each message and may
    raise Stopped.

    1. Claim every due row for a lease, and group the rows into messages.
    2. Write the attempt and the message's identity to the rows, send, then mark them as sent.
       All channels send at the same time, each one message after another.
    3. After a temporary failure, retry at growing intervals; later messages to the same
       recipient wait. After a permanent failure, park the message.
    4. If a channel does not work, do not try it again in this drain. Its rows wait.

    If the process dies in between, the lease of its rows expires and a later drain sends them
    again, as the same message.
    """
    drained = _Drain(store, channels, clock=clock, horizon=horizon, check=check)
    try:
        while drained.round():
            pass
    finally:
        drained.close()
    return drained.result


@dataclass(frozen=True, slots=True)
class _Wait:
    """The time until which rows behind a failed message wait, and the reason."""

    until: datetime
    reason: str


class _Drain:
    """One drain, with the channels and recipients it holds back.

    Only the threads of `_sends` run beside it. They only send: one thread reads and writes
    the outbox.
    """

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        *,
        clock: Clock,
        horizon: OutboxHorizon | None,
        check: Callable[[], None],
    ) -> None:
        self._store, self._channels, self._clock = store, channels, clock
        self._horizon = horizon
        self._check = check
        self._worker = uuid.uuid4().hex
        self._sends = ConcurrentSends(channels)
        self._untried: set[int] = set()
        self._waits: dict[str | tuple[str, str], _Wait] = {}
        self._held: dict[_Wait, list[Delivery]] = {}
        self.result = DrainResult()

    def round(self) -> bool:
        """Claim and send once. Return False if no row was due."""
        now = self._clock.now()
        rows = self._claim(now)
        if not rows:
            return False
        self._untried = {row.delivery_id for row in rows}
        try:
            ready = self._not_behind_others([row for row in rows if self._is_known(row)], now)
            self._send_all(ready, now)
        except BaseException as error:
            try:
                # the claims of a message that was tried remain: it may have been sent
                self._write(lambda unit: unit.outbox.release(self._untried, worker=self._worker))
            finally:
                if isinstance(error, Exception):  # else the process ends
                    self._finish_sends()
            raise
        self._give_back()
        self._park(
            [row for row in ready if row.delivery_id in self._untried], "its event no longer exists"
        )
        return True

    def close(self) -> None:
        """Close the channels, except one that still sends: its connection belongs to its thread."""
        for name, channel in self._channels.items():
            if name not in self._sends.under_way:
                channel.close()

    def _send_all(self, ready: Sequence[Delivery], now: datetime) -> None:
        """Send the messages of all channels at the same time, each channel's in their order."""
        # measured: with the report that a message builds, a tenth of a sync that sends none
        from ctsync.deliver.compose import compose  # noqa: PLC0415 - see above

        by_channel: dict[str, list[Delivery]] = {}
        for row in ready:
            by_channel.setdefault(row.channel, []).append(row)
        parcels = {
            name: compose(self._store, rows, self._channels, now=now)
            for name, rows in by_channel.items()
        }
        for of_channel in parcels.values():
            self._send_next(of_channel)
        while self._sends.under_way:
            result = self._sends.result(timeout=CHECK_SECONDS)
            if result is None:
                self._check()
            else:
                self._note_result(result)
                self._send_next(parcels[result.channel])

    def _send_next(self, parcels: Iterator[ComposedMessage]) -> None:
        """Start to send the first of a channel's messages that need not wait, if there is one."""
        for parcel in parcels:
            self._check()
            self._untried.difference_update(row.delivery_id for row in parcel.rows)
            route = parcel.message.route
            wait = self._waits.get(route.channel) or self._waits.get(
                (route.channel, route.recipient)
            )
            if wait is not None:
                self._hold(parcel.rows, wait)
            elif self._note_attempt(parcel):
                self._sends.start(parcel)
                return
        self._give_back()  # a retry must not wait for a slower channel

    def _note_result(self, result: SendResult) -> None:
        match result.error:
            case None:
                self._mark_sent(result.parcel)
            case DeliveryError() as error:
                self._fail(result.parcel, error)
            case Exception() as error:  # one bad message must not stop the others
                log.error("composing a message failed", exc_info=error)
                reason = f"{type(error).__name__}: {error}"
                self._fail(result.parcel, DeliveryError(reason, permanent=True))
            case error:
                raise error

    def _finish_sends(self) -> None:
        """Wait for the messages under way, and note their results."""
        results = []
        while self._sends.under_way:
            results.append(self._sends.result())
        for result in filter(None, results):
            self._note_result(result)
        self._give_back()

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
        if not self._held:
            return

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
