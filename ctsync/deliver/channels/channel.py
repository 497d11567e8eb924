"""What a channel is: the one thing that `drain` asks of mail, log, webhook and the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ctsync.deliver.channels.log import LogChannel
from ctsync.deliver.routes import routes_from
from ctsync.errors import ConfigError
from ctsync.route import ChannelKind, Route

if TYPE_CHECKING:
    from ctsync.config.settings import Settings
    from ctsync.deliver.message import Message


_CLASSES = {
    ChannelKind.MAIL: ("email", "MailChannel"),
    ChannelKind.WEBHOOK: ("webhook", "WebhookChannel"),
    ChannelKind.FILE: ("file", "FileChannel"),
    ChannelKind.APPRISE: ("apprise", "AppriseChannel"),
}
"""The module and class of each channel that is imported when it is used."""


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
    kind, _, own_name = name.partition(":")
    match ChannelKind(kind):
        case ChannelKind.LOG:
            return LogChannel(routes, settings.log)
        case ChannelKind.MAIL:
            if settings.smtp is None:
                raise ConfigError(["recipients: there is no [smtp] section to send mail by"])
            return _load(ChannelKind.MAIL)(routes, settings.smtp)
        case of_url:
            own = next(channel for channel in settings.channels if channel.name == own_name)
            return _load(of_url)(routes, own)


def _load(kind: ChannelKind) -> Callable[[Mapping[str, Route], Any], Channel]:
    """Import the class of a channel; a run does not wait for channels it does not have."""
    module, name = _CLASSES[kind]
    loaded: Callable[[Mapping[str, Route], Any], Channel] = getattr(
        import_module(f"ctsync.deliver.channels.{module}"), name
    )
    return loaded
