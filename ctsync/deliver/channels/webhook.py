"""The webhook channel: a report as JSON, signed so that the receiver can verify its sender."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ctsync.dates import format_timestamp
from ctsync.deliver.channels.http_post import DEADLINE_SECONDS, NoAnswer, post
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.questions.schemas import schema_id
from ctsync.report.rows.report_row import report_row
from ctsync.report.rows.row_json import dump
from ctsync.route import Route

if TYPE_CHECKING:
    from ctsync.config.settings import ChannelSettings

MOST_LINES = 500
SIGNATURE = "X-Ctsync-Signature-256"
_BAD_MESSAGE = {400, 413, 415, 422}


class WebhookChannel:
    """Posts messages. Every attempt at a message has the same `Idempotency-Key`.

    The signature is "sha256=" and the HMAC-SHA256 of the body with the channel's secret. The body
    contains its creation time, so that the receiver can detect a replay, and names the JSON Schema
    of its report.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        settings: ChannelSettings,
        *,
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.routes = routes
        self._settings = settings
        self._seconds = seconds

    def send(self, message: Message) -> str:
        """Post one message, and return the status of the answer as text."""
        body = _body(message)
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        secret = self._settings.secret.reveal()
        if secret:
            headers[SIGNATURE] = sign(body, secret)
        try:
            url = self._settings.url.reveal()
            answer = post(url, body, headers, seconds=self._seconds)
        except NoAnswer as error:
            raise DeliveryError(f"webhook: {error}", is_channel=True) from error
        if not answer.is_ok:
            is_bad = answer.status in _BAD_MESSAGE
            raise DeliveryError(
                f"webhook: answered {answer.status}", permanent=is_bad, is_channel=not is_bad
            )
        return f"answered {answer.status}"

    def close(self) -> None:
        """Do nothing: no connection stays open."""


def sign(body: bytes, secret: str) -> str:
    """Return the signature of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _body(message: Message) -> bytes:
    report = message.report(limit=MOST_LINES)
    body = {
        "schema": schema_id("report"),
        "id": message.key,
        "made": format_timestamp(message.window.until),
        "watches": list(message.watches),
        "report": report_row(report),
    }
    return dump(body, ascii_only=True)
