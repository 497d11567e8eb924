"""The outbox: each event is delivered at least once, in order, with a limit on retries."""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ctsync.deliver.backoff import MOST_ATTEMPTS
from ctsync.deliver.channels.email import MAIL_SECONDS
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.deliver.outbox import LEASE, drain
from ctsync.errors import Stopped, StoreLocked
from ctsync.model import Kind, Level, Verdict
from ctsync.report.mail.subject import subject_of_trial
from ctsync.report.report import NoChangeReason
from ctsync.route import Cadence, ChannelKind, Layout, Route
from ctsync.store.data.outbox import DeliveryState, OutboxWrites
from ctsync.store.store import Store
from tests.deliver.desk import ANNA, BERT, ClockAt, Recording, change, keep, refuse, watch
from tests.registry_fixtures import an_id
from tests.report.examples import first_seen

TO_LOG = Route(ChannelKind.LOG, ChannelKind.LOG, layout=Layout.STREAM, takes_baselines=True)


def test_one_message_per_recipient_contains_all_due_events(store: Store, clock: ClockAt) -> None:
    for number in (1, 2, 3):
        keep(store, an_id(number), [change(), change("b")], routes=[ANNA, BERT], now=clock.now())
    mail = Recording.to(ANNA, BERT)

    result = drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [len(message.events) for message in mail.sent] == [6, 6]
    assert result.sentence() == "2 messages sent to anna@example.org, bert@example.org"
    assert mail.is_closed
    assert drain(store, {ChannelKind.MAIL: mail}, clock=clock).messages == 0


def test_a_recipient_gets_its_own_watches_and_levels_and_a_shared_trial_once(
    store: Store, clock: ClockAt
) -> None:
    watch(store, "melanoma", [an_id(1), an_id(2)], since=clock.now())
    watch(store, "sponsor", [an_id(2), an_id(3)], since=clock.now())
    anna = Route(ChannelKind.MAIL, "anna@example.org", watches=("melanoma", "sponsor"))
    bert = Route(
        ChannelKind.MAIL, "bert@example.org", watches=("sponsor",), minimum_level=Level.CRITICAL
    )
    for number in (1, 2, 3):
        level = Level.CRITICAL if number == 3 else Level.ROUTINE
        keep(store, an_id(number), [change(level=level)], routes=[anna, bert], now=clock.now())
    mail = Recording.to(anna, bert)

    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    sent = [(m.route.recipient, m.watches, [s.nct_id for s in m.events]) for m in mail.sent]
    assert sent == [
        ("anna@example.org", ("melanoma", "sponsor"), [an_id(1), an_id(2), an_id(3)]),
        ("bert@example.org", ("sponsor",), [an_id(3)]),
    ]
    assert {trial.nct_id: trial.watches for trial in mail.sent[0].report().trials} == {
        an_id(1): ("melanoma",),
        an_id(2): ("melanoma", "sponsor"),
        an_id(3): ("sponsor",),
    }
    assert [message.scope.watched for message in mail.sent] == [3, 2]


def test_a_trial_in_two_watches_has_its_worst_level_in_them(store: Store, clock: ClockAt) -> None:
    watch(store, "strict", [an_id(1)], since=clock.now())
    watch(store, "usual", [an_id(1), an_id(2)], since=clock.now())
    with store.unit() as unit:
        unit.watches.add("strict", rules={"slip_critical_days": 30})
    own = store.watches.own_thresholds()
    both = Route(
        ChannelKind.MAIL,
        "anna@example.org",
        watches=("usual", "strict"),
        minimum_level=Level.CRITICAL,
    )
    usual = Route(
        ChannelKind.MAIL, "bert@example.org", watches=("usual",), minimum_level=Level.CRITICAL
    )
    slip = {"part": "date", "nature": "moved", "days": 45}
    late = change(kind=Kind.COMPLETION_DATE, level=Level.ROUTINE, days=45, inputs=slip)
    for number in (1, 2):
        keep(store, an_id(number), [late], routes=[both, usual], now=clock.now(), own=own)
    mail = Recording.to(both, usual)

    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    (message,) = mail.sent
    assert message.route == both
    assert [(s.nct_id, s.event.level) for s in message.events] == [(an_id(1), Level.CRITICAL)]


