"""The mail channel with a real SMTP server: headers, verified TLS, no loss, limited retries."""

from __future__ import annotations

import base64
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from ctsync.deliver.channels.email import VERDICT_SECONDS, MailChannel, SmtpLimits
from ctsync.deliver.channels.mail_message import MOST_BYTES, write_mail
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.deliver.outbox import drain
from ctsync.model import KeyFields, Kind, Level, StoredEvent
from ctsync.report.build import Scope
from ctsync.route import Cadence, ChannelKind, Layout, Route
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store
from ctsync.sync.doctor import CheckState, look_at_mail
from tests.deliver.desk import ClockAt, change, keep, watch
from tests.deliver.dripserver import (
    Connection,
    Talk,
    dripping,
    in_time,
    smtp_greeting,
    smtp_recipient,
    smtp_verdict,
)
from tests.deliver.mailserver import (
    SENDER,
    Certificate,
    Script,
    Server,
    make_certificate,
    running,
    smtp,
)
from tests.registry_fixtures import an_id
from tests.report.examples import WINDOW, demo_events, event, outcome, stored
from tests.security.attacks import ATTACKS

PASSWORD = "canary-7f3c91"
ANNA = Route(ChannelKind.MAIL, "Anna <anna@example.org>", layout=Layout.PER_TRIAL)


def channel(server: Server, *routes: Route, verdict: float = 600, **given: Any) -> MailChannel:
    by_recipient = {route.recipient: route for route in routes}
    limits = SmtpLimits(verdict=verdict)
    return MailChannel(by_recipient, smtp(server.port, **given), limits=limits)


def message(events: list[StoredEvent], key: str = "key1", watch_name: str = "GF watch") -> Message:
    scope = Scope(watch_name, 42)
    route = replace(ANNA, watches=(watch_name,))
    return Message(key, route, (watch_name,), tuple(events), WINDOW, scope, dict, thread="welcome")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(scope="session")
def wrong_host(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "elsewhere.example.org")


# --- content of a mail --------------------------------------------------------------------------


def test_a_mail_has_text_and_html_parts_and_the_headers_of_an_automatic_list() -> None:
    with running() as server:
        mail = channel(server, ANNA)
        mail.send(message(demo_events()))
        mail.close()
    (got,) = server.mails

    assert got["From"] == SENDER
    assert got["To"] == "Anna <anna@example.org>"
    assert got["Subject"].startswith("2 critical: Terminated (NCT01352702); ")
    assert got["Message-ID"] == "<key1@example.org>"
    assert re.fullmatch(r"<gf-watch-[0-9a-f]{8}\.ctsync\.example\.org>", got["List-Id"])
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["List-Unsubscribe"] == "<mailto:ctsync@example.org?subject=unsubscribe>"
    assert got["In-Reply-To"] == got["References"] == "<welcome@example.org>"
    assert got["Date"]
    assert [part.get_content_type() for part in got.iter_parts()] == ["text/plain", "text/html"]
    text = got.get_body(("plain",))
    assert text is not None
    assert "NCT01352702" in text.get_content()


def test_the_mails_to_a_recipient_form_one_thread_that_starts_with_its_welcome(
    store: Store, clock: ClockAt
) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", layout=Layout.PER_TRIAL, welcomes=True)
    watch(store, "melanoma", [an_id(1), an_id(2)], since=clock.now())
    for number in (1, 2, 1):
        keep(store, an_id(number), [change()], routes=[route], now=clock.now())
    with running() as server:
        drain(store, {ChannelKind.MAIL: channel(server, route)}, clock=clock)

    welcome, *changes = server.mails
    assert welcome["Subject"] == "Now following 2 trials: melanoma"
    assert welcome["In-Reply-To"] is None
    assert len(changes) == 2
    assert {mail["In-Reply-To"] for mail in changes} == {welcome["Message-ID"]}


