"""The mail channel: sends mails over SMTP, the only module that does.

TLS is verified, or the mail is not sent. A login is never sent before TLS. Each error reply is
classified as temporary or permanent, and as about this mail or about the channel.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ctsync.deliver.channels.mail_message import address_of, write_mail
from ctsync.deliver.message import DeliveryError, Message
from ctsync.route import Route
from ctsync.text import for_log, shorten

if TYPE_CHECKING:
    from email.message import EmailMessage

    from ctsync.config.settings import SmtpSettings

TIMEOUT_SECONDS = 30.0
VERDICT_SECONDS = 600.0
"""Time limit for the reply to the end of a mail's text (RFC 5321, 4.5.3.2.6).

The server may have accepted the mail and reply slowly. A client that gives up sooner sends the
mail twice."""
LOSSES = 3
"""If this many mails in a row lose the connection, the channel has failed, not the mails."""
_TOO_LARGE = {523, 552}
_SHUTTING_DOWN = 421
_GO_AHEAD = 354


class _Connection(smtplib.SMTP):
    """Keeps the server's reply to an accepted mail, which smtplib discards.

    Waits longer for that reply than for any other.
    """

    last_reply = ""
    verdict_seconds = VERDICT_SECONDS

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send a mail's text and keep the reply."""
        code, reply = super().data(msg)
        self._wait_up_to(self.timeout)
        self.last_reply = _reply(code, reply)
        return code, reply

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; wait longer for the next one if this one asks for the mail's text."""
        code, reply = super().getreply()
        if code == _GO_AHEAD:
            self._wait_up_to(self.verdict_seconds)
        return code, reply

    def _wait_up_to(self, seconds: float) -> None:
        if self.sock is not None:
            self.sock.settimeout(seconds)


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
        timeout_seconds: float = TIMEOUT_SECONDS,
        verdict_seconds: float = VERDICT_SECONDS,
    ) -> None:
        self.routes = routes
        self._settings = settings
        self._site = site
        self._timeout = timeout_seconds
        self._verdict = verdict_seconds
        self._connection: _Connection | None = None
        self._losses = 0

    def send(self, message: Message) -> str:
        """Send one mail to its one recipient and return the server's reply."""
        mail = write_mail(message, sender=self._settings.sender, site=self._site)
        connection = self._connection or self._connect()
        self._connection = connection
        with self._classified_errors():
            self._transmit(connection, mail, message.route.recipient)
        self._losses = 0
        return connection.last_reply

    def try_login(self) -> str:
        """Connect and log in as for a mail, send none, and return the server's reply.

        Raises DeliveryError.
        """
        self._connection = self._connect()
        try:
            with self._classified_errors():
                return _reply(*self._connection.noop())
        finally:
            self.close()

    def _transmit(self, connection: _Connection, mail: EmailMessage, to: str) -> None:
        try:
            connection.send_message(
                mail, from_addr=address_of(self._settings.sender), to_addrs=[address_of(to)]
            )
        except smtplib.SMTPRecipientsRefused as refused:
            # a mail has one recipient, so there is exactly one reply
            ((code, reply),) = refused.recipients.values()
            raise smtplib.SMTPResponseException(code, reply) from refused

    @contextlib.contextmanager
    def _classified_errors(self) -> Iterator[None]:
        """Turn SMTP errors into a DeliveryError that says what failed and whether to retry."""
        try:
            yield
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(
                "the mail server accepts only ASCII addresses", permanent=True
            ) from error
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
        """Connect, start TLS and log in; any failure is a failure of the channel."""
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
            _TlsConnection(*address, timeout=self._timeout, context=self._trust())
            if settings.security == "tls"
            else _Connection(*address, timeout=self._timeout)
        )
        connection.verdict_seconds = self._verdict
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
        connection.login(settings.username, settings.password.get_secret_value())

    def close(self) -> None:
        """Send QUIT if the server still answers, and close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()


def _reply_of(error: smtplib.SMTPResponseException) -> str:
    return _reply(error.smtp_code, error.smtp_error)


def _reply(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return shorten(for_log(f"{code} {' '.join(text.split())}"), 200)


def _named(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return shorten(for_log(reason or type(error).__name__), 200)
