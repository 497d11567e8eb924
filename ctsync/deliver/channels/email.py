"""The mail channel: sends mails over SMTP. No other module does.

If TLS cannot be verified, the mail is not sent. A login is never sent before TLS. Each error reply
is classified as temporary or permanent, and as an error of this mail or of the channel.
"""

from __future__ import annotations

import contextlib
import io
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctsync.config.mail_address import read_address
from ctsync.dates import SystemClock
from ctsync.deliver.channels.mail_message import write_mail
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.registry.http.name_lookup import addresses_of, own_name
from ctsync.registry.http.timed_reads import TimedReads
from ctsync.route import Route
from ctsync.text import for_log, shorten

if TYPE_CHECKING:
    from email.message import EmailMessage

    from ctsync.config.settings import SmtpSettings

REPLY_SECONDS = 30.0
"""Time limit for a name lookup, connecting to an address, and each reply except the last."""
TRANSFER_SECONDS = 180.0
"""Time limit for everything before the text of a mail: connecting, login and all replies."""
VERDICT_SECONDS = 600.0
"""Time limit for a mail's text and the reply to its end (RFC 5321, 4.5.3.2.6).

The server may have accepted the mail but reply slowly. A client that gives up sooner sends the
mail twice."""
MAIL_SECONDS = TRANSFER_SECONDS + VERDICT_SECONDS
QUIT_SECONDS = 5.0
_SHORTEST = 0.001  # a socket timeout of 0 would make the socket non-blocking
LOSSES = 3
"""If this many mails in a row lose the connection, the channel has failed, not the mails."""
_NO_SMTPUTF8 = "the mail server offers no SMTPUTF8, so it accepts only ASCII addresses"
_TOO_LARGE = {523, 552}
_SHUTTING_DOWN = 421
_GO_AHEAD = 354
# socket timeouts use the machine's clock, even if a drain has another clock
_MACHINE = SystemClock()


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """Time limits in seconds; a server that sends single bytes slowly does not extend them."""

    reply: float = REPLY_SECONDS
    transfer: float = TRANSFER_SECONDS
    verdict: float = VERDICT_SECONDS


DEFAULT_LIMITS = SmtpLimits()


class _Connection(smtplib.SMTP):
    """Enforces time limits, and keeps the reply to an accepted mail, which smtplib discards.

    `allow` starts a phase, whose sends and replies share one limit. Each reply also has its own.
    """

    last_reply = ""

    def __init__(self, host: str, port: int, limits: SmtpLimits, **given: Any) -> None:
        self._limits = limits
        self._reply_seconds = limits.reply
        self._is_sending_text = False
        self.allow(limits.transfer)
        # smtplib looks its own name up without a limit if it is not given one
        name = own_name(seconds=limits.reply)
        super().__init__(host, port, local_hostname=name, timeout=limits.reply, **given)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Look the name up within the limit of a reply, then connect to its addresses."""
        *others, last = addresses_of(host, port, seconds=timeout)
        for address in others:
            with contextlib.suppress(OSError):
                return self._connected(address, port, timeout)
        return self._connected(last, port, timeout)

    def _connected(self, address: str, port: int, timeout: float) -> socket.socket:
        # The next class opens the socket, and wraps it in TLS for the name of the host. The stubs
        # of smtplib do not have this method.
        connected: socket.socket = super()._get_socket(address, port, timeout)  # type: ignore[misc]
        return connected

    def allow(self, seconds: float) -> None:
        """Start a phase of this length."""
        self._phase_end = _MACHINE.monotonic() + seconds

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send a mail's text and keep the reply."""
        self._is_sending_text = True
        try:
            code, reply = super().data(msg)
        finally:
            self._is_sending_text = False
            self._reply_seconds = self._limits.reply
        self.last_reply = _reply(code, reply)
        return code, reply

    def send(self, s: Any) -> None:
        """Send within the limit of the phase."""
        if self.sock is not None:
            self.sock.settimeout(max(self._phase_left(), _SHORTEST))
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply. The reply that requests a mail's text (354) starts the last phase."""
        self._reply_end = _MACHINE.monotonic() + self._reply_seconds
        if self.file is None and self.sock is not None:
            raw = self.sock.makefile("rb", buffering=0)
            self.file = io.BufferedReader(TimedReads(raw, self.sock, self._reply_left))
        code, reply = super().getreply()
        if code == _GO_AHEAD and self._is_sending_text:
            self._reply_seconds = self._limits.verdict
            self.allow(self._limits.verdict)
        return code, reply

    def _phase_left(self) -> float:
        return self._phase_end - _MACHINE.monotonic()

    def _reply_left(self) -> float:
        return min(self._phase_left(), self._reply_end - _MACHINE.monotonic())


class _TlsConnection(_Connection, smtplib.SMTP_SSL):
    """A connection with TLS from the first byte."""