@pytest.mark.parametrize(
    ("cadence", "words"),
    [
        (Cadence.IMMEDIATE, "You get a mail when one of"),
        (Cadence.DAILY, "You get at most one mail per day, at 08:00 UTC, when one of"),
        (Cadence.WEEKLY, "You get at most one mail per week, on Mondays at 08:00 UTC, when one of"),
    ],
)
def test_a_welcome_says_when_the_next_mail_comes(cadence: Cadence, words: str) -> None:
    route = Route(ChannelKind.MAIL, "anna@example.org", minimum_level=Level.NOTABLE,
                  watches=("melanoma",), cadence=cadence)  # fmt: skip
    keys = {an_id(1): KeyFields(status="RECRUITING")}
    welcome = Message("key", route, ("melanoma",), (), WINDOW, Scope("melanoma", 1), lambda: keys,
                      thread="key", is_welcome=True)  # fmt: skip
    mail = write_mail(welcome, sender=SENDER)
    for part in ("plain", "html"):
        body = mail.get_body((part,))
        assert body is not None
        text = " ".join(body.get_content().split())
        assert f"{words} these trials changes. Lowest level reported: notable." in text


@pytest.mark.slow
def test_remote_text_adds_no_header_and_no_recipient() -> None:
    extra, wrong = 0, 0
    expected = set(_header_names(write_mail(message([attacked("benign")]), sender=SENDER)))
    for text in ATTACKS:
        parsed = write_mail(message([attacked(text)], watch_name=text), sender=SENDER)
        raw = parsed.as_bytes().split(b"\r\n\r\n", 1)[0]
        names = re.findall(rb"^([A-Za-z-]+):", raw, re.MULTILINE)
        extra += len({name.decode() for name in names} - expected)
        wrong += parsed["To"] != "Anna <anna@example.org>"
    print(f"mail headers: {len(ATTACKS)} attacks, {extra} extra headers, {wrong} wrong recipients")
    assert (extra, wrong) == (0, 0)


def _header_names(mail: EmailMessage) -> Iterator[str]:
    return (name for name, _ in mail.items())


def attacked(text: str) -> StoredEvent:
    return stored(event(Kind.OTHER, label=text, summary=text, after=text), brief_title=text)


@pytest.mark.slow
def test_a_digest_of_5000_events_counts_the_changes_it_leaves_out() -> None:
    events = [
        stored(outcome("before " * 90, f"after {n} " * 90), an_id(1 + n % 700), to_version=n)
        for n in range(2, 5002)
    ]
    # not the peak of the process, which includes all earlier tests
    tracemalloc.start()
    mail = write_mail(message(events), sender=SENDER)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()

    size = len(mail.as_bytes())
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(
        r"Shown (\S+) of (\S+) changes; (\S+) administrative collapsed, (\S+) left out",
        re.sub(r"\s+", " ", body.get_content()),
    )
    assert found is not None
    shown, total, collapsed, left_out = (int(n.replace(",", "")) for n in found.groups())
    lines = len(re.findall(r"\[notable R-OUT-06\]", body.get_content()))
    print(
        f"digest: {total} events = {shown} shown + {collapsed} collapsed + {left_out} counted, "
        f"{size:,} bytes, peak {peak:.0f} MB"
    )
    assert lines == shown
    assert shown + collapsed + left_out == total == 5000
    assert size <= MOST_BYTES
    assert peak < 500


# --- failures -------------------------------------------------------------------------------------

Fault = Callable[[], Script]
MESSAGES = 50


def first_time(stage: str, reply: str, *, times: int = 1, total: int = 10**6) -> Fault:
    """Give this answer to the first `times` attempts of each mail at a stage, at most `total`."""

    def make() -> Script:
        seen: dict[str, int] = {}

        def script(_server: Server, at: str) -> str | None:
            if at.split(maxsplit=1)[0] != stage or sum(seen.values()) >= total:
                return None
            seen[at] = seen.get(at, 0) + 1
            return reply if seen[at] <= times else None

        return script

    return make


