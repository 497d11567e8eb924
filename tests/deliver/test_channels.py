"""Webhook, folder, apprise, dead-man's switch, and the mail of a quiet week."""

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

from ctsync.config.settings import ChannelSettings, Settings
from ctsync.deliver.channels.apprise import AppriseChannel
from ctsync.deliver.channels.channel import channels_from
from ctsync.deliver.channels.file import FileChannel
from ctsync.deliver.channels.webhook import WebhookChannel
from ctsync.deliver.heartbeat import send_heartbeats
from ctsync.deliver.message import DeliveryError, Message
from ctsync.deliver.monitor import Monitor
from ctsync.deliver.outbox import LEASE, drain
from ctsync.deliver.preview import preview, trial_message
from ctsync.errors import ConfigError
from ctsync.model import StoredEvent, Verdict
from ctsync.report.build import Scope
from ctsync.report.formats.feed import read_json_feed
from ctsync.route import ChannelKind, Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store
from tests.deliver.desk import ANNA, BERT, ClockAt, Recording, change, keep, refuse, trial
from tests.deliver.webserver import web
from tests.report.examples import WINDOW, demo_events, stored

SECRET = "canary-51be"
NOW = datetime(2026, 3, 13, 15, tzinfo=UTC)
ROUTE = Route("webhook:team", "team")


def settings(url: str, **given: Any) -> ChannelSettings:
    return ChannelSettings.model_validate({"name": "team", "url": url, "secret": SECRET} | given)


def message(events: list[StoredEvent] | None = None, key: str = "key1") -> Message:
    told = demo_events() if events is None else events
    return Message(key, ROUTE, "demo", tuple(told), WINDOW, Scope("demo", 4), dict)


# --- webhook ---------------------------------------------------------------------------------


def test_a_webhook_gets_the_report_as_json_signed_and_with_its_identity() -> None:
    with web() as server:
        WebhookChannel({}, settings(f"{server.url}/hook?token=1")).send(message())
    (got,) = server.received

    told = json.loads(got.body)
    expected = hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-Ctsync-Signature-256"] == f"sha256={expected}"
    assert got.headers["Idempotency-Key"] == told["id"] == "key1"
    assert told["report"]["shown"] == 6
    assert SECRET.encode() not in got.body


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
def test_what_a_webhook_answers_is_read_as_lasting_or_passing(
    status: int, *, permanent: bool
) -> None:
    with web(status, location="http://127.0.0.1:1/elsewhere") as server:
        hook = WebhookChannel({}, settings(server.url))
        with pytest.raises(DeliveryError, match=f"answered {status}") as failed:
            hook.send(message())

    assert failed.value.permanent is permanent
    assert failed.value.is_channel is not permanent
    assert len(server.received) == 1


def test_a_web_address_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
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


def test_a_folder_keeps_a_feed_in_which_each_version_stands_once(tmp_path: Path) -> None:
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
def test_a_message_sent_twice_is_the_same_file(form: str, tmp_path: Path) -> None:
    channel = folder(tmp_path, form)
    channel.send(message())
    channel.send(message())

    (file,) = tmp_path.iterdir()
    assert file.name.startswith("2019-07-17-key1.")
    assert "NCT01352702" in file.read_text()


def test_a_folder_that_cannot_be_written_is_a_failure_of_the_channel(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(DeliveryError, match="taken") as failed:
        folder(tmp_path / "taken", "text").send(message())
    assert failed.value.is_channel


def test_a_feed_that_someone_else_wrote_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "feed.json").write_text('{"mine": 1}')

    with pytest.raises(DeliveryError, match="not a feed of ctsync"):
        folder(tmp_path, "atom").send(message())
    assert (tmp_path / "feed.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize("url", ["file://host/x", "file:///x?format=pdf"])
def test_a_folder_url_that_makes_no_sense_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="team"):
        FileChannel({}, settings(url))


# --- apprise ---------------------------------------------------------------------------------


class Apprise:
    """What apprise offers of itself, as far as ctsync uses it."""

    told: list[dict[str, str]] = []  # noqa: RUF012 - the one test's record
    went = True

    def add(self, url: str) -> bool:
        return url.startswith("slack://")

    def notify(self, **given: str) -> bool:
        self.told.append(given)
        return self.went


@pytest.fixture
def apprise(monkeypatch: pytest.MonkeyPatch) -> type[Apprise]:
    module = ModuleType("apprise")
    module.__dict__["Apprise"] = Apprise
    monkeypatch.setitem(sys.modules, "apprise", module)
    monkeypatch.setattr(Apprise, "told", [])
    monkeypatch.setattr(Apprise, "went", True)
    return Apprise


def test_apprise_gets_ten_trials_and_the_count_of_the_rest(apprise: type[Apprise]) -> None:
    many = [stored(change(), trial(n)) for n in range(1, 26)]
    AppriseChannel({}, settings("slack://a/b/c")).send(message(many))

    (told,) = apprise.told
    assert told["title"].startswith("[ctsync] 25 notable")
    assert told["body"].count("https://clinicaltrials.gov/study/") == 10
    assert "and 15 more of 25 trials: ctsync report" in told["body"]


def test_a_notification_that_did_not_go_is_tried_again(apprise: type[Apprise]) -> None:
    apprise.went = False
    with pytest.raises(DeliveryError, match="team: not taken"):
        AppriseChannel({}, settings("slack://a/b/c")).send(message())
    with pytest.raises(DeliveryError, match="does not know such a URL"):
        AppriseChannel({}, settings("nothing://a")).send(message())


