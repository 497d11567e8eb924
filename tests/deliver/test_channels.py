"""Webhook, folder and apprise channels, monitor pings, heartbeat mails and previews."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ctsync.config.settings import ChannelSettings, Settings
from ctsync.deliver.channels.apprise import AppriseChannel
from ctsync.deliver.channels.channel import channels_from
from ctsync.deliver.channels.file import FileChannel
from ctsync.deliver.channels.webhook import MOST_LINES, WebhookChannel
from ctsync.deliver.heartbeat import send_heartbeats
from ctsync.deliver.message import DeliveryError, Message
from ctsync.deliver.monitor import Monitor
from ctsync.deliver.outbox import LEASE, drain
from ctsync.deliver.preview import preview, trial_message
from ctsync.errors import ConfigError
from ctsync.model import StoredEvent, Verdict
from ctsync.questions.schemas import schema
from ctsync.report.build import Scope
from ctsync.report.formats.feed import read_json_feed
from ctsync.report.rows.report_row import report_row
from ctsync.report.rows.row_json import to_json
from ctsync.route import ChannelKind, Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store
from tests.deliver.desk import ANNA, BERT, ClockAt, Recording, change, keep, refuse
from tests.deliver.webserver import web
from tests.registry_fixtures import an_id
from tests.report.examples import WINDOW, demo_events, stored

SECRET = "canary-51be"
NOW = datetime(2026, 3, 13, 15, tzinfo=UTC)
ROUTE = Route("webhook:team", "team")


def settings(url: str, **given: Any) -> ChannelSettings:
    return ChannelSettings.model_validate({"name": "team", "url": url, "secret": SECRET} | given)


def message(events: list[StoredEvent] | None = None, key: str = "key1") -> Message:
    reported = demo_events() if events is None else events
    return Message(key, ROUTE, ("demo",), tuple(reported), WINDOW, Scope("demo", 4), dict)


# --- webhook ---------------------------------------------------------------------------------


def test_a_webhook_gets_the_report_as_signed_json_with_its_identity() -> None:
    with web() as server:
        WebhookChannel({}, settings(f"{server.url}/hook?token=1")).send(message())
    (got,) = server.received

    sent = json.loads(got.body)
    expected = hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-Ctsync-Signature-256"] == f"sha256={expected}"
    assert got.headers["Idempotency-Key"] == sent["id"] == "key1"
    assert sent["report"]["shown"] == 6
    assert SECRET.encode() not in got.body


def test_a_webhook_names_the_schema_that_its_report_fits() -> None:
    with web() as server:
        WebhookChannel({}, settings(server.url)).send(message())
    (got,) = server.received

    sent = json.loads(got.body)
    assert sent["schema"] == "urn:ctsync:schema:report:1"
    published = schema("report")
    assert published["$id"] == sent["schema"]
    Draft202012Validator(published).validate(sent["report"])
    assert sent["report"] == to_json(report_row(message().report(limit=MOST_LINES)))


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (400, True),
        (413, True),
        (401, False),
        (404, False),
        (429, False),
        (500, False),
        (302, False),
    ],
)
def test_a_webhooks_answer_is_a_permanent_or_a_temporary_failure(
    status: int, *, permanent: bool
) -> None:
    with web(status, location="http://127.0.0.1:1/elsewhere") as server:
        hook = WebhookChannel({}, settings(server.url))
        with pytest.raises(DeliveryError, match=f"answered {status}") as failed:
            hook.send(message())

    assert failed.value.permanent is permanent
    assert failed.value.is_channel is not permanent
    assert len(server.received) == 1


def test_a_webhook_url_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with web() as server:
        url = f"{server.url}/services/{SECRET}"
    hook = WebhookChannel({}, settings(url))

    with pytest.raises(DeliveryError) as failed:
        hook.send(message())
    Monitor(url).success()

    assert str(failed.value) == "webhook: no connection"
    assert failed.value.is_channel
    assert SECRET not in caplog.text
    assert "monitor ping failed: no connection" in caplog.text


# --- folder ----------------------------------------------------------------------------------


def folder(path: Path, form: str) -> FileChannel:
    return FileChannel({}, settings(f"file://{path}?format={form}"))


def test_a_folder_keeps_a_feed_with_each_version_once(tmp_path: Path) -> None:
    channel = folder(tmp_path / "feed", "atom")
    channel.send(message(demo_events()[:3]))
    channel.send(message(demo_events()[:3]))
    channel.send(message([stored(change(), to_version=6, posted="2019-07-17")]))

    entries = read_json_feed((tmp_path / "feed" / "feed.json").read_text())
    versions = [entry.id for entry in entries if "#v" in entry.id]
    assert versions == [
        "https://clinicaltrials.gov/study/NCT01352702#v6",
        "https://clinicaltrials.gov/study/NCT01352702#v5",
    ]
    assert (tmp_path / "feed" / "feed.atom").read_text().count("<entry>") == len(entries)
    assert sorted(file.name for file in (tmp_path / "feed").iterdir()) == ["feed.atom", "feed.json"]


@pytest.mark.parametrize("form", ["html", "markdown", "text", "json", "csv"])
def test_a_message_sent_twice_is_written_to_the_same_file(form: str, tmp_path: Path) -> None:
    channel = folder(tmp_path, form)
    channel.send(message())
    channel.send(message())

    (file,) = tmp_path.iterdir()
    assert file.name.startswith("2019-07-17-key1.")
    assert "NCT01352702" in file.read_text()


def test_a_folder_that_cannot_be_written_is_a_channel_failure(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(DeliveryError, match="taken") as failed:
        folder(tmp_path / "taken", "text").send(message())
    assert failed.value.is_channel


def test_a_feed_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "feed.json").write_text('{"mine": 1}')

    with pytest.raises(DeliveryError, match="not a feed of ctsync"):
        folder(tmp_path, "atom").send(message())
    assert (tmp_path / "feed.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize("url", ["file://host/x", "file:///x?format=pdf"])
def test_a_wrong_folder_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="team"):
        FileChannel({}, settings(url))


# --- apprise ---------------------------------------------------------------------------------


class Apprise:
    """The part of apprise's interface that ctsync uses."""

    sent: list[dict[str, str]] = []  # noqa: RUF012 - reset by the fixture for each test
    works = True

    def add(self, url: str) -> bool:
        return url.startswith("slack://")

    def notify(self, **given: str) -> bool:
        self.sent.append(given)
        return self.works