def always(stage: str, reply: str) -> Fault:
    return first_time(stage, reply, times=10**6)


FAULTS: dict[str, Fault] = {
    "ehlo 421": first_time("ehlo", "421 closing", times=2),
    "ehlo dropped": first_time("ehlo", "drop", times=2),
    "mail 451": first_time("mail", "451 busy", times=3),
    "mail 530": first_time("mail", "530 not now", times=2),
    "rcpt 450 (greylisted)": first_time("rcpt", "450 greylisted", times=4),
    "rcpt 550": always("rcpt", "550 no such user"),
    "data 452": first_time("data", "452 disk full", total=8),
    "data 554": always("data", "554 refused for its content"),
    "data 421": first_time("data", "421 shutting down", total=5),
    "dropped before accepted": first_time("data", "drop", total=8),
    "dropped after accepted": first_time("taken", "drop", total=8),
    "no answer in time": first_time("data", "hang", total=4),
}
REPEATS = {"dropped after accepted": 4}
"""Number of mails sent twice: if the server's answer is lost, the client cannot know that the
server accepted the mail. Every other mail is sent once."""

# a server that refuses a mail; the other faults are slow tests
FAST = {"data 554"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in FAULTS],
)
def test_no_server_fault_loses_a_mail_or_retries_it_endlessly(
    name: str, store: Store, clock: ClockAt
) -> None:
    for number in range(1, MESSAGES + 1):
        keep(store, an_id(number), [change()], routes=[ANNA], now=clock.now())
    rounds, problems = 0, list[str]()
    # a short time limit only if the server never answers: a busy machine must not reach it
    verdict = 0.5 if name == "no answer in time" else 600
    with running(FAULTS[name]()) as server:
        mail = channel(server, ANNA, verdict=verdict)
        while store.outbox.deliveries(DeliveryState.PENDING, DeliveryState.CLAIMED):
            problems += drain(store, {ChannelKind.MAIL: mail}, clock=clock).problems
            clock.at += timedelta(hours=7)
            rounds += 1
            assert rounds < 500

    parked = len(store.outbox.deliveries(DeliveryState.PARKED))
    sent = len(store.outbox.deliveries(DeliveryState.SENT))
    ids = [mail["Message-ID"] for mail in server.mails]
    lost, twice = MESSAGES - len(set(ids)) - parked, len(ids) - len(set(ids))
    print(
        f"smtp {name}: {MESSAGES} mails, {sent} sent, {parked} parked, {lost} lost, "
        f"{twice} twice with the same Message-ID, {rounds} rounds"
    )
    assert lost == 0
    assert sent + parked == MESSAGES
    if name == "no answer in time":
        # two mails hung; on a busy machine, more may exceed the half second
        assert twice <= sum("connection was lost" in problem for problem in problems) - 2
    else:
        assert twice == REPEATS.get(name, 0)


@pytest.mark.slow
def test_the_client_waits_for_a_server_that_accepts_a_mail_slowly() -> None:
    with running(lambda _server, stage: "slow" if stage.startswith("taken") else None) as server:
        limits = SmtpLimits(reply=0.5)
        impatient = MailChannel({ANNA.recipient: ANNA}, smtp(server.port), limits=limits)
        assert impatient.send(message(demo_events())) == "250 taken"
        assert impatient.send(message(demo_events(), key="key2")) == "250 taken"
        impatient.close()
    assert len(server.mails) == 2


@pytest.mark.parametrize("talk", [smtp_greeting, smtp_recipient, smtp_verdict])
def test_a_server_that_drips_its_answer_is_given_up_at_its_limit(talk: Talk) -> None:
    with dripping(talk) as server:
        limits = SmtpLimits(reply=0.3, transfer=0.6, verdict=0.3)
        mail = MailChannel({ANNA.recipient: ANNA}, smtp(server.port), limits=limits)
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="no answer in time"):
            in_time(lambda: mail.send(message(demo_events())))
        took = time.monotonic() - began
    print(f"{talk.__name__}: limits 0.6 + 0.3 s, given up after {took:.1f} s")
    assert took < 3


