"""The page with the deliveries that wait. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ctsync.dates import format_minute
from ctsync.questions.results.delivery_rows import DeliveryRow
from ctsync.store.data.outbox import DeliveryState
from ctsync.web.frame import Frame
from ctsync.web.page_templates import fill_page

_MAIL_ADDRESS = re.compile(r"([^\s@<>\"',;:()\[\]])[^\s@<>\"',;:()\[\]]*@")


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """The deliveries to one recipient that wait or are parked.

    `due` is the earliest time at which one may be sent; None if all are parked. `error` is the
    newest error.
    """

    channel: str
    recipient: str
    waiting: int
    parked: int
    due: datetime | None
    attempts: int
    error: str


def deliveries_page(frame: Frame, deliveries: Sequence[DeliveryRow]) -> str:
    """Write the page: one row per recipient, those with parked deliveries first.

    Mail addresses are shortened, because a site may be public.
    """
    ordered = sorted(deliveries, key=_recipient)
    rows = [_row(list(found)) for _, found in groupby(ordered, key=_recipient)]
    rows.sort(key=lambda row: (-row.parked, row.channel, row.recipient))
    return fill_page("deliveries.html.j2", frame=frame, rows=rows, minute=format_minute)


def without_names(text: str) -> str:
    """Replace the part before the @ of each mail address by its first letter."""
    return _MAIL_ADDRESS.sub(r"\1…@", text)


def _recipient(one: DeliveryRow) -> tuple[str, str]:
    return one.channel, one.recipient


def _row(found: Sequence[DeliveryRow]) -> RecipientRow:
    waiting = [one for one in found if one.state is not DeliveryState.PARKED]
    errors = [one.last_error for one in found if one.last_error]
    return RecipientRow(
        channel=without_names(found[0].channel),
        recipient=without_names(found[0].recipient),
        waiting=len(waiting),
        parked=len(found) - len(waiting),
        due=min((one.not_before for one in waiting), default=None),
        attempts=max(one.attempts for one in found),
        error=without_names(errors[-1]) if errors else "",
    )
