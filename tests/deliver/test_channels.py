"""Webhook, folder and apprise channels, monitor pings, heartbeat mails and previews."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ctsync.config.settings import ChannelSettings
from ctsync.deliver.channels import apprise as apprise_channel
from ctsync.deliver.channels import http_post
from ctsync.deliver.channels.apprise import AppriseChannel
from ctsync.deliver.channels.channel import channels_from
from ctsync.deliver.channels.email import MAIL_SECONDS
from ctsync.deliver.channels.file import FileChannel
from ctsync.deliver.channels.webhook import MOST_LINES, WebhookChannel
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.heartbeat import send_heartbeats
from ctsync.deliver.message import Message
from ctsync.deliver.monitor import DEADLINE_SECONDS as PING_SECONDS
from ctsync.deliver.monitor import Monitor
from ctsync.deliver.outbox import LEASE, drain
from ctsync.deliver.preview import preview, trial_message
from ctsync.errors import ConfigError
from ctsync.model import Level, StoredEvent, Verdict
from ctsync.questions.schemas import schema
from ctsync.report.build import Scope
from ctsync.report.formats.feed import read_json_feed
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.rows.report_row import report_row
from ctsync.report.rows.row_json import to_json
from ctsync.route import ChannelKind, Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store
from tests.deliver.desk import ANNA, BERT, ClockAt, Recording, change, keep, refuse
from tests.deliver.dripserver import Talk, dripping, http, http_body, in_time, silent
from tests.deliver.webserver import web
from tests.given_settings import given_section, given_settings
from tests.registry_fixtures import an_id
from tests.report.examples import WINDOW, demo_events, stored

SECRET = "canary-51be"
NOW = datetime(2026, 3, 13, 15, tzinfo=UTC)
ROUTE = Route("webhook:team", "team")


def settings(url: str, **given: Any) -> ChannelSettings:
    return given_section(ChannelSettings, {"name": "team", "url": url, "secret": SECRET} | given)


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
    monitor = Monitor(url)
    monitor.success()
    monitor.wait()

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


@pytest.mark.parametrize(
    ("form", "linked"),
    [("html", True), ("markdown", True), ("text", True), ("atom", True), ("json", False)],
)
def test_files_for_people_link_to_the_pages_of_web_url(
    form: str, tmp_path: Path, *, linked: bool
) -> None:
    url = f"file://{tmp_path}?format={form}"
    site = "https://trials.example.org"
    FileChannel({}, settings(url), site=site).send(message())
    written = "".join(file.read_text() for file in tmp_path.iterdir())

    assert (f"{site}/trials/NCT01352702.html" in written) is linked


@pytest.mark.parametrize(("form", "files"), [("text", 1), ("atom", 2)])
def test_a_folder_shows_a_file_only_when_it_is_complete_and_on_the_disk(
    form: str, files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, list[str]]] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        visible = [one.name for one in tmp_path.iterdir() if not one.name.startswith(".")]
        synced.append((os.fstat(descriptor).st_size, visible))

    monkeypatch.setattr(os, "fsync", watched)
    folder(tmp_path, form).send(message())

    sizes = sorted(one.stat().st_size for one in tmp_path.iterdir())
    assert sorted(size for size, _ in synced) == sizes
    assert [len(visible) for _, visible in synced] == list(range(files))


def test_a_link_in_the_folder_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "private.txt"
    target.write_text("not ours")
    monkeypatch.setattr(secrets, "token_hex", lambda _: "guessed")
    place = tmp_path / "feed"
    place.mkdir()
    (place / ".2019-07-17-key1.txt.guessed").symlink_to(target)

    with pytest.raises(DeliveryError, match="File exists"):
        folder(place, "text").send(message())
    assert target.read_text() == "not ours"


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


FAKE = """
import json, pathlib, types
OverflowMode = types.SimpleNamespace(SPLIT="split")
class Apprise:
    def __init__(self):
        self.services = []
    def __iter__(self):
        return iter(self.services)
    def add(self, url):
        if url.startswith("slack://"):
            self.services.append(types.SimpleNamespace(overflow_mode="upstream"))
        return bool(self.services)
    def notify(self, **given):
        assert all(one.overflow_mode == "split" for one in self.services)
        pathlib.Path(__file__).with_name("sent.json").write_text(json.dumps(given))
        return WORKS