def test_the_replies_before_the_text_share_one_limit() -> None:
    """Each reply arrives within its own limit, so only the shared limit can end the mail."""

    def talk(connection: Connection) -> None:
        connection.say("220 here\r\n")
        while True:
            connection.line()
            connection.is_over(0.2)
            connection.say("250 fine\r\n")

    with dripping(talk) as server:
        limits = SmtpLimits(reply=5, transfer=0.3)
        mail = MailChannel({ANNA.recipient: ANNA}, smtp(server.port), limits=limits)
        with pytest.raises(DeliveryError, match="no answer in time"):
            in_time(lambda: mail.send(message(demo_events())))


def test_the_client_waits_ten_minutes_for_the_reply_to_a_mails_text() -> None:
    # RFC 5321, 4.5.3.2.6; the test above shows that this limit is the one that applies
    assert VERDICT_SECONDS == SmtpLimits().verdict == 600


def test_an_unreachable_server_is_a_channel_failure(store: Store, clock: ClockAt) -> None:
    keep(store, an_id(1), [change()], routes=[ANNA], now=clock.now())
    with running() as server:
        port = server.port
    mail = MailChannel({ANNA.recipient: ANNA}, smtp(port), limits=SmtpLimits(reply=2))

    result = drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    assert result.waiting == 1
    assert "no connection to 127.0.0.1" in result.problems[0]


def test_a_refused_recipient_does_not_stop_the_mail_to_another(
    store: Store, clock: ClockAt
) -> None:
    bert = Route(ChannelKind.MAIL, "bert@example.org")
    keep(store, an_id(1), [change()], routes=[ANNA, bert], now=clock.now())

    def script(_server: Server, stage: str) -> str | None:
        return "550 unknown" if "anna" in stage else None

    with running(script) as server:
        drain(store, {ChannelKind.MAIL: channel(server, ANNA, bert)}, clock=clock)

    assert [mail["To"] for mail in server.mails] == ["bert@example.org"]
    assert [row.last_error for row in store.outbox.deliveries(DeliveryState.PARKED)] == [
        "550 unknown"
    ]


@pytest.mark.slow
def test_one_bad_mail_among_100_leaves_99_delivered_once(store: Store, clock: ClockAt) -> None:
    for number in range(1, 101):
        title = "\r\nBcc: x@y.example\u2028\x00" if number == 7 else "fine"
        level = Level.CRITICAL
        keep(store, an_id(number), [change(level=level, label=title)], routes=[ANNA],
             now=clock.now())  # fmt: skip

    poison = store.outbox.deliveries()[49].dedup_key

    def script(_server: Server, stage: str) -> str | None:
        return "552 content refused" if stage.startswith("data") and poison in stage else None

    with running(script) as server:
        mail = channel(server, ANNA)
        drain(store, {ChannelKind.MAIL: mail}, clock=clock)
        clock.at += timedelta(days=20)
        drain(store, {ChannelKind.MAIL: mail}, clock=clock)

    ids = [mail["Message-ID"] for mail in server.mails]
    print(f"poison mail: 1 among 100, {len(set(ids))} delivered, {len(ids) - len(set(ids))} twice")
    assert len(ids) == len(set(ids)) == 99
    assert len(store.outbox.deliveries(DeliveryState.PARKED)) == 1


# --- international addresses ----------------------------------------------------------------------


def to(recipient: str) -> Message:
    return replace(message(demo_events()), route=replace(ANNA, recipient=recipient))


