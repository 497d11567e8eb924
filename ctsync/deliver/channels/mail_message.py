"""A message as mail: headers, a text part and an HTML part; opens no connection. No I/O.

No header holds remote text but the subject, which is one line of printable characters.
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
"""A mail larger than this is made again with half the lines; what is left out is counted."""
LONGEST_SUBJECT = 200


def write_mail(message: Message, *, sender: str) -> EmailMessage:
    """The mail of a message; the same identity, thread and list at every attempt."""
    limit = MOST_LINES
    letter = _letter(message, message.report(limit=limit), sender)
    while len(letter.as_bytes()) > MOST_BYTES and limit > 1:
        limit //= 2
        letter = _letter(message, message.report(limit=limit), sender)
    return letter


def address_of(text: str) -> str:
    """The bare address in "Name <address>"."""
    return parseaddr(text)[1]


def _letter(message: Message, report: Report, sender: str) -> EmailMessage:
    domain = address_of(sender).rpartition("@")[2] or "localhost"
    letter = EmailMessage(policy=SMTP)
    letter["From"] = _address(sender)
    letter["To"] = _address(message.route.recipient)
    letter["Subject"] = shorten(for_header(report.subject), LONGEST_SUBJECT)
    letter["Date"] = format_datetime(report.window.until)
    letter["Message-ID"] = f"<{message.key}@{domain}>"
    if message.is_of_thread:
        letter["In-Reply-To"] = letter["References"] = f"<{message.thread}@{domain}>"
    letter["List-Id"] = _list_id(message.watch, domain)
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    letter.set_content(render_text(report), cte="quoted-printable")
    letter.add_alternative(
        render_html(report, pictures=False), subtype="html", cte="quoted-printable"
    )
    if letter["Subject"].isascii():
        # else the library may fold before the first word, which leaves a header's line empty
        letter.policy = SMTP.clone(max_line_length=2 * LONGEST_SUBJECT)
    return letter


def _address(text: str) -> Address:
    name, bare = parseaddr(text)
    return Address(for_header(name), addr_spec=bare)


def _list_id(watch: str, domain: str) -> str:
    """A name that mail programs sort by: letters of the watch, and its hash to tell two apart."""
    if not watch:
        return f"<all.ctsync.{domain}>"
    letters = re.sub(r"[^a-z0-9]+", "-", watch.lower()).strip("-")[:40]
    mark = hashlib.sha256(watch.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"<{f'{letters}-{mark}'.lstrip('-')}.ctsync.{domain}>"