def test_a_watch_added_later_has_its_own_welcome_in_the_same_thread(
    store: Store, clock: ClockAt
) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", welcomes=True)
    mail = Recording.to(route)
    for name, number in (("melanoma", 1), ("sponsor", 2), ("gliomas", 3)):
        watch(store, name, [an_id(number)], since=clock.now())
        keep(store, an_id(number), [first_seen()], routes=[route], now=clock.now())
        if name != "melanoma":
            drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    first, later = mail.sent
    assert (first.watches, later.watches) == (("melanoma", "sponsor"), ("gliomas",))
    assert [message.scope.watched for message in mail.sent] == [2, 1]
    assert first.thread == later.thread == first.key
    assert (first.is_of_thread, later.is_of_thread) == (False, True)


def test_a_message_that_was_tried_keeps_its_changes_when_more_are_due(
    store: Store, clock: ClockAt
) -> None:
    watch(store, "melanoma", [an_id(1)], since=clock.now())
    watch(store, "sponsor", [an_id(2)], since=clock.now())
    mail = Recording.to(ANNA, answer=refuse())
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    keep(store, an_id(2), [change()], routes=[ANNA], now=clock.now())
    mail.answer = lambda _message: None
    clock.at += timedelta(minutes=1)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [message.watches for message in mail.sent] == [("melanoma",), ("sponsor",)]
    assert mail.tried[:2] == [mail.sent[0].key] * 2


def test_daily_and_immediate_recipients_of_one_watch_get_the_same_changes(
    store: Store, clock: ClockAt
) -> None:
    watch(store, "melanoma", [an_id(1), an_id(2)], since=clock.now())
    watch(store, "sponsor", [an_id(2)], since=clock.now())
    daily = Route(ChannelKind.MAIL, "anna@example.org", cadence=Cadence.DAILY)
    mail = Recording.to(daily, BERT)
    for number in (1, 2):
        keep(store, an_id(number), [change()], routes=[daily, BERT], now=clock.now())
        drain(store, {ChannelKind.MAIL: mail}, clock=clock)
        clock.at += timedelta(hours=1)
    clock.at += timedelta(days=1)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    sent = [(m.route.recipient, [s.nct_id for s in m.events]) for m in mail.sent]
    assert sent == [
        ("bert@example.org", [an_id(1)]),
        ("bert@example.org", [an_id(2)]),
        ("anna@example.org", [an_id(1), an_id(2)]),
    ]


def test_a_change_outside_a_message_is_never_reported_as_no_update(
    store: Store, clock: ClockAt
) -> None:
    watch(store, "melanoma", map(an_id, (1, 2, 3, 4, 5)), since=clock.now())
    anna = Route(
        ChannelKind.MAIL, "anna@example.org", minimum_level=Level.NOTABLE, layout=Layout.PER_TRIAL
    )
    runs = []
    for _ in range(2):
        with store.unit() as unit:
            runs.append((unit.runs.begin("sync", clock.now()), clock.now()))
        clock.at += timedelta(hours=3)
    levels = (Level.CRITICAL, Level.NOTABLE, Level.ROUTINE, Level.ADMINISTRATIVE)
    for number, level in enumerate(levels, 1):
        changes = [change(level=level), change("aside", level=Level.ADMINISTRATIVE)]
        keep(store, an_id(number), changes, routes=[anna], now=clock.now(), run_id=runs[1][0])
    mail = Recording.to(anna)

    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [[s.nct_id for s in message.events] for message in mail.sent] == [[an_id(1)], [an_id(2)]]
    for message in mail.sent:
        report = message.report()
        assert {one.standing: one.count for one in report.sentences} == {
            NoChangeReason.NO_UPDATE: 1,
            NoChangeReason.ADMINISTRATIVE_ONLY: 1,
            NoChangeReason.NOT_REPORTED: 2,
        }
        assert report.subject == subject_of_trial(report.trials[0])
        assert message.window.since == runs[0][1]  # the start of the sync before