def test_an_international_domain_is_sent_as_ascii() -> None:
    route = Route(ChannelKind.MAIL, "Anna <anna@bücher.example>")
    with running() as server:
        mail = channel(server, route, sender="ctsync@größe.example")
        mail.send(to(route.recipient))
        mail.close()

    (got,) = server.mails
    commands = bytes(server.received).lower()  # smtplib's letters differ by Python
    assert b"rcpt to:<anna@xn--bcher-kva.example>" in commands
    assert b"mail from:<ctsync@xn--gre-6ka8i.example>" in commands
    assert got["To"] == "Anna <anna@xn--bcher-kva.example>"
    assert got["Message-ID"] == "<key1@xn--gre-6ka8i.example>"
    assert b"=?utf-8?" not in bytes(server.received).partition(b"Subject:")[0]


def test_an_address_beyond_ascii_is_sent_to_a_server_that_offers_smtputf8() -> None:
    with running(enable_SMTPUTF8=True) as server:
        mail = channel(server, sender="ctsync@example.org")
        mail.send(to("Jörg <jörg@bücher.example>"))
        mail.close()

    (got,) = server.mails
    commands = bytes(server.received).lower()
    assert "rcpt to:<jörg@xn--bcher-kva.example>".encode() in commands
    assert "To: Jörg <jörg@xn--bcher-kva.example>".encode() in server.received
    assert got["Message-ID"] == "<key1@example.org>"


def test_an_address_beyond_ascii_is_refused_without_smtputf8() -> None:
    with running() as server:
        mail = channel(server)
        with pytest.raises(DeliveryError, match="offers no SMTPUTF8") as failed:
            mail.send(to("jörg@example.org"))
        mail.close()

    assert failed.value.permanent
    assert not failed.value.is_channel
    assert server.mails == []


@pytest.mark.parametrize("offered", [True, False])
def test_doctor_checks_for_smtputf8_if_an_address_needs_it(*, offered: bool) -> None:
    with running(enable_SMTPUTF8=offered) as server:
        found = look_at_mail(smtp(server.port), ["anna@bücher.example", "jörg@example.org"])
        plain = look_at_mail(smtp(server.port), ["anna@bücher.example"])
    assert plain.condition is CheckState.OK
    assert (found.condition is CheckState.OK) is offered
    if not offered:
        assert "accepts only ASCII addresses, not jörg@example.org" in found.found


# --- TLS and the login ---------------------------------------------------------------------------


def login(certificate: Certificate | None, security: str = "starttls") -> dict[str, Any]:
    return {
        "security": security,
        "username": "ctsync",
        "password": PASSWORD,
        "ca_file": certificate.file if certificate else None,
    }


def holds_password(received: bytes) -> bool:
    """Check whether the password was sent unencrypted."""
    forms = (PASSWORD.encode(), base64.b64encode(PASSWORD.encode()),
             base64.b64encode(f"\0ctsync\0{PASSWORD}".encode()))  # fmt: skip
    return any(form in received for form in forms)


def test_starttls_with_a_trusted_certificate_logs_in_and_sends(certificate: Certificate) -> None:
    with running(tls_context=certificate.context(), auth_required=True) as server:
        mail = channel(server, ANNA, **login(certificate))
        mail.send(message(demo_events()))
        mail.close()

    assert server.logins == [(b"ctsync", PASSWORD.encode())]
    assert len(server.mails) == 1
    unencrypted, _, _ = bytes(server.received).partition(b"STARTTLS")
    assert not holds_password(unencrypted)


def test_tls_from_the_first_byte_works(certificate: Certificate) -> None:
    with running(ssl_context=certificate.context(), auth_require_tls=False) as server:
        mail = channel(server, ANNA, **login(certificate, "tls"))
        mail.send(message(demo_events()))
        mail.close()

    assert len(server.mails) == 1


