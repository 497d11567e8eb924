"""A resolver that never answers: each partner is given up within its deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ctsync.config.settings import SmtpSettings
from ctsync.dates import SystemClock
from ctsync.deliver.channels.email import MailChannel, SmtpLimits
from ctsync.deliver.channels.http_post import NoAnswer, post
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.monitor import Monitor
from ctsync.errors import RegistryUnreachable
from ctsync.registry.http.name_lookup import addresses_of, own_name
from ctsync.registry.http.transport import Transport
from tests.given_settings import given_section

HOST = "hanging.test"
LIMIT = 0.2
SOON = 2.0  # a loaded machine starts threads slowly


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A resolver that answers for no host before the test ends."""
    ends = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        ends.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    for name in ("getaddrinfo", "gethostbyaddr", "gethostbyname"):
        monkeypatch.setattr(socket, name, hang)
    yield
    ends.set()


def webhook() -> None:
    with pytest.raises(NoAnswer, match="no answer in time"):
        post(f"https://{HOST}/hook", b"{}", {}, seconds=LIMIT)


def ping() -> None:
    monitor = Monitor(f"http://{HOST}/uuid", seconds=LIMIT)
    monitor.start()
    monitor.wait()


def mail(security: str) -> None:
    settings = given_section(
        SmtpSettings, {"host": HOST, "port": 25, "security": security, "sender": "c@example.org"}
    )
    channel = MailChannel({}, settings, limits=SmtpLimits(reply=LIMIT))
    with pytest.raises(DeliveryError, match="no answer in time"):
        channel.try_login()


def registry() -> None:
    transport = Transport(
        f"https://{HOST}/api", clock=SystemClock(), deadline_seconds=LIMIT, retry_seconds=0
    )
    with pytest.raises(RegistryUnreachable, match=HOST):
        transport.get_json("/v2/version")
    transport.close()


PARTNERS: dict[str, Callable[[], None]] = {
    "webhook": webhook,
    "ping": ping,
    "mail with STARTTLS": lambda: mail("starttls"),
    "mail with TLS": lambda: mail("tls"),
    "registry": registry,
}


@pytest.mark.parametrize("name", PARTNERS)
def test_a_resolver_that_hangs_is_given_up_within_the_deadline(name: str) -> None:
    began = time.monotonic()
    PARTNERS[name]()
    took = time.monotonic() - began
    print(f"hanging resolver, {name}: given up after {took:.1f} s, limit {LIMIT} s")
    assert took < SOON


def test_a_mail_server_gets_an_address_if_our_own_name_is_not_found() -> None:
    assert own_name(seconds=LIMIT) == "[127.0.0.1]"


def test_an_address_needs_no_lookup() -> None:
    for host in ("127.0.0.1", "::1", "[::1]", "fe80::1%eth0"):
        assert addresses_of(host, 80, seconds=LIMIT) == (host,)