@pytest.fixture
def apprise(monkeypatch: pytest.MonkeyPatch) -> type[Apprise]:
    module = ModuleType("apprise")
    module.__dict__["Apprise"] = Apprise
    monkeypatch.setitem(sys.modules, "apprise", module)
    monkeypatch.setattr(Apprise, "sent", [])
    monkeypatch.setattr(Apprise, "works", True)
    return Apprise


def test_apprise_gets_ten_trials_and_the_number_of_the_rest(apprise: type[Apprise]) -> None:
    many = [stored(change(), an_id(n)) for n in range(1, 26)]
    AppriseChannel({}, settings("slack://a/b/c")).send(message(many))

    (sent,) = apprise.sent
    first = 'Status: "RECRUITING" -> "COMPLETED" (NCT00000001)'
    assert sent["title"].startswith(f"25 notable: {first}; ")
    assert sent["body"].count("https://clinicaltrials.gov/study/") == 10
    assert "and 15 more of 25 trials: ctsync report" in sent["body"]


def test_a_failed_notification_raises_a_delivery_error(apprise: type[Apprise]) -> None:
    apprise.works = False
    with pytest.raises(DeliveryError, match="team: not accepted"):
        AppriseChannel({}, settings("slack://a/b/c")).send(message())
    with pytest.raises(DeliveryError, match="does not support this URL"):
        AppriseChannel({}, settings("nothing://a")).send(message())


def test_without_apprise_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(DeliveryError, match=r"install ctsync\[notify\]"):
        AppriseChannel({}, settings("slack://a/b/c")).send(message())


# --- monitor (dead-man's switch) -------------------------------------------------------------


def test_a_monitor_gets_start_success_and_failure() -> None:
    with web() as server:
        monitor = Monitor(f"{server.url}/uuid/")
        monitor.start()
        monitor.success()
        monitor.failure("3 of 42 could not be checked\nforged")

    assert [got.path for got in server.received] == ["/uuid/start", "/uuid", "/uuid/fail"]
    assert server.received[-1].body == b"3 of 42 could not be checked\\nforged"


def test_a_monitor_that_is_down_stops_no_run(caplog: pytest.LogCaptureFixture) -> None:
    with web(503) as server:
        Monitor(server.url).start()
    Monitor("").start()

    assert "monitor ping failed: status 503" in caplog.text


# --- heartbeat mails -------------------------------------------------------------------------


