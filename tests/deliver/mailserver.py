# ruff: noqa: N802 - the names of hooks are aiosmtpd's
"""A real SMTP server on localhost with scripted answers, and certificates for it."""

from __future__ import annotations

import asyncio
import email
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

from ctsync.config.settings import SmtpSettings
from tests.given_settings import given_section

SENDER = "ctsync <ctsync@example.org>"
Script = Callable[["Server", str], str | None]
"""Returns the answer at a stage (connect, ehlo, auth, mail, rcpt, data); None accepts it."""


@dataclass
class Server:
    """The state of the server: its script, and everything it received."""

    script: Script = lambda _server, _stage: None
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)

    def answer(self, stage: str) -> str | None:
        self.stages.append(stage)
        return self.script(self, stage)

    # --- aiosmtpd's hooks -----------------------------------------------------------------

    async def handle_EHLO(self, server: SMTP, session: Any, _envelope: Any, hostname: str,
                          responses: list[str]) -> list[str]:  # fmt: skip
        session.host_name = hostname
        refused = await self._answer(server, "ehlo")
        return [refused] if refused else responses

    async def handle_MAIL(self, server: SMTP, _session: Any, envelope: Any, address: str,
                          options: list[str]) -> str:  # fmt: skip
        refused = await self._answer(server, "mail")
        if refused is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refused or "250 OK"

    async def handle_RCPT(self, server: SMTP, _session: Any, envelope: Any, address: str,
                          _options: list[str]) -> str:  # fmt: skip
        refused = await self._answer(server, f"rcpt {address}")
        if refused is None:
            envelope.rcpt_tos.append(address)
        return refused or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        stage = f"data {mail['Message-ID']}"
        refused = await self._answer(server, stage)
        if refused is None:
            self.mails.append(mail)
            refused = await self._answer(server, f"taken {mail['Message-ID']}")
        return refused or "250 taken"

    async def _answer(self, server: SMTP, stage: str) -> str | None:
        answer = self.answer(stage)
        assert isinstance(server.transport, asyncio.Transport)
        if answer == "drop":
            server.transport.abort()
            raise ConnectionResetError
        if answer == "hang":
            while not server.transport.is_closing():  # until the client gives up
                await asyncio.sleep(0.01)
            raise ConnectionResetError
        if answer == "slow":
            await asyncio.sleep(1)
            return None
        return answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str,
                     data: Any) -> AuthResult:  # fmt: skip
        self.logins.append((data.login, data.password))
        refused = self.answer("auth")
        return AuthResult(success=refused is None, handled=False)


class Listening(SMTP):
    """An SMTP session that keeps every byte received, encrypted or not."""

    def __init__(self, server: Server, **given: Any) -> None:
        given = {"enable_SMTPUTF8": False} | given
        super().__init__(server, authenticator=server.authenticate, **given)
        self._server = server

    def data_received(self, data: bytes) -> None:
        self._server.received += data
        super().data_received(data)


@contextmanager
def running(
    script: Script = lambda _server, _stage: None,
    *,
    ssl_context: ssl.SSLContext | None = None,
    **given: Any,
) -> Iterator[Server]:
    """Run a server on a free port, in its own thread."""
    server = Server(script)
    loop = asyncio.new_event_loop()

    def connected() -> Listening:
        return Listening(server, loop=loop, **given)

    async def listen() -> asyncio.Server:
        return await loop.create_server(connected, "127.0.0.1", 0, ssl=ssl_context)

    listening = loop.run_until_complete(listen())
    server.port = listening.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_stop(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def smtp(port: int, **given: object) -> SmtpSettings:
    """Return the settings of a server on localhost."""
    known = {"host": "127.0.0.1", "port": port, "security": "none", "sender": SENDER}
    return given_section(SmtpSettings, known | given)


async def _stop(listening: asyncio.Server) -> None:
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its key."""

    file: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


def make_certificate(folder: Path, name: str) -> Certificate:
    """Make a self-signed certificate for `name` with openssl."""
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    names = "IP:127.0.0.1" if name == "127.0.0.1" else f"DNS:{name}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=ctsync test", "-addext", f"subjectAltName={names}",
         "-keyout", str(key), "-out", str(file)],
        check=True, capture_output=True,
    )  # fmt: skip
    return Certificate(file, key)
