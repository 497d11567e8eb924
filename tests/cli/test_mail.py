"""Mails sent by commands through a real server with STARTTLS and a login."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.cli.conftest import SEED, Shell
from tests.deliver.mailserver import Server, make_certificate, running
from tests.replay.registry_server import ReplayRegistry

STATUS = "protocolSection.statusModule.overallStatus"
VERIFIED = "protocolSection.statusModule.statusVerifiedDate"
OTHER = "NCT05935098"
PASSWORD = "correct horse"
SETTINGS = """
[smtp]
host = "127.0.0.1"
port = {port}
username = "ctsync"
password = "file:password"
sender = "ctsync <ctsync@example.org>"
ca_file = "127.0.0.1.pem"
[[watches]]
name = "graft failure"
trials = ["NCT03389919"]
[[watches]]
name = "both"
trials = ["NCT03389919", "NCT05935098"]
[[recipients]]
email = "anna@example.org"
watches = ["both"]
[[recipients]]
email = "bert@example.org"
watches = ["graft failure"]
minimum_level = "critical"
layout = "per-trial"
[[recipients]]
email = "cleo@example.org"
cadence = "weekly"
minimum_level = "administrative"
"""


THREE = """
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "ctsync <ctsync@example.org>"
[[watches]]
name = "graft failure"
trials = ["NCT03389919"]
[[watches]]
name = "both"
trials = ["NCT03389919", "NCT05935098"]
[[watches]]
name = "competitors"
trials = ["NCT05935098"]
[[recipients]]
email = "dora@example.org"
[web]
url = "https://trials.example.org/"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    certificate = make_certificate(tmp_path, "127.0.0.1")
    with running(
        tls_context=certificate.context(), require_starttls=True, auth_required=True
    ) as listening:
        yield listening