"""
"""The part of apprise's interface that ctsync uses."""


@pytest.fixture
def apprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that installs a module as apprise, and returns the file that it writes."""
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)

    def install(source: str) -> Path:
        (tmp_path / "apprise.py").write_text(source)
        return tmp_path / "sent.json"

    return install


def chat(url: str = "slack://a/b/c", **given: Any) -> AppriseChannel:
    return AppriseChannel({}, settings(url), **given)


def test_apprise_gets_ten_trials_and_the_number_of_the_rest(
    apprise: Callable[[str], Path],
) -> None:
    many = [stored(change(), an_id(n)) for n in range(1, 26)]
    file = apprise(FAKE.replace("WORKS", "True"))
    chat().send(message(many))

    sent = json.loads(file.read_text())
    first = 'Status: "RECRUITING" -> "COMPLETED" (NCT00000001)'
    assert sent["title"].startswith(f"25 notable: {first}; ")
    assert sent["body"].count("https://clinicaltrials.gov/study/") == 10
    assert "and 15 more of 25 trials: ctsync report" in sent["body"]

    chat(site="https://trials.example.org").send(message(many))
    body = json.loads(file.read_text())["body"]
    assert body.count("https://trials.example.org/trials/NCT000000") == 10
    assert "and 15 more of 25 trials: https://trials.example.org/" in body


@pytest.mark.parametrize(("length", "end"), [(200, " 2019-07-17"), (201, " characters)")])
def test_a_title_of_200_characters_is_sent_complete_and_a_longer_one_is_cut(
    length: int, end: str, apprise: Callable[[str], Path]
) -> None:
    minor = [stored(change(level=Level.ADMINISTRATIVE), an_id(1))]
    short = message(minor)
    padding = "x" * (length - len(short.report().subject))
    file = apprise(FAKE.replace("WORKS", "True"))
    chat().send(replace(short, scope=Scope(f"demo{padding}", 4)))

    title = json.loads(file.read_text())["title"]
    assert len(title) <= 200
    assert title.endswith(end)


def test_a_failed_notification_raises_a_delivery_error(apprise: Callable[[str], Path]) -> None:
    apprise(FAKE.replace("WORKS", "False"))
    with pytest.raises(DeliveryError, match="team: not accepted"):
        chat().send(message())
    with pytest.raises(DeliveryError, match="does not support this URL"):
        chat("nothing://a").send(message())


def test_without_apprise_the_error_names_the_extra(apprise: Callable[[str], Path]) -> None:
    apprise("raise ImportError")

    with pytest.raises(DeliveryError, match=r"install ctsync\[notify\]"):
        chat().send(message())


def test_apprise_is_killed_at_its_deadline(
    apprise: Callable[[str], Path],
) -> None:
    apprise("import time; time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="team: no answer in time") as failed:
        chat(seconds=0.5).send(message())
    took = time.monotonic() - began
    print(f"apprise: no end within 0.5 s, killed after {took:.1f} s")
    assert failed.value.is_channel
    assert took < 5


# --- monitor (dead-man's switch) -------------------------------------------------------------


def test_a_monitor_gets_start_success_and_failure() -> None:
    with web() as server:
        monitor = Monitor(f"{server.url}/uuid/")
        monitor.start()
        monitor.success()
        monitor.failure("3 of 42 could not be checked\nforged")
        monitor.wait()

    assert [got.path for got in server.received] == ["/uuid/start", "/uuid", "/uuid/fail"]
    assert server.received[-1].body == b"3 of 42 could not be checked\\nforged"


def test_a_monitor_that_is_down_stops_no_run(caplog: pytest.LogCaptureFixture) -> None:
    with web(503) as server:
        for url in (server.url, ""):
            monitor = Monitor(url)
            monitor.success()
            monitor.wait()

    assert "monitor ping failed: status 503" in caplog.text


@pytest.mark.parametrize(
    ("url", "paths"),
    [
        ("/ping/uuid?create=1", ["/ping/uuid/start?create=1", "/ping/uuid?create=1"]),
        ("/uuid/#section", ["/uuid/start", "/uuid"]),
        ("?key=a/", ["/start?key=a/", "/?key=a/"]),
    ],
)
def test_a_suffix_of_the_monitor_goes_into_the_path(url: str, paths: list[str]) -> None:
    with web() as server:
        monitor = Monitor(server.url + url)
        monitor.start()
        monitor.success()
        monitor.wait()

    assert [got.path for got in server.received] == paths


@pytest.mark.slow
@pytest.mark.parametrize("talk", [http, silent])
def test_a_slow_monitor_delays_nothing_and_is_given_up_at_its_deadline(talk: Talk) -> None:
    with dripping(talk) as server:
        monitor = Monitor(server.url, seconds=0.3)
        began = time.monotonic()
        monitor.start()
        monitor.success()
        returned = time.monotonic() - began
        in_time(monitor.wait)
        ended = time.monotonic() - began
    print(f"monitor {talk.__name__}: returned after {returned:.2f} s, 2 pings ended {ended:.1f} s")
    assert returned < 0.3
    assert server.connections == 2


# --- time limits and credentials ---------------------------------------------------------------


@pytest.mark.parametrize("talk", [http, silent])
def test_a_webhook_is_given_up_at_its_deadline(talk: Talk) -> None:
    with dripping(talk) as server:
        hook = WebhookChannel({}, settings(server.url), seconds=0.5)
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="webhook: no answer in time") as failed:
            in_time(lambda: hook.send(message()))
        took = time.monotonic() - began
    print(f"webhook {talk.__name__}: limit 0.5 s, given up after {took:.1f} s")
    assert failed.value.is_channel


def test_the_default_deadlines_of_channels_are_shorter_than_a_lease() -> None:
    assert http_post.DEADLINE_SECONDS == 30
    assert PING_SECONDS == 15
    longest = max(http_post.DEADLINE_SECONDS, apprise_channel.DEADLINE_SECONDS, MAIL_SECONDS)
    print(f"deadlines: at most {longest:.0f} s per message, lease {LEASE.total_seconds():.0f} s")
    assert longest < LEASE.total_seconds()


def test_an_answer_with_an_endless_body_is_accepted() -> None:
    with dripping(http_body) as server:
        assert WebhookChannel({}, settings(server.url)).send(message()) == "answered 200"


def test_credentials_come_from_the_url_and_never_from_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login ctsync password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with web() as server:
        WebhookChannel({}, settings(server.url)).send(message())
        monitor = Monitor(server.url)
        monitor.success()
        monitor.wait()
        own = server.url.replace("http://", "http://me:p%40ss@")
        WebhookChannel({}, settings(own)).send(message())

    sent = [got.headers.get("Authorization") for got in server.received]
    print(f".netrc: 2 requests, {sum(map(bool, sent[:2]))} with its credentials")
    assert sent == [None, None, "Basic " + b64encode(b"me:p@ss").decode()]


def test_a_webhook_goes_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with web() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        WebhookChannel({}, settings("http://hooks.example.org/x")).send(message())

    assert [got.path for got in proxy.received] == ["http://hooks.example.org/x"]


# --- heartbeat mails -------------------------------------------------------------------------


def test_one_heartbeat_is_sent_per_quiet_week_to_recipients_who_enabled_it(
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


def test_a_heartbeat_is_known_by_the_name_that_earlier_versions_stored(
    store: Store, clock: ClockAt
) -> None:
    quiet = Route(ChannelKind.MAIL, "anna@example.org", heartbeat=True)
    with store.unit() as unit:
        unit.runs.begin("sync", clock.now() - timedelta(days=30))

    assert send_heartbeats(store, {ChannelKind.MAIL: Recording.to(quiet)}, clock=clock) == 1
    newest = store.runs.last()
    assert newest is not None
    # with another name, the week of an upgrade would bring a second heartbeat
    assert newest.kind == "heartbeat 0171e2ee94c71e197fdb"


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
    assert report.subject.startswith("Test message")
    assert "unknown" not in render(report, ReportFormat.TEXT).lower()


def test_every_channel_of_the_settings_is_built_without_connecting(tmp_path: Path) -> None:
    made = channels_from(
        given_settings(
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
        channels_from(given_settings({"recipients": [{"email": "a@example.org"}]}))
