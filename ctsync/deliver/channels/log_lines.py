"""The lines of a message in the log: one per notice, then one per event. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ctsync.dates import format_timestamp
from ctsync.deliver.message import Message
from ctsync.model import StoredEvent
from ctsync.record.context import BaseRates
from ctsync.record.registry.notices import Notice
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.row_json import dump
from ctsync.report.words.event_line import event_line
from ctsync.text import for_log


def log_lines(message: Message, *, is_json: bool) -> Iterator[str]:
    """Yield the lines of a message. Remote text cannot add line breaks."""
    write_line, write_notice = (_json_line, _json_notice) if is_json else (_text_line, _text_notice)
    for notice in message.scope.notices:
        yield write_notice(notice, message.window.until)
    for stored in message.events:
        yield write_line(stored, message.scope.rates)


def _text_line(stored: StoredEvent, _: BaseRates | None) -> str:
    return f"{format_timestamp(stored.fetched)} {event_line(stored)}"


def _json_line(stored: StoredEvent, rates: BaseRates | None) -> str:
    # only ASCII: no reader can find a line break or a control character in it
    return dump(event_row(stored, rates), ascii_only=True).decode()


def _text_notice(notice: Notice, now: datetime) -> str:
    return for_log(f"{format_timestamp(now)} notice {notice.line}")


def _json_notice(notice: Notice, now: datetime) -> str:
    row = {"notice": notice.kind.value, "summary": notice.summary, "made": format_timestamp(now)}
    return dump(row, ascii_only=True).decode()