def test_the_per_trial_layout_sends_one_message_per_trial(store: Store, clock: ClockAt) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", layout=Layout.PER_TRIAL)
    for number in (1, 2):
        keep(store, an_id(number), [change(), change("b")], routes=[route], now=clock.now())
    mail = Recording.to(route)

    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [len(message.events) for message in mail.sent] == [2, 2]


@pytest.mark.slow
def test_a_first_sync_mails_one_welcome_per_watch_and_logs_every_baseline(
    store: Store, clock: ClockAt
) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", welcomes=True)
    watch(store, "melanoma", [an_id(n) for n in range(1, 201)], since=clock.now())
    for number in range(1, 201):
        keep(store, an_id(number), [first_seen()], routes=[TO_LOG, route], now=clock.now())
    mail, log = Recording.to(route), Recording.to(TO_LOG)

    drain(store, {ChannelKind.MAIL: mail, ChannelKind.LOG: log}, clock=clock)

    assert [message.is_welcome for message in mail.sent] == [True]
    assert mail.sent[0].report(limit=50).welcomed == 200
    assert len(mail.sent[0].report(limit=50).welcomes) == 50
    lines = sum(log.event_counts().values())
    assert lines == 200
    print(f"first sync: 200 baselines, {len(mail.sent)} mail, {lines} log lines")


def test_a_welcome_is_sent_once_and_before_the_first_change(store: Store, clock: ClockAt) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", layout=Layout.PER_TRIAL, welcomes=True)
    watch(store, "melanoma", [an_id(1), an_id(2)], since=clock.now())
    for number in (1, 2, 1, 2):
        keep(store, an_id(number), [change()], routes=[route], now=clock.now())
    mail = Recording.to(route)

    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [message.is_welcome for message in mail.sent] == [True, False, False]
    assert {message.thread for message in mail.sent} == {mail.sent[0].key}


def test_a_temporary_failure_is_retried_later_as_the_same_message(
    store: Store, clock: ClockAt
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    mail = Recording.to(ANNA, answer=refuse())
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    keep(store, an_id(2), [change()], routes=[ANNA], now=clock.now())

    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    assert len(mail.tried) == 1, "not before its time, and later messages wait"
    mail.answer = lambda _message: None
    clock.at += timedelta(minutes=1)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [[s.nct_id for s in m.events] for m in mail.sent] == [[an_id(1)], [an_id(2)]]
    assert mail.tried[0] == mail.tried[1]


@pytest.mark.slow
def test_a_permanent_failure_is_parked_and_stops_no_other(store: Store, clock: ClockAt) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", layout=Layout.PER_TRIAL)
    for number in range(1, 101):
        keep(store, an_id(number), [change()], routes=[route], now=clock.now())

    def poisoned(message: Message) -> None:
        if message.events[0].nct_id == an_id(50):
            raise DeliveryError("552 content refused", permanent=True)

    mail = Recording.to(route, answer=poisoned)
    result = drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    clock.at += timedelta(days=30)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    once = [count for count in mail.event_counts().values() if count == 1]
    print(f"poison: 1 among 100, {len(once)} delivered once, {result.parked} parked")
    assert len(once) == len(mail.sent) == 99
    parked = store.outbox.deliveries(DeliveryState.PARKED)
    assert [row.last_error for row in parked] == ["552 content refused"]


def test_a_message_that_raises_an_unexpected_error_is_parked(store: Store, clock: ClockAt) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA, BERT], now=clock.now())

    def broken(message: Message) -> None:
        if message.route == ANNA:
            raise ValueError("no such thing")

    mail = Recording.to(ANNA, BERT, answer=broken)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [message.route for message in mail.sent] == [BERT]
    assert len(store.outbox.deliveries(DeliveryState.PARKED)) == 1


