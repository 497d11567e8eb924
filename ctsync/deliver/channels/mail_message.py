"""A message as mail: headers, a text part and an HTML part.

The only header with remote text is the subject: one line of printable characters. Does no I/O.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import quote

from ctsync.config.mail_address import MailAddress, read_address
from ctsync.deliver.message import Message
from ctsync.report.mail.mail_html import render_mail_html
from ctsync.report.mail.mail_text import render_mail_text
from ctsync.report.report import Report
from ctsync.route import Cadence, Route
from ctsync.text import for_header, shorten

MOST_LINES = 200
MOST_WELCOMES = 50
MOST_BYTES = 300_000
MOST_HTML_BYTES = 100_000
"""A larger mail is composed again with half the lines, and states how many lines it omits.

Gmail hides the part of an HTML text after the first 102 KB."""
LONGEST_SUBJECT = 200


class _MailPolicy(EmailPolicy):
    """Writes a subject so that it is read as it was written.

    The library adds or drops a blank at some line breaks of a subject with encoded words. Here, a
    subject is one line, or encoded completely: blanks between encoded words do not count.
    """

    def fold(self, name: str, value: Any) -> str:
        """Return the lines of a header."""
        if name.lower() != "subject":
            return str(super().fold(name, value))
        text = str(value)
        if "=?" in text or not (self.utf8 or text.isascii()):
            coded = Header(text, "utf-8", header_name=name)
            text = coded.encode(linesep=str(self.linesep))
        return f"{name}: {text}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return the lines of a header as bytes."""
        if name.lower() != "subject":
            return super().fold_binary(name, value)
        return self.fold(name, value).encode("utf-8")


_SMTP = _MailPolicy(linesep="\r\n")
_SMTPUTF8 = _SMTP.clone(utf8=True)


def write_mail(message: Message, *, sender: str, site: str = "") -> EmailMessage:
    """Compose the mail of a message. Every attempt has the same Message-ID, thread and list.

    Links lead to the pages of `site` if it is given, or else to ClinicalTrials.gov.
    """
    limit = MOST_WELCOMES if message.is_welcome else MOST_LINES
    mail = _compose(message, message.report(limit=limit), sender, site)
    while _is_large(mail) and limit > 1:
        limit //= 2
        mail = _compose(message, message.report(limit=limit), sender, site)
    return mail


def _is_large(mail: EmailMessage) -> bool:
    html = mail.get_body(("html",))
    size = len(html.get_content().encode()) if html is not None else 0
    return size > MOST_HTML_BYTES or len(mail.as_bytes()) > MOST_BYTES


def _compose(message: Message, report: Report, sender: str, site: str) -> EmailMessage:
    author, reader = read_address(sender), read_address(message.route.recipient)
    domain = author.domain
    needs_utf8 = author.needs_smtputf8 or reader.needs_smtputf8
    mail = EmailMessage(policy=_SMTPUTF8 if needs_utf8 else _SMTP)
    mail["From"] = _header(author)
    mail["To"] = _header(reader)
    mail["Subject"] = shorten(for_header(report.subject), LONGEST_SUBJECT)
    mail["Date"] = format_datetime(report.window.until)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    if message.is_of_thread:
        mail["In-Reply-To"] = mail["References"] = f"<{message.thread}@{domain}>"
    mail["List-Id"] = _list_id(message.route.watches, domain)
    mail["List-Unsubscribe"] = _unsubscribe(author)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    notes, opening = tuple(_notes(message, sender)), _opening(message.route)
    mail.set_content(
        render_mail_text(report, site=site, notes=notes, opening=opening), cte="quoted-printable"
    )
    mail.add_alternative(
        render_mail_html(report, site=site, notes=notes, opening=opening),
        subtype="html",
        cte="quoted-printable",
    )
    return mail


def _header(address: MailAddress) -> Address:
    return Address(for_header(address.name), username=address.local, domain=address.domain)


def _notes(message: Message, sender: str) -> Iterator[str]:
    to, bare = parseaddr(message.route.recipient)[1], parseaddr(sender)[1]
    yield f"ctsync sent this mail to {to}. To unsubscribe, write to {bare}."


def _opening(route: Route) -> str:
    """Return when a welcomed recipient gets the next mail."""
    at = f"at {route.at} {route.timezone}"
    limit = {
        Cadence.IMMEDIATE: "a mail",
        Cadence.DAILY: f"at most one mail per day, {at},",
        Cadence.WEEKLY: f"at most one mail per week, on Mondays {at},",
    }[route.cadence]
    level = f"Lowest level reported: {route.minimum_level}."
    return f"You get {limit} when one of these trials changes. {level}"


def _unsubscribe(author: MailAddress) -> str:
    """Return the List-Unsubscribe header (RFC 2369): a mail to the sender."""
    return f"<mailto:{quote(author.bare, safe='@+')}?subject=unsubscribe>"


def _list_id(watches: Sequence[str], domain: str) -> str:
    """Return the List-Id, by which mail programs sort. Its hash distinguishes similar watch names.

    All mails to a recipient have the same List-Id. If the recipient has exactly one watch, it is
    the List-Id of that watch.
    """
    if len(watches) != 1:
        return f"<all.ctsync.{domain}>"
    letters = re.sub(r"[^a-z0-9]+", "-", watches[0].lower()).strip("-")[:40]
    mark = hashlib.sha256(watches[0].encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"<{f'{letters}-{mark}'.lstrip('-')}.ctsync.{domain}>"
