"""The channel for Slack, Microsoft Teams and Discord, by the webhook URL that each gives out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import orjson

from ctsync.deliver.channels.http_post import DEADLINE_SECONDS, NoAnswer, WebAnswer, post
from ctsync.deliver.chat.discord import discord_message
from ctsync.deliver.chat.slack import slack_message
from ctsync.deliver.chat.teams import teams_message
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.deliver.message import Message
from ctsync.deliver.routes import channel_kind
from ctsync.model import JsonObject
from ctsync.report.report import Report
from ctsync.route import ChannelKind, Route

if TYPE_CHECKING:
    from ctsync.config.settings import ChannelSettings

_WRITERS: Mapping[ChannelKind, Callable[[Report, str], JsonObject]] = {
    ChannelKind.SLACK: slack_message,
    ChannelKind.TEAMS: teams_message,
    ChannelKind.DISCORD: discord_message,
}
_BAD_MESSAGE = {400, 413, 415, 422}
_NO_WEBHOOK = "it has no such webhook; make a new one"
_HINTS = {
    401: "it refuses this URL; make a new webhook",
    403: "it refuses this URL; make a new webhook",
    404: _NO_WEBHOOK,
    410: _NO_WEBHOOK,
    429: "too many messages at once",
}
_REFUSED_BY_TEAMS = b"Webhook message delivery failed"
"""An Office 365 connector answers 200 with this text if Teams refused the message."""
_READ = 100


class ChatChannel:
    """Posts messages in the format of the service.

    Links lead to the pages of `site`, or to ClinicalTrials.gov if it is empty.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        settings: ChannelSettings,
        *,
        site: str = "",
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self.routes = routes
        self._url = settings.url
        self._kind = channel_kind(settings)
        self._site = site
        self._seconds = seconds

    def send(self, message: Message) -> str:
        """Post one message, and return the status of the answer as text."""
        body = orjson.dumps(_WRITERS[self._kind](message.report(), self._site))
        try:
            answer = post(
                self._url.reveal(),
                body,
                {"Content-Type": "application/json"},
                seconds=self._seconds,
                most_read=_READ if self._kind is ChannelKind.TEAMS else 0,
            )
        except NoAnswer as error:
            raise DeliveryError(f"{self._kind}: {error}", is_channel=True) from error
        return self._accepted(answer)

    def _accepted(self, answer: WebAnswer) -> str:
        if not answer.is_ok:
            is_bad = answer.status in _BAD_MESSAGE
            hint = _HINTS.get(answer.status)
            said = f"answered {answer.status}{f', {hint}' if hint else ''}"
            raise DeliveryError(f"{self._kind}: {said}", permanent=is_bad, is_channel=not is_bad)
        if answer.start.startswith(_REFUSED_BY_TEAMS):
            raise DeliveryError(f"{self._kind}: Teams refused the message", is_channel=True)
        return f"answered {answer.status}"

    def close(self) -> None:
        """Do nothing: no connection stays open."""