def test_without_apprise_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(DeliveryError, match=r"install ctsync\[notify\]"):
        AppriseChannel({}, settings("slack://a/b/c")).send(message())


# --- the dead-man's switch -------------------------------------------------------------------


def test_a_monitor_is_told_of_start_success_and_failure() -> None:
    with web() as server:
        monitor = Monitor(f"{server.url}/uuid/")
        monitor.start()
        monitor.success()
        monitor.failure("3 of 42 could not be checked\nforged")

    assert [got.path for got in server.received] == ["/uuid/start", "/uuid", "/uuid/fail"]
    assert server.received[-1].body == b"3 of 42 could not be checked\\nforged"


def test_a_monitor_that_is_down_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with web(503) as server:
        Monitor(server.url).start()
    Monitor("").start()

    assert "monitor ping failed: status 503" in caplog.text


# --- the mail of a quiet week ----------------------------------------------------------------


def test_a_quiet_week_is_told_once_to_who_asked_for_it_and_a_full_one_to_nobody(
    store: Store, clock: ClockAt
) -> None:
    quiet = Route(ChannelKind.MAIL, "anna@example.org", at="08:00", heartbeat=True)
    mail = Recording.to(quiet, BERT)
    with store.unit() as unit:
        run = unit.begin_run("sync", clock.now())
        unit.finish_run(run, finished=clock.now(), verdict=Verdict.OK)
    beats = []
    for day in range(35):
        if day == 19:
            keep(store, trial(1), [change()], routes=[quiet], now=clock.now())
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
    assert quiets[0].report().subject.startswith("[ctsync] quiet: 0 of 0 trials changed")


def test_a_quiet_mail_that_fails_is_tried_again(store: Store, clock: ClockAt) -> None:
    quiet = Route(ChannelKind.MAIL, "anna@example.org", heartbeat=True)
    with store.unit() as unit:
        unit.begin_run("sync", clock.now() - timedelta(days=30))
    mail = Recording.to(quiet, answer=refuse())

    assert send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 0
    mail.answer = lambda _message: None
    assert send_heartbeats(store, {ChannelKind.MAIL: mail}, clock=clock) == 1
    assert mail.tried[0] == mail.tried[1]


# --- trying and looking ahead ----------------------------------------------------------------


def test_a_preview_shows_what_a_drain_would_send_and_claims_nothing(
    store: Store, clock: ClockAt
) -> None:
    keep(store, trial(1), [change()], routes=[ANNA, BERT], now=clock.now())
    mail = Recording.to(ANNA, BERT)

    told = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert [planned.due for planned in told] == [clock.now()] * 2
    assert [planned.message.key for planned in told] == [message.key for message in mail.sent]
    assert len(store.deliveries(DeliveryState.SENT)) == 2


def test_a_preview_shows_what_is_kept_back_and_why_and_its_times_are_those_of_the_drains(
    store: Store, clock: ClockAt
) -> None:
    keep(store, trial(1), [change()], routes=[ANNA], now=clock.now())
    mail = Recording.to(ANNA, BERT, answer=refuse("452 busy"))
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    keep(store, trial(2), [change()], routes=[ANNA, BERT], now=clock.now())

    to_bert, failed, behind = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())

    assert (to_bert.message.route, to_bert.due, to_bert.kept) == (BERT, clock.now(), "")
    later = clock.now() + timedelta(minutes=1)
    assert (failed.due, failed.kept) == (later, "failed: 452 busy")
    assert (behind.due, behind.kept) == (later, "behind one that failed: 452 busy")
    assert [s.nct_id for s in behind.message.events] == [trial(2)]
    mail.answer = lambda _message: None
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    assert [message.key for message in mail.sent] == [to_bert.message.key]
    told = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    assert told[0].kept == "failed: 452 busy"
    assert (told[1].due, told[1].kept) == (later, "behind one that failed: 452 busy")
    clock.at = later
    drain(store, {ChannelKind.MAIL: mail}, clock=clock)
    assert [m.key for m in mail.sent[1:]] == [failed.message.key, behind.message.key]


def test_a_preview_shows_what_a_drain_has_taken_and_may_have_died_with(
    store: Store, clock: ClockAt
) -> None:
    keep(store, trial(1), [change()], routes=[ANNA], now=clock.now())
    mail = Recording.to(ANNA)
    with store.unit() as unit:
        unit.claim(clock.now(), lease=LEASE, limit=9, worker="another")

    (taken,) = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    assert (taken.due, taken.kept) == (clock.now() + LEASE, "a drain has it")
    clock.at += LEASE
    (free,) = preview(store, {ChannelKind.MAIL: mail}, now=clock.now())
    assert (free.due, free.kept) == (clock.now(), "")


def test_a_test_message_says_that_it_is_one() -> None:
    told = trial_message(ANNA, now=NOW).report()

    assert "a test of this channel; no trial has changed" in told.trials[0].title


def test_every_channel_of_the_settings_is_made_without_connecting(tmp_path: Path) -> None:
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
    with pytest.raises(ConfigError, match=r"no \[smtp\] section"):
        channels_from(Settings.model_validate({"recipients": [{"email": "a@example.org"}]}))
