"""Routes built from the settings: log, mail and other channels. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ctsync.route import (
    CHANNEL_OF_SCHEME,
    Cadence,
    ChannelKind,
    Layout,
    Route,
    chat_service,
)

if TYPE_CHECKING:
    from ctsync.config.settings import ChannelSettings, RecipientSettings, Settings


_WEB = frozenset({"http", "https"})


def routes_from(settings: Settings) -> tuple[Route, ...]:
    """Build every route in the settings: the log, mail recipients, then other channels."""
    return tuple(_routes(settings))


def _routes(settings: Settings) -> Iterator[Route]:
    if settings.log.events != "off":
        yield Route(
            ChannelKind.LOG,
            ChannelKind.LOG,
            layout=Layout.STREAM,
            takes_baselines=True,
            context=settings.reports.context,
        )
    for recipient in settings.recipients:
        yield _mail_route(recipient, context=settings.reports.context)
    for channel in settings.channels:
        yield Route(
            channel_name(channel),
            channel.name,
            watches=channel.watches,
            minimum_level=channel.minimum_level,
            context=settings.reports.context,
        )


def _mail_route(recipient: RecipientSettings, *, context: bool) -> Route:
    return Route(
        ChannelKind.MAIL,
        recipient.email,
        watches=recipient.watches,
        minimum_level=recipient.minimum_level,
        cadence=Cadence(recipient.cadence),
        at=recipient.at,
        timezone=recipient.timezone,
        layout=Layout(recipient.layout),
        welcomes=True,
        heartbeat=recipient.heartbeat,
        context=context,
    )


def channel_name(channel: ChannelSettings) -> str:
    """Return a channel's name in the outbox, such as "webhook:NAME"."""
    return f"{channel_kind(channel)}:{channel.name}"


def channel_kind(channel: ChannelSettings) -> ChannelKind:
    """Return the kind of a channel: by its format if one is set, otherwise by its URL.

    A channel with a secret gets signed JSON, which no chat service reads.
    """
    url = channel.url.reveal()
    scheme = urlsplit(url).scheme.lower()
    if scheme in _WEB and channel.format is not None:
        return ChannelKind.WEBHOOK if channel.format == "json" else ChannelKind(channel.format)
    if not channel.secret.reveal() and (service := chat_service(url)) is not None:
        return service
    return CHANNEL_OF_SCHEME.get(scheme, ChannelKind.APPRISE)
