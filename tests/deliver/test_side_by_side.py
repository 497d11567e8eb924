"""A drain sends to its channels side by side: a slow one delays no other."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from ctsync.config.settings import ChannelSettings
from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.channels.email import MailChannel, SmtpLimits
from ctsync.deliver.channels.webhook import WebhookChannel
from ctsync.deliver.message import Message
from ctsync.deliver.outbox import LEASE, DrainResult, drain
from ctsync.errors import Stopped
from ctsync.model import Level
from ctsync.route import ChannelKind, Layout, Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store
from tests.deliver.desk import ANNA, BERT, ClockAt, Recording, change, keep, refuse
from tests.deliver.dripserver import Talk, dripping, in_time, smtp_greeting, smtp_verdict
from tests.deliver.mailserver import smtp
from tests.deliver.webserver import web
from tests.given_settings import given_section
from tests.registry_fixtures import an_id

HOOK = Route(ChannelKind.WEBHOOK, "team", layout=Layout.PER_TRIAL, minimum_level=Level.ROUTINE)
ONE_BY_ONE = Route(
    ChannelKind.MAIL, "anna@example.org", layout=Layout.PER_TRIAL, minimum_level=Level.ROUTINE
)


PATIENCE_SECONDS = 20
"""For a busy machine; everything here takes less than a second."""
ROUTES = {ChannelKind.MAIL: ONE_BY_ONE, ChannelKind.WEBHOOK: HOOK}


@pytest.fixture(autouse=True)
def frequent_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctsync.deliver.outbox.CHECK_SECONDS", 0.02)


@contextmanager
def draining(
    store: Store,
    channels: Mapping[str, Channel],
    clock: ClockAt,
    *,
    check: Callable[[], None] = lambda: None,
) -> Iterator[list[DrainResult | BaseException]]:
    """Drain in a thread of its own, as a daemon does; yield its result when it has ended."""
    results: list[DrainResult | BaseException] = []

    def run() -> None:
        try:
            results.append(drain(store, channels, clock=clock, check=check))
        except BaseException as error:  # noqa: BLE001 - looked at in the test
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield results
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


@dataclass
class Gate:
    """A slow receiver: a message that reaches it waits until the gate opens."""

    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _message: Message) -> None:
        self.reached.set()
        assert self.opened.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("slow", [smtp_greeting, smtp_verdict])
def test_a_mail_server_that_drips_delays_no_webhook(
    slow: Talk, store: Store, clock: ClockAt
) -> None:
    for number in (1, 2, 3):
        keep(store, an_id(number), [change()], routes=[ANNA, BERT, HOOK], now=clock.now())
    limits = SmtpLimits(reply=60, verdict=60)
    with dripping(slow) as mail_server, web() as hook_server:
        channels: dict[str, Channel] = {
            ChannelKind.MAIL: MailChannel(
                {ANNA.recipient: ANNA, BERT.recipient: BERT},
                smtp(mail_server.port),
                limits=limits,
            ),
            ChannelKind.WEBHOOK: WebhookChannel(
                {HOOK.recipient: HOOK},
                given_section(ChannelSettings, {"name": "team", "url": hook_server.url}),
            ),
        }
        begun = time.monotonic()
        seconds = 0.0

        def wait_for_webhook() -> None:
            nonlocal seconds
            while len(hook_server.received) < 3 and time.monotonic() < begun + PATIENCE_SECONDS:
                time.sleep(0.01)
            seconds = time.monotonic() - begun
            mail_server.over.set()

        waiting = threading.Thread(target=wait_for_webhook)
        waiting.start()
        in_time(lambda: drain(store, channels, clock=clock), seconds=2 * PATIENCE_SECONDS)
        waiting.join()
        received = len(hook_server.received)
    print(f"drain: mail server drips, webhook delivered after {seconds:.1f} s")
    assert (received, mail_server.connections > 0) == (3, True)
    assert seconds < PATIENCE_SECONDS, "the webhook did not wait for the mail server"


def test_each_recipient_of_each_channel_gets_its_messages_in_order_and_once(
    store: Store, clock: ClockAt
) -> None:
    """A second drain runs while the first one waits for the mail server."""
    gate = Gate()
    mail, hook = Recording.to(ONE_BY_ONE, answer=gate), Recording.to(HOOK)
    later, later_mail = Recording.to(HOOK), Recording.to(ONE_BY_ONE)
    for number in (1, 2, 3):
        keep(store, an_id(number), [change()], routes=[ONE_BY_ONE, HOOK], now=clock.now())
    with draining(store, {ChannelKind.MAIL: mail, ChannelKind.WEBHOOK: hook}, clock):
        assert gate.reached.wait(PATIENCE_SECONDS)
        keep(store, an_id(4), [change()], routes=[ONE_BY_ONE, HOOK], now=clock.now())
        until(lambda: len(store.outbox.deliveries(DeliveryState.SENT)) == 3)
        result = drain(
            store, {ChannelKind.MAIL: later_mail, ChannelKind.WEBHOOK: later}, clock=clock
        )
        assert result.messages == 1, "the webhook of the new change, not its mail"
        gate.opened.set()

    sent = [*mail.sent, *hook.sent, *later.sent]
    orders = {
        channel: [s.nct_id for m in sent if m.route.channel == channel for s in m.events]
        for channel in ROUTES
    }
    print(f"two drains of two channels: {len(sent)} of 8 sent, {8 - len(sent)} missing, in order")
    assert orders == {channel: list(map(an_id, (1, 2, 3, 4))) for channel in ROUTES}
    assert {row.state for row in store.outbox.deliveries()} == {DeliveryState.SENT}


def test_a_failed_message_is_due_again_while_a_slow_channel_is_under_way(
    store: Store, clock: ClockAt
) -> None:
    gate = Gate()
    mail, hook = Recording.to(ANNA, answer=gate), Recording.to(HOOK, answer=refuse(down=True))
    keep(store, an_id(1), [change()], routes=[ANNA, HOOK], now=clock.now())
    with draining(store, {ChannelKind.MAIL: mail, ChannelKind.WEBHOOK: hook}, clock):
        assert gate.reached.wait(PATIENCE_SECONDS)
        until(lambda: states_of(store)[HOOK.recipient] is DeliveryState.PENDING)
        assert states_of(store)[ANNA.recipient] is DeliveryState.CLAIMED
        gate.opened.set()
    assert len(hook.tried) == 1


def test_a_channel_that_fails_or_raises_ends_no_other(store: Store, clock: ClockAt) -> None:
    def broken(_message: Message) -> None:
        raise ValueError("no such thing")

    for number in (1, 2):
        keep(store, an_id(number), [change()], routes=[ONE_BY_ONE, HOOK], now=clock.now())
    for answer in (refuse("no answer", down=True), broken):
        mail, hook = Recording.to(ONE_BY_ONE, answer=answer), Recording.to(HOOK)
        result = drain(store, {ChannelKind.MAIL: mail, ChannelKind.WEBHOOK: hook}, clock=clock)
        assert result.waiting + result.parked == 2
        clock.at += timedelta(minutes=1)
    states = Counter((row.channel, row.state) for row in store.outbox.deliveries())
    assert states == {
        (ChannelKind.MAIL, DeliveryState.PARKED): 2,
        (ChannelKind.WEBHOOK, DeliveryState.SENT): 2,
    }


def test_a_drain_that_is_stopped_frees_its_rows_and_notes_the_message_under_way(
    store: Store, clock: ClockAt
) -> None:
    gate, stop = Gate(), threading.Event()
    mail = Recording.to(ANNA, BERT, answer=gate)
    keep(store, an_id(1), [change()], routes=[ANNA, BERT], now=clock.now())

    def check() -> None:
        if stop.is_set():
            raise Stopped("interrupted by a signal")

    with draining(store, {ChannelKind.MAIL: mail}, clock, check=check) as results:
        assert gate.reached.wait(PATIENCE_SECONDS)
        stop.set()
        until(lambda: states_of(store)[BERT.recipient] is DeliveryState.PENDING)
        assert states_of(store)[ANNA.recipient] is DeliveryState.CLAIMED
        assert results == []
        gate.opened.set()

    assert [type(result) for result in results] == [Stopped]
    assert states_of(store)[ANNA.recipient] is DeliveryState.SENT
    assert (len(mail.sent), mail.is_closed) == (1, True)


def test_an_interrupted_drain_ends_at_once_and_repeats_the_message_under_way_later(
    store: Store, clock: ClockAt
) -> None:
    gate = Gate()
    mail, hook = Recording.to(ANNA, BERT, answer=gate), Recording.to(HOOK)
    keep(store, an_id(1), [change()], routes=[ANNA, BERT, HOOK], now=clock.now())

    def check() -> None:
        if gate.reached.is_set() and hook.sent:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(store, {ChannelKind.MAIL: mail, ChannelKind.WEBHOOK: hook}, clock=clock, check=check)

    assert states_of(store)[ANNA.recipient] is DeliveryState.CLAIMED
    assert states_of(store)[BERT.recipient] is DeliveryState.PENDING
    assert (mail.is_closed, hook.is_closed) == (False, True), "a connection in use is left alone"
    gate.opened.set()
    until(lambda: len(mail.sent) == 1)
    clock.at += LEASE
    again = Recording.to(ANNA, BERT)
    drain(store, {ChannelKind.MAIL: again, ChannelKind.WEBHOOK: hook}, clock=clock)
    assert mail.sent[0].key in {message.key for message in again.sent}
    assert len(again.sent) == 2


def states_of(store: Store) -> dict[str, DeliveryState]:
    return {row.recipient: row.state for row in store.outbox.deliveries()}


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
