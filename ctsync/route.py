"""Routes of reports to recipients: channel, watches, level, cadence. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never
from urllib.parse import urlsplit

from ctsync.dates import time_zone
from ctsync.model import Level


class ChannelKind(StrEnum):
    """The kinds of channel; the value begins a channel's name in the outbox."""

    LOG = "log"
    MAIL = "mail"
    WEBHOOK = "webhook"
    FILE = "file"
    APPRISE = "notify"
    SLACK = "slack"
    TEAMS = "teams"
    DISCORD = "discord"


CHAT_KINDS = (ChannelKind.SLACK, ChannelKind.TEAMS, ChannelKind.DISCORD)
"""The chat services whose webhooks get a message in their own format."""

_CHAT_URLS = (
    (ChannelKind.SLACK, r"hooks\.slack(-gov)?\.com", r"/services/.+"),
    (ChannelKind.DISCORD, r"(.+\.)?discord(app)?\.com", r"/api/(v\d+/)?webhooks/\d+/[^/]+/?"),
    (ChannelKind.TEAMS, r".+\.webhook\.office\.com", r"/webhook.*"),
    (ChannelKind.TEAMS, r"outlook\.office(365)?\.com", r"/webhook/.+"),
    (
        ChannelKind.TEAMS,
        r".+\.(logic\.azure\.com|api\.powerplatform\.com)",
        r"/.*workflows/[^/]+/triggers/manual/paths/invoke",
    ),
)
"""The webhook URLs that the services give out: host and path."""

CHANNEL_OF_SCHEME = {
    "https": ChannelKind.WEBHOOK,
    "http": ChannelKind.WEBHOOK,
    "file": ChannelKind.FILE,
}
"""The channel of a URL in the settings, by scheme; apprise handles every other scheme."""


def chat_service(url: str) -> ChannelKind | None:
    """Return the chat service that gave out a webhook URL; None for any other URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme.lower() != "https":
        return None
    for kind, of_host, of_path in _CHAT_URLS:
        if re.fullmatch(of_host, host) and re.fullmatch(of_path, parts.path):
            return kind
    return None


class Cadence(StrEnum):
    """How often a recipient gets messages."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class Layout(StrEnum):
    """How changes are grouped into messages.

    DIGEST: one message for all watches. PER_TRIAL: one message per trial. STREAM: one line per
    change, in the order in which the changes were found.
    """

    DIGEST = "digest"
    PER_TRIAL = "per-trial"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Route:
    """The delivery of reports to one recipient through one channel.

    `watches`: the watches reported; empty means every trial.
    `at`: local time in `timezone` of a daily or weekly message. Weekly messages go on Mondays.
    `takes_baselines`: report a trial that is new to the route like any change.
    `welcomes`: instead, send one message when watches first apply to the route.
    `heartbeat`: also send a message for a week without changes.
    `context`: show base rates and the past of the trial and its sponsor beside changes.
    """

    channel: str
    recipient: str
    watches: tuple[str, ...] = ()
    minimum_level: Level = Level.ADMINISTRATIVE
    cadence: Cadence = Cadence.IMMEDIATE
    at: str = "08:00"
    timezone: str = "UTC"
    layout: Layout = Layout.DIGEST
    takes_baselines: bool = False
    welcomes: bool = False
    heartbeat: bool = False
    context: bool = True

    def watches_of(self, watches: Sequence[str]) -> tuple[str, ...] | None:
        """Return the watches under which this route reports a trial that is in `watches`.

        These are the route's own watches that have the trial, in the order of the settings. The
        result is empty if the route takes every trial and this trial is in no watch. None means
        that the route does not report the trial.
        """
        if not self.watches:
            return tuple(watches)
        return tuple(name for name in self.watches if name in watches) or None

    def due(self, now: datetime) -> datetime:
        """Return when an event found at `now` is due for delivery."""
        match self.cadence:
            case Cadence.IMMEDIATE:
                return now
            case Cadence.DAILY:
                return self._next_at(now, weekday=None)
            case Cadence.WEEKLY:
                return self._next_at(now, weekday=0)
            case _:
                assert_never(self.cadence)

    def last_monday(self, now: datetime) -> datetime:
        """Return the latest weekly delivery time at or before `now`."""
        week_ago = now - timedelta(days=7) + timedelta(microseconds=1)
        return self._next_at(week_ago, weekday=0)

    def _next_at(self, now: datetime, *, weekday: int | None) -> datetime:
        zone = time_zone(self.timezone)
        today = now.astimezone(zone).date()
        for days in range(9):
            day = today + timedelta(days=days)
            due = datetime.combine(day, time.fromisoformat(self.at), zone).astimezone(UTC)
            if due >= now and weekday in (None, day.weekday()):
                return due
        raise AssertionError("a week has every weekday")
