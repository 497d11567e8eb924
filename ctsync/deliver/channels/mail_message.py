"""A message as mail: headers, a text part and an HTML part.

The only header with remote text is the subject: one line of printable characters. Does no I/O.
"""

from __future__ import annotations

import hashlib
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from ctsync.deliver.message import Message
from ctsync.report.formats.html import render_html
from ctsync.report.formats.plain_text import render_text
from ctsync.report.report import Report
from ctsync.text import for_header, shorten

MOST_LINES = 200
MOST_BYTES = 300_000
"""A mail larger than this is composed again with half the lines; it counts the lines left out."""
LONGEST_SUBJECT = 200


def write_mail(message: Message, *, sender: str) -> EmailMessage:
    """Compose the mail of a message; Message-ID, thread and list are the same at every attempt."""
    limit = MOST_LINES
    mail = _compose(message, message.report(limit=limit), sender)
    while len(mail.as_bytes()) > MOST_BYTES and limit > 1:
        limit //= 2
        mail = _compose(message, message.report(limit=limit), sender)
    return mail


def address_of(text: str) -> str:
    """Return the bare address of "Name <address>"."""
    return parseaddr(text)[1]


def _compose(message: Message, report: Report, sender: str) -> EmailMessage:
    domain = address_of(sender).rpartition("@")[2] or "localhost"
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(sender)
    mail["To"] = _address(message.route.recipient)
    mail["Subject"] = shorten(for_header(report.subject), LONGEST_SUBJECT)
    mail["Date"] = format_datetime(report.window.until)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    if message.is_of_thread:
        mail["In-Reply-To"] = mail["References"] = f"<{message.thread}@{domain}>"
    mail["List-Id"] = _list_id(message.watch, domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(render_text(report), cte="quoted-printable")
    mail.add_alternative(
        render_html(report, pictures=False), subtype="html", cte="quoted-printable"
    )
    if mail["Subject"].isascii():
        # else the library may fold before the first word and leave the header's first line empty
        mail.policy = SMTP.clone(max_line_length=2 * LONGEST_SUBJECT)
    return mail


def _address(text: str) -> Address:
    name, bare = parseaddr(text)
    return Address(for_header(name), addr_spec=bare)


def _list_id(watch: str, domain: str) -> str:
    """Return the List-Id that mail programs sort by; the hash keeps watch names distinct."""
    if not watch:
        return f"<all.ctsync.{domain}>"
    letters = re.sub(r"[^a-z0-9]+", "-", watch.lower()).strip("-")[:40]
    mark = hashlib.sha256(watch.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"<{f'{letters}-{mark}'.lstrip('-')}.ctsync.{domain}>"