def test_an_untrusted_server_gets_no_mail_and_no_password(
    certificate: Certificate, wrong_host: Certificate
) -> None:
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "self-signed": ({"tls_context": certificate.context()}, login(None)),
        "wrong host": ({"tls_context": wrong_host.context()}, login(wrong_host)),
        "stripped STARTTLS": ({}, login(certificate)),
    }
    refused = sent = 0
    for name, (given, settings) in cases.items():
        with running(auth_require_tls=False, **given) as server:
            mail = channel(server, ANNA, **settings)
            with pytest.raises(DeliveryError) as failed:
                mail.send(message(demo_events()))
            mail.close()
        refused += failed.value.is_channel and not server.mails
        sent += bool(server.logins) or holds_password(bytes(server.received))
        print(f"tls {name}: {failed.value}")
        assert PASSWORD not in str(failed.value)
    print(f"tls: {refused} of {len(cases)} refused, password sent {sent} times")
    assert (refused, sent) == (3, 0)


def test_a_refused_login_is_reported_without_the_servers_text(certificate: Certificate) -> None:
    with running(always("auth", "no")(), tls_context=certificate.context()) as server:
        mail = channel(server, ANNA, **login(certificate))
        with pytest.raises(DeliveryError, match=r"refuses the login \(535\)") as failed:
            mail.send(message(demo_events()))
        mail.close()

    assert failed.value.is_channel


def test_no_login_is_sent_without_tls() -> None:
    with running(auth_require_tls=False) as server:
        mail = channel(server, ANNA, **login(None, "none"))
        with pytest.raises(DeliveryError, match="never sent without TLS"):
            mail.send(message(demo_events()))
        mail.close()

    assert not server.logins


def test_a_missing_certificate_file_is_reported(tmp_path: Path) -> None:
    with running() as server:
        mail = channel(server, ANNA, security="starttls", ca_file=tmp_path / "none.pem")
        with pytest.raises(DeliveryError, match=r"ca_file: No such file"):
            mail.send(message(demo_events()))


@pytest.mark.parametrize("words", ["Head and… end", "Hôpitaux"])
def test_a_subject_arrives_as_it_was_written(words: str) -> None:
    """A subject with an encoded word at the fold arrived with a second blank."""
    changed = 0
    for n in range(1, 40, 4):
        left = event(Kind.LEFT, before=f"{'x' * n} Toronto {words} and", after=None)
        mail = write_mail(message([stored(left)]), sender=SENDER)
        head = mail.as_bytes().partition(b"\r\n\r\n")[0]
        changed += message_from_bytes(head, policy=default)["Subject"] != mail["Subject"]
    print(f"10 subjects with {words}: {changed} arrived changed")
    assert changed == 0


@pytest.mark.parametrize("recipient", ["anna@example.org", "άννα@example.org"])
def test_a_long_subject_in_another_script_arrives_as_it_was_written(recipient: str) -> None:
    """A server received a second blank, or none, where the encoded subject was folded."""
    words = [
        "Μελέτη",
        "της",
        "ασφάλειας",
        "και",
        "της",
        "αποτελεσματικότητας",
        "σε",
        "ασθενείς",
        "με",
        "λευχαιμία",
        "=?",
    ]
    routes = {recipient: replace(ANNA, recipient=recipient)}
    with running(enable_SMTPUTF8=True) as server:
        mail = channel(server, *routes.values())
        written = []
        for n in range(len(words) * 2):
            name = "x" * n + " " + " ".join(words[n % len(words) :] + words[: n % len(words)])
            left = stored(event(Kind.LEFT, before=name, after=None))
            sent = replace(message([left], key=f"key{n}"), route=routes[recipient])
            written.append(str(write_mail(sent, sender=SENDER)["Subject"]))
            mail.send(sent)
        mail.close()
    changed = sum(a != b["Subject"] for a, b in zip(written, server.mails, strict=True))
    print(f"{len(written)} subjects in Greek to {recipient}: {changed} arrived changed")
    assert changed == 0