@pytest.fixture
def mailing(shell: Shell, server: Server, tmp_path: Path) -> Shell:
    """A shell with three recipients, after the first sync."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "ctsync.toml").write_text(SETTINGS.format(port=server.port))
    shell.run("sync")
    return shell


def received(server: Server) -> list[tuple[str, str]]:
    return [(mail["To"].split("@")[0], mail["Subject"]) for mail in server.mails]


def test_a_first_sync_sends_each_recipient_one_welcome(mailing: Shell, server: Server) -> None:
    assert Counter(to for to, _ in received(server)) == {"anna": 1, "bert": 1, "cleo": 1}
    assert dict(received(server)) == {
        "anna": "Now following 2 trials: both",
        "bert": "Now following 1 trial: graft failure",
        "cleo": "Now following 2 trials: both, graft failure",
    }
    assert server.logins == [(b"ctsync", PASSWORD.encode())]
    assert PASSWORD.encode() not in bytes(server.received)
    mailing.run("sync")
    assert len(server.mails) == 3
    assert [run["delivered"] for run in mailing.json("runs", "--json")] == [0, 3]
    assert "messages sent     3\n" in mailing.run("runs", "1").stdout


def test_a_sync_that_does_not_send_leaves_each_message_to_a_retry(
    shell: Shell, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "ctsync.toml").write_text(SETTINGS.format(port=server.port))
    kept = shell.run("sync", "--no-send")
    assert "stored as baseline" in kept.stderr
    assert server.mails == []
    shell.run("outbox", "retry")
    shell.run("outbox", "retry")
    print(f"no-send: 0 sent by the sync, {len(server.mails)} by the retries")
    assert Counter(to for to, _ in received(server)) == {"anna": 1, "bert": 1, "cleo": 1}


@pytest.mark.slow
def test_each_recipient_gets_its_changes_in_one_thread(
    mailing: Shell, server: Server, registry: ReplayRegistry
) -> None:
    welcomes = {mail["To"]: mail["Message-ID"] for mail in server.mails}
    server.mails.clear()
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    registry.catalogue.edit(OTHER, {VERIFIED: "2026-02"})
    mailing.run("sync")

    anna, bert = server.mails
    assert anna["Subject"].endswith(f"Terminated ({SEED})")
    assert bert["Subject"] == anna["Subject"]
    assert "Updated, only administrative fields: 1 of 2 trials." in anna.as_string()
    for mail in (anna, bert):
        assert mail["In-Reply-To"] == mail["References"] == welcomes[mail["To"]]
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["List-Id"].endswith(".ctsync.example.org>")
        text, html = mail.iter_parts()
        assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
        assert max(map(len, text.get_content().splitlines())) <= 76
        assert max(map(len, mail.as_bytes().splitlines())) < 998
    (weekly,) = mailing.json("notify", "--preview", "--json")
    assert weekly["recipient"] == "cleo@example.org"


@pytest.mark.slow
def test_after_an_outage_every_change_arrives_once_and_in_order(
    mailing: Shell, server: Server, registry: ReplayRegistry
) -> None:
    server.mails.clear()
    server.script = lambda _server, stage: "454 not now" if stage.startswith("mail") else None
    for status in ("SUSPENDED", "RECRUITING", "TERMINATED"):
        registry.catalogue.advance()
        registry.catalogue.edit(SEED, {STATUS: status})
        assert "will be retried: ctsync outbox list" in mailing.run("sync").stderr
    waiting = {row["state"] for row in mailing.json("outbox", "list", "--json")}
    assert waiting == {"pending"}
    server.script = lambda _server, _stage: None
    mailing.run("outbox", "retry")

    bodies = [mail.get_body(("plain",)) for mail in server.mails if "anna" in mail["To"]]
    text = "\n".join(part.get_content() for part in bodies if part)
    steps = ["Recruiting -> Suspended", "Suspended -> Recruiting", "Recruiting -> Terminated"]
    assert [text.count(step) for step in steps] == [1, 1, 1]
    assert sorted(steps, key=text.index) == steps
    assert "seen 2026-02-03" in text  # each change has its own day
    print(f"outage: {len(steps)} changes, {len(server.mails)} mails after it, 0 lost, in order")


@pytest.mark.slow
def test_a_permanently_refused_mail_is_shown_and_stops_no_other(
    mailing: Shell, server: Server, registry: ReplayRegistry
) -> None:
    server.mails.clear()
    server.script = lambda _server, stage: "550 no such user" if "anna" in stage else None
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    assert "1 parked, see: ctsync outbox list" in mailing.run("sync").stderr
    assert [to for to, _ in received(server)] == ["bert"]
    parked = [r for r in mailing.json("outbox", "list", "--json") if r["state"] == "parked"]
    assert {row["last_error"] for row in parked} == {"550 no such user"}
    mailing.run("status", exit_code=7)
    server.script = lambda _server, _stage: None
    mailing.run("outbox", "retry")
    mailing.run("status")
    assert [to for to, _ in received(server)] == ["bert", "anna"]


def parts(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    return text.get_content(), html.get_content()


def test_a_recipient_of_three_watches_gets_one_mail_per_round_with_links_to_the_pages(
    shell: Shell, tmp_path: Path, registry: ReplayRegistry
) -> None:
    with running() as server:
        (tmp_path / "ctsync.toml").write_text(THREE.format(port=server.port))
        shell.run("sync")
        registry.catalogue.advance()
        for trial in (SEED, OTHER):
            registry.catalogue.edit(trial, {STATUS: "TERMINATED"})
        shell.run("sync")

    welcome, digest = server.mails
    assert welcome["Subject"] == "Now following 2 trials: both, competitors, graft failure"
    assert digest["Subject"].startswith("2 critical: ")
    assert digest["In-Reply-To"] == welcome["Message-ID"]
    assert {mail["List-Id"] for mail in server.mails} == {"<all.ctsync.example.org>"}
    for mail in server.mails:
        assert mail["List-Unsubscribe"] == "<mailto:ctsync@example.org?subject=unsubscribe>"
        assert 'href="https://trials.example.org/trials/NCT03389919.html"' in parts(mail)[1]
    text, html = parts(digest)
    assert text.count("\n1. NCT") == text.count("\n2. NCT") == 1
    for part in (text, html):
        assert "https://trials.example.org/trials/NCT03389919.html" in part
        assert "Watches: both, graft failure" in part
        assert "Watches: both, competitors" in part


@pytest.mark.slow
def test_a_second_sync_on_one_day_sends_no_mail_and_no_alarm(
    mailing: Shell, server: Server, registry: ReplayRegistry
) -> None:
    server.mails.clear()
    mailing.run("sync")
    assert server.mails == []
    registry.catalogue.advance()
    registry.catalogue.edit(SEED, {STATUS: "TERMINATED"})
    mailing.run("sync")
    mailing.run("sync")

    assert [to for to, _ in received(server)] == ["anna", "bert"]
    for mail in server.mails:
        assert not any("not refreshed" in part for part in parts(mail))