def test_a_dead_channel_is_tried_once_per_drain_and_the_others_are_on_time(
    store: Store, clock: ClockAt
) -> None:
    mail = Recording.to(ANNA, BERT, answer=refuse("no answer", down=True))
    log = Recording.to(TO_LOG)
    days = 7
    for day in range(days):
        keep(store, an_id(1 + day), [change()], routes=[ANNA, BERT, TO_LOG], now=clock.now())
        before = len(mail.tried)
        drain(store, {ChannelKind.MAIL: mail, ChannelKind.LOG: log}, clock=clock)
        assert len(log.sent) == day + 1
        assert len(mail.tried) - before <= 1
        clock.at += timedelta(days=1)
    mail.answer = lambda _message: None
    drain(store, {ChannelKind.MAIL: mail, ChannelKind.LOG: log}, clock=clock)

    assert set(mail.event_counts().values()) == {1}
    for recipient in (ANNA, BERT):
        order = [s.nct_id for m in mail.sent if m.route == recipient for s in m.events]
        assert order == [an_id(1 + day) for day in range(days)]
    print(f"dead channel: {days} days, {2 * days - len(mail.event_counts())} lost, in order")


@pytest.mark.slow
def test_retries_of_a_message_are_limited(store: Store, clock: ClockAt) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    mail = Recording.to(ANNA, answer=refuse())

    for _ in range(100):
        drain(store, {ChannelKind.MAIL: mail}, clock=clock)
        clock.at += timedelta(hours=7)

    assert len(mail.tried) == MOST_ATTEMPTS
    assert len(store.outbox.deliveries(DeliveryState.PARKED)) == 1


def test_a_process_that_died_after_sending_sends_the_same_message_again(
    store: Store, clock: ClockAt
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())

    class Died(BaseException):
        pass

    def die(_message: Message) -> None:
        raise Died

    mail = Recording.to(ANNA, answer=die)
    with contextlib.suppress(Died):
        drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    keep(store, an_id(2), [change()], routes=[ANNA], now=clock.now())
    mail.answer = lambda _message: None
    clock.at += LEASE
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert mail.tried[0] == mail.tried[1]
    assert [[s.nct_id for s in m.events] for m in mail.sent] == [[an_id(1)], [an_id(2)]]


def test_two_drains_at_once_send_no_row_twice_and_keep_the_order_of_a_recipient(
    store: Store, clock: ClockAt
) -> None:
    """The second drain runs while the first one waits for the mail server."""
    keep(store, an_id(1), [change()], routes=[ANNA, BERT], now=clock.now())
    other = Recording.to(ANNA, BERT)

    def slow(message: Message) -> None:
        if message.route == ANNA and not other.tried:
            keep(store, an_id(2), [change()], routes=[ANNA, BERT], now=clock.now())
            clock.at += timedelta(seconds=MAIL_SECONDS)
            drain(store, {ChannelKind.MAIL: other}, clock=clock)
            other.tried.append("done")

    mail = Recording.to(ANNA, BERT, answer=slow)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    sent = mail.event_counts() + other.event_counts()
    anna = [s.nct_id for m in mail.sent if m.route == ANNA for s in m.events]
    print(f"two drains: {len(sent)} of 4 sent, {sum(sent.values()) - len(sent)} twice")
    assert set(sent.values()) == {1}
    assert len(sent) == 4
    assert [m for m in other.sent if m.route == ANNA] == []
    assert anna == [an_id(1), an_id(2)]


def test_a_drain_does_not_send_the_rows_of_a_run_in_progress(store: Store, clock: ClockAt) -> None:
    """Until it ends, the run may replace them with one notice."""
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    horizon = store.outbox.horizon()
    with store.unit() as unit:
        run_id = unit.runs.begin("sync", clock.now())
    keep(store, an_id(2), [change()], routes=[ANNA], now=clock.now(), run_id=run_id)
    mail = Recording.to(ANNA)

    drain(store, {ChannelKind.MAIL: mail}, clock=clock, horizon=horizon)
    during = [s.nct_id for m in mail.sent for s in m.events]
    with store.unit() as unit:
        unit.runs.finish(run_id, finished=clock.now(), verdict=Verdict.OK)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock, horizon=horizon)

    assert during == [an_id(1)]
    assert [s.nct_id for m in mail.sent for s in m.events] == [an_id(1), an_id(2)]


