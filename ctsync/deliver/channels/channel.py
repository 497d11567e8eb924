"""The interface of a channel, and the channels built from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from ctsync.deliver.channels.log import LogChannel
from ctsync.deliver.routes import routes_from
from ctsync.errors import ConfigError
from ctsync.route import CHAT_KINDS, ChannelKind, Route

if TYPE_CHECKING:
    from ctsync.config.settings import Settings
    from ctsync.deliver.message import Message


_CLASSES = {
    ChannelKind.MAIL: ("email", "MailChannel"),
    ChannelKind.WEBHOOK: ("webhook", "WebhookChannel"),
    ChannelKind.FILE: ("file", "FileChannel"),
    ChannelKind.APPRISE: ("apprise", "AppriseChannel"),
    **dict.fromkeys(CHAT_KINDS, ("chat", "ChatChannel")),
}
"""Module and class of each channel that is imported only if the settings name it."""


class Channel(Protocol):
    """A way to send messages, such as mail, log or webhook."""

    @property
    def routes(self) -> Mapping[str, Route]:
        """The channel's routes, by recipient."""

    def send(self, message: Message) -> str | None:
        """Send one message and return the receiver's reply, if any. Raises DeliveryError.

        Runs in a thread beside the other channels, one message at a time.
        """

    def close(self) -> None:
        """Close connections and files; never raises."""


def channels_from(settings: Settings) -> dict[str, Channel]:
    """Build every channel in the settings, by its name in the outbox. Opens no connection."""
    by_channel: dict[str, dict[str, Route]] = {}
    for route in routes_from(settings):
        by_channel.setdefault(route.channel, {})[route.recipient] = route
    return {name: _channel(name, routes, settings) for name, routes in by_channel.items()}


def _channel(name: str, routes: Mapping[str, Route], settings: Settings) -> Channel:
    kind, _, own_name = name.partition(":")
    match ChannelKind(kind):
        case ChannelKind.LOG:
            return LogChannel(routes, settings.log, settings.event_log)
        case ChannelKind.MAIL:
            if settings.smtp is None:
                raise ConfigError(["recipients: mail needs an [smtp] section"])
            return _load(ChannelKind.MAIL)(routes, settings.smtp, site=settings.web.url)
        case of_url:
            own = next(channel for channel in settings.channels if channel.name == own_name)
            # the JSON of a webhook links to the registry, as its schema states
            site = {} if of_url is ChannelKind.WEBHOOK else {"site": settings.web.url}
            return _load(of_url)(routes, own, **site)


def _load(kind: ChannelKind) -> Callable[..., Channel]:
    """Import the class of a channel late, so that unused channels cost no start-up time."""
    module, name = _CLASSES[kind]
    loaded: Callable[..., Channel] = getattr(
        import_module(f"ctsync.deliver.channels.{module}"), name
    )
    return loaded
