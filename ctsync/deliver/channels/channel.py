# ruff: noqa: PLC0415 - imported where needed: a run must not wait for the libraries of channels it does not have
"""What a channel is: the one thing that `drain` asks of mail, log, webhook and the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ctsync.deliver.channels.log import LogChannel
from ctsync.deliver.routes import routes_from
from ctsync.errors import ConfigError
from ctsync.route import LOG, MAIL, Route

if TYPE_CHECKING:
    from ctsync.config.settings import Settings
    from ctsync.deliver.message import Message
    from ctsync.route import Route


class Channel(Protocol):
    """A way out."""

    @property
    def routes(self) -> Mapping[str, Route]:
        """The route to each recipient that the settings name, by recipient."""

    def send(self, message: Message) -> str | None:
        """Send one message; what the other side said, if anything. Raises DeliveryError."""

    def close(self) -> None:
        """Let go of what is open; never raises."""


def channels_from(settings: Settings) -> dict[str, Channel]:
    """Every channel that the settings describe, by its name in the outbox; connects to nothing."""
    by_channel: dict[str, dict[str, Route]] = {}
    for route in routes_from(settings):
        by_channel.setdefault(route.channel, {})[route.recipient] = route
    return {name: _channel(name, routes, settings) for name, routes in by_channel.items()}


def _channel(name: str, routes: Mapping[str, Route], settings: Settings) -> Channel:
    if name == LOG:
        return LogChannel(routes, settings.log)
    if name == MAIL:
        from ctsync.deliver.channels.email import MailChannel

        if settings.smtp is None:
            raise ConfigError(["recipients: there is no [smtp] section to send mail by"])
        return MailChannel(routes, settings.smtp)
    sort, _, own_name = name.partition(":")
    own = next(channel for channel in settings.channels if channel.name == own_name)
    match sort:
        case "webhook":
            from ctsync.deliver.channels.webhook import WebhookChannel

            return WebhookChannel(routes, own)
        case "file":
            from ctsync.deliver.channels.file import FileChannel

            return FileChannel(routes, own)
        case _:
            from ctsync.deliver.channels.apprise import AppriseChannel

            return AppriseChannel(routes, own)
