"""The real apprise (from the extra ctsync[notify]) with a receiver on localhost."""

from __future__ import annotations

import json
import logging
import re
import socket
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from ctsync.config.settings import ChannelSettings
from ctsync.deliver.channels.apprise import AppriseChannel
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.model import Kind, Level, NctId
from ctsync.report.build import Scope
from ctsync.route import Route
from tests.deliver.webserver import web
from tests.given_settings import given_section
from tests.report.examples import WINDOW, demo_events, event, stored

with warnings.catch_warnings():
    # apprise loads all plugins at the first URL; their warnings are not about our code
    warnings.simplefilter("ignore")
    apprise = pytest.importorskip(
        "apprise", reason="apprise is not installed; it comes with ctsync[notify]"
    )
    apprise.Apprise.instantiate("json://127.0.0.1")

TOKEN = "k4n4r1e"
ROUTE = Route("notify:chat", "chat")
MESSAGE = Message("key1", ROUTE, ("demo",), tuple(demo_events()), WINDOW, Scope("demo", 4), dict)


def chat(port: int) -> AppriseChannel:
    url = f"json://user:{TOKEN}@127.0.0.1:{port}/{TOKEN}"
    return AppriseChannel({}, given_section(ChannelSettings, {"name": "chat", "url": url}))


def test_apprise_sends_subject_and_rows_as_text() -> None:
    with web() as server:
        assert chat(int(server.url.rpartition(":")[2])).send(MESSAGE) == "accepted by apprise"

    (got,) = server.received
    sent = json.loads(got.body)
    assert sent["title"].startswith("2 critical: Terminated (NCT01352702); ")
    assert "critical NCT01352702 status -> Terminated" in sent["message"]
    assert "https://clinicaltrials.gov/study/NCT01352702" in sent["message"]


def test_text_from_the_registry_mentions_nobody_and_a_long_one_becomes_several_messages() -> None:
    """Rocket.Chat reads Markdown and @all in every text, and takes 1,000 characters."""
    attack = "@all @here <!channel> [our trial](https://attacker.example) " + "x " * 500
    events = [
        stored(
            event(Kind.OTHER, Level.CRITICAL, label=attack, before=attack, summary=attack),
            NctId(f"NCT{n:08}"), brief_title=attack, lead_sponsor=attack,
        )
        for n in range(1, 31)
    ]  # fmt: skip
    message = Message("key1", ROUTE, ("demo",), tuple(events), WINDOW, Scope("demo", 4), dict)
    with web() as server:
        url = f"rocket://{'a' * 24}/{'b' * 24}@{server.url.partition('//')[2]}/%23trials"
        settings = given_section(ChannelSettings, {"name": "chat", "url": url})
        AppriseChannel({}, settings).send(message)
    texts = [json.loads(got.body)["text"] for got in server.received]
    print(f"apprise: {len(texts)} messages of {[len(text) for text in texts]} characters")
    assert len(texts) > 1
    assert max(map(len, texts)) <= 1_000
    shown = "".join("".join(texts).split())  # a text is cut at a blank
    assert [f"NCT{n:08}" in shown for n in (1, 10)] == [True, True]
    assert "20moreof30trials" in shown
    assert "all" in shown
    assert re.findall(r"@(?:all|here)|<!|\]\(", shown) == []


@pytest.mark.parametrize("status", [401, 500])
def test_a_failed_notification_is_temporary_and_its_url_is_in_no_error_or_log(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with web(status) as server, pytest.raises(DeliveryError, match="chat: not accepted") as failed:
        chat(int(server.url.rpartition(":")[2])).send(MESSAGE)

    assert failed.value.is_channel
    assert not failed.value.permanent
    assert TOKEN not in caplog.text + repr(failed.value) + repr(failed.value.__cause__)


def test_the_service_gets_no_credentials_of_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login ctsync password {TOKEN}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with web() as server:
        AppriseChannel(
            {}, given_section(ChannelSettings, {"name": "chat", "url": f"json{server.url[4:]}"})
        ).send(MESSAGE)

    sent = [got.headers.get("Authorization") for got in server.received]
    print(f"apprise: {len(sent)} request, {sum(map(bool, sent))} with credentials of .netrc")
    assert sent == [None]


def test_the_url_of_an_unreachable_receiver_is_in_no_error_or_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(DeliveryError) as failed:
        chat(port).send(MESSAGE)
    assert TOKEN not in caplog.text + str(failed.value)