class MailChannel:
    """Sends over one connection: opened for the first mail, reopened after a loss.

    Links in mails lead to the pages of `site`, or to ClinicalTrials.gov if it is empty.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        settings: SmtpSettings,
        *,
        site: str = "",
        limits: SmtpLimits = DEFAULT_LIMITS,
    ) -> None:
        self.routes = routes
        self._settings = settings
        self._site = site
        self._limits = limits
        self._connection: _Connection | None = None
        self._losses = 0

    def send(self, message: Message) -> str:
        """Send one mail to its one recipient and return the server's reply."""
        mail = write_mail(message, sender=self._settings.sender, site=self._site)
        connection = self._connection or self._connect()
        self._connection = connection
        connection.allow(self._limits.transfer)
        with self._classified_errors():
            self._transmit(connection, mail, message.route.recipient)
        self._losses = 0
        return connection.last_reply

    def try_login(self, addresses: Sequence[str] = ()) -> str:
        """Connect and log in without sending a mail, and return the server's reply.

        Raises DeliveryError if that fails, or if the server cannot accept one of the addresses.
        """
        self._connection = self._connect()
        try:
            beyond_ascii = [one for one in addresses if read_address(one).needs_smtputf8]
            if beyond_ascii and not self._connection.has_extn("smtputf8"):
                raise DeliveryError(f"{_NO_SMTPUTF8}, not {beyond_ascii[0]}", permanent=True)
            with self._classified_errors():
                return _reply(*self._connection.noop())
        finally:
            self.close()

    def _transmit(self, connection: _Connection, mail: EmailMessage, to: str) -> None:
        try:
            connection.send_message(
                mail,
                from_addr=read_address(self._settings.sender).bare,
                to_addrs=[read_address(to).bare],
            )
        except smtplib.SMTPRecipientsRefused as refused:
            # a mail has one recipient, so there is exactly one reply
            ((code, reply),) = refused.recipients.values()
            raise smtplib.SMTPResponseException(code, reply) from refused

    @contextlib.contextmanager
    def _classified_errors(self) -> Iterator[None]:
        """Turn SMTP errors into a DeliveryError that states what failed and whether to retry."""
        try:
            yield
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(_NO_SMTPUTF8, permanent=True) from error
        except smtplib.SMTPSenderRefused as error:
            is_large = error.smtp_code in _TOO_LARGE
            reason = f"the server refuses the sender: {_reply_of(error)}"
            raise DeliveryError(reason, permanent=is_large, is_channel=not is_large) from error
        except smtplib.SMTPResponseException as error:
            if error.smtp_code == _SHUTTING_DOWN:
                self.close()
            raise DeliveryError(
                _reply_of(error),
                permanent=error.smtp_code >= 500,
                is_channel=error.smtp_code == _SHUTTING_DOWN,
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            # the connection is lost, perhaps after the server accepted the mail
            self.close()
            self._losses += 1
            reason = f"the connection was lost: {_named(error)}"
            raise DeliveryError(reason, is_channel=self._losses >= LOSSES) from error

    # --- connecting ---------------------------------------------------------------------------

    def _connect(self) -> _Connection:
        """Connect, start TLS and log in. Any failure is a failure of the channel."""
        settings = self._settings
        try:
            return self._open()
        except smtplib.SMTPNotSupportedError as error:
            reason = "the server offers no STARTTLS, or no login; nothing is sent unencrypted"
            raise DeliveryError(reason, is_channel=True) from error
        except smtplib.SMTPAuthenticationError as error:
            # the server's reply may repeat the credentials, so it is left out
            reason = f"the server refuses the login ({error.smtp_code})"
            raise DeliveryError(reason, is_channel=True) from error
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(_reply_of(error), is_channel=True) from error
        except ssl.SSLCertVerificationError as error:
            reason = f"the server's certificate is not trusted: {error.verify_message}"
            raise DeliveryError(reason, is_channel=True) from error
        except (smtplib.SMTPException, OSError) as error:
            address = f"{settings.host}:{settings.port}"
            raise DeliveryError(
                f"no connection to {address}: {_named(error)}", is_channel=True
            ) from error

    def _open(self) -> _Connection:
        settings = self._settings
        address = (settings.host, settings.port)
        connection = (
            _TlsConnection(*address, self._limits, context=self._trust())
            if settings.security == "tls"
            else _Connection(*address, self._limits)
        )
        try:
            if settings.security == "starttls":
                connection.starttls(context=self._trust())
            connection.ehlo_or_helo_if_needed()
            if settings.username:
                self._log_in(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _trust(self) -> ssl.SSLContext:
        """Return a context that verifies certificates; smtplib's default accepts any."""
        file = self._settings.ca_file
        try:
            return ssl.create_default_context(cafile=str(file) if file else None)
        except (OSError, ssl.SSLError) as error:
            raise DeliveryError(f"smtp.ca_file: {_named(error)}", is_channel=True) from error

    def _log_in(self, connection: _Connection) -> None:
        settings = self._settings
        if settings.security == "none":
            raise DeliveryError(
                'smtp.username needs smtp.security = "starttls" or "tls": '
                "a password is never sent without TLS",
                is_channel=True,
            )
        connection.login(settings.username, settings.password.reveal())

    def close(self) -> None:
        """Send QUIT if the server still answers, and close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.allow(QUIT_SECONDS)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()


def _reply_of(error: smtplib.SMTPResponseException) -> str:
    return _reply(error.smtp_code, error.smtp_error)


def _reply(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return shorten(for_log(f"{code} {' '.join(text.split())}"), 200)


def _named(error: Exception) -> str:
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    reason = error.strerror if isinstance(error, OSError) else None
    return shorten(for_log(reason or type(error).__name__), 200)