def test_a_stopped_drain_releases_the_rows_that_it_has_not_tried(
    store: Store, clock: ClockAt
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA, BERT], now=clock.now())

    class Ended(BaseException):
        pass

    def stopped(_message: Message) -> None:
        raise Ended

    with pytest.raises(Ended):
        drain(store, {ChannelKind.MAIL: Recording.to(ANNA, BERT, answer=stopped)}, clock=clock)

    states = {row.recipient: row.state for row in store.outbox.deliveries()}
    # the mail to Anna may have been sent: it is repeated only after the lease
    assert states == {
        ANNA.recipient: DeliveryState.CLAIMED,
        BERT.recipient: DeliveryState.PENDING,
    }


def test_a_stopped_drain_sends_no_further_message(store: Store, clock: ClockAt) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA, BERT], now=clock.now())
    mail = Recording.to(ANNA, BERT)

    def check() -> None:
        if mail.sent:
            raise Stopped("interrupted by a signal")

    with pytest.raises(Stopped):
        drain(store, {ChannelKind.MAIL: mail}, clock=clock, check=check)

    assert len(mail.sent) == 1
    states = Counter(row.state for row in store.outbox.deliveries())
    assert states == {DeliveryState.SENT: 1, DeliveryState.PENDING: 1}


def test_a_sent_message_is_marked_although_another_program_holds_the_database(
    store: Store, clock: ClockAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    mark_sent, failures = OutboxWrites.mark_sent, iter(range(3))

    def locked(self: OutboxWrites, *given: Any, **more: Any) -> int:
        if next(failures, None) is not None:
            raise StoreLocked("ctsync.db is locked by another program; try again later")
        return mark_sent(self, *given, **more)

    monkeypatch.setattr(OutboxWrites, "mark_sent", locked)
    mail = Recording.to(ANNA)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert len(mail.sent) == len(store.outbox.deliveries(DeliveryState.SENT)) == 1


def test_a_delivery_to_a_removed_recipient_is_parked_with_the_reason(
    store: Store, clock: ClockAt
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())

    drain(store, {}, clock=clock)

    (row,) = store.outbox.deliveries(DeliveryState.PARKED)
    assert row.last_error == "mail to anna@example.org is no longer in the settings"


@pytest.mark.slow
def test_over_52_weeks_every_cadence_reports_every_event_once(store: Store, clock: ClockAt) -> None:
    clock.at = datetime(2026, 1, 1, 10, tzinfo=UTC)
    routes = [
        Route(ChannelKind.MAIL, f"{cadence}@{zone.lower().replace('/', '.')}.example",
              cadence=cadence, at="02:30", timezone=zone, minimum_level=Level.ROUTINE)
        for cadence in Cadence
        for zone in ("Europe/Berlin", "America/New_York")
    ]  # fmt: skip
    mail = Recording.to(*routes)
    happened = 0
    for day in range(52 * 7):
        if clock.at.weekday() < 3:
            events = [change(f"{n}") for n in range(day % 4)]
            keep(store, an_id(1 + day % 7), [*events, change("adm", Level.ADMINISTRATIVE)],
                 routes=routes, now=clock.now())  # fmt: skip
            happened += len(events)
        drain(store, {ChannelKind.MAIL: mail}, clock=clock)
        clock.at += timedelta(days=1)
    clock.at += timedelta(days=8)
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    event_counts = mail.event_counts()
    reported = Counter(recipient for recipient, _ in event_counts.elements())
    sums = {route.recipient: reported[route.recipient] for route in routes}
    print(f"52 weeks: {happened} events; sent per recipient: {sorted(set(sums.values()))}")
    assert set(sums.values()) == {happened}
    assert set(event_counts.values()) == {1}
    assert all(s.event.kind is Kind.STATUS for m in mail.sent for s in m.events)
    per_week = Counter(m.route.cadence for m in mail.sent)
    assert per_week[Cadence.WEEKLY] <= 2 * 53