def test_a_quiet_week_sends_one_heartbeat_if_asked_for_and_a_week_with_changes_none(
    store: Store, clock: ClockAt
) -> None:
    quiet = Route(ChannelKind.MAIL, "anna@example.org", at="08:00", heartbeat=True)
    mail = Recording.to(quiet, BERT)
    with store.unit() as unit:
        run = unit.runs.begin("sync", clock.now())
        unit.runs.finish(run, finished=clock.now(), verdict=Verdict.OK)
    beats = []
    for day in range(35):
        if day == 19:
            keep(store, an_id(1), [change()], routes=[quiet], now=clock.now())
            drain(store, {ChannelKind.MAIL: mail}, clock=clock)
        for _ in range(2):
            beats += [f"{clock.now():%a %d %b}"] * send_heartbeats(
                store, {ChannelKind.MAIL: mail}, clock=clock
            )
        clock.at += timedelta(days=1)

    assert beats == ["Mon 23 Mar", "Mon 30 Mar", "Mon 13 Apr"]
    quiets = [message for message in mail.sent if not message.events]
    assert {message.route.recipient for message in quiets} == {"anna@example.org"}
    assert len({message.key for message in quiets}) == 3
    assert quiets[0].report().subject.startswith("quiet: 0 of 0 trials changed")


def test_a_failed_heartbeat_is_retried(store: Store, clock: ClockAt) -> None:
    quiet = Route(ChannelKind.MAIL, "anna@example.org", heartbeat=True)
    with store.unit() as unit:
        unit.runs.begin("sync", clock.now() - timedelta(days=30))
    mail = Recording.to(quiet, answer=refuse())

    assert send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 0
    mail.answer = lambda _message: None
    assert send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 1
    assert mail.tried[0] == mail.tried[1]


# --- previews and test messages --------------------------------------------------------------


def test_a_preview_shows_what_a_drain_would_send_and_claims_nothing(
    store: Store, clock: ClockAt
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA, BERT], now=clock.now())
    mail = Recording.to(ANNA, BERT)

    pending = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [planned.due for planned in pending] == [clock.now()] * 2
    assert [planned.message.key for planned in pending] == [message.key for message in mail.sent]
    assert len(store.outbox.deliveries(DeliveryState.SENT)) == 2


def test_a_preview_shows_held_messages_with_the_reason_and_the_time_of_their_drain(
    store: Store, clock: ClockAt
) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    mail = Recording.to(ANNA, BERT, answer=refuse("452 busy"))
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    keep(store, an_id(2), [change()], routes=[ANNA, BERT], now=clock.now())

    to_bert, failed, behind = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())

    assert (to_bert.message.route, to_bert.due, to_bert.kept) == (BERT, clock.now(), "")
    later = clock.now() + timedelta(minutes=1)
    assert (failed.due, failed.kept) == (later, "failed: 452 busy")
    assert (behind.due, behind.kept) == (
        later,
        "waits for an earlier message that failed: 452 busy",
    )
    assert [s.nct_id for s in behind.message.events] == [an_id(2)]
    mail.answer = lambda _message: None
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    assert [message.key for message in mail.sent] == [to_bert.message.key]
    pending = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    assert pending[0].kept == "failed: 452 busy"
    assert (pending[1].due, pending[1].kept) == (
        later,
        "waits for an earlier message that failed: 452 busy",
    )
    clock.at = later
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    assert [m.key for m in mail.sent[1:]] == [failed.message.key, behind.message.key]


def test_a_preview_shows_messages_that_a_drain_has_claimed(store: Store, clock: ClockAt) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    mail = Recording.to(ANNA)
    with store.unit() as unit:
        unit.outbox.claim(clock.now(), lease=LEASE, limit=9, worker="another")

    (taken,) = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    assert (taken.due, taken.kept) == (clock.now() + LEASE, "being sent")
    clock.at += LEASE
    (free,) = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    assert (free.due, free.kept) == (clock.now(), "")


def test_a_test_message_says_that_it_is_a_test() -> None:
    report = trial_message(ANNA, now=NOW).report()

    assert "a test of this channel; no trial has changed" in report.trials[0].title


def test_every_channel_of_the_settings_is_built_without_connecting(tmp_path: Path) -> None:
    made = channels_from(
        Settings.model_validate(
            {
                "smtp": {"host": "mail.example.org", "sender": "ctsync@example.org"},
                "recipients": [{"email": "anna@example.org"}],
                "channels": [
                    {"name": "hook", "url": "https://hooks.example.org/x"},
                    {"name": "feed", "url": f"file://{tmp_path}"},
                    {"name": "chat", "url": "slack://a/b/c"},
                ],
            }
        )
    )

    assert list(made) == ["log", "mail", "webhook:hook", "file:feed", "notify:chat"]
    with pytest.raises(ConfigError, match=r"needs an \[smtp\] section"):
        channels_from(Settings.model_validate({"recipients": [{"email": "a@example.org"}]}))
