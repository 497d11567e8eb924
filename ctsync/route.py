"""The route of a report to one recipient: channel, watches, level, cadence. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from ctsync.model import Level


class ChannelKind(StrEnum):
    """The channels there are; the value begins a channel's name in the outbox."""

    LOG = "log"
    MAIL = "mail"
    WEBHOOK = "webhook"
    FILE = "file"
    APPRISE = "notify"


CHANNEL_OF_SCHEME = {
    "https": ChannelKind.WEBHOOK,
    "http": ChannelKind.WEBHOOK,
    "file": ChannelKind.FILE,
}
"""Which channel a URL of the settings means; every other scheme is one of apprise's."""


class Cadence(StrEnum):
    """How often a recipient is written to."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class Layout(StrEnum):
    """How changes are put into messages: one a watch, one a trial, or line by line as they came."""

    DIGEST = "digest"
    PER_TRIAL = "per-trial"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one recipient through one channel.

    No `watches` means every trial. `at` is the hour of a daily or weekly message (Mondays) in
    `timezone`. A route that takes baselines is told of a trial that is new to it as of any
    change; one that `welcomes` is sent one message instead, the first time a watch concerns it.
    One with a `heartbeat` is told of a week in which there was nothing to tell.
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

    def watch_of(self, watches: Sequence[str]) -> str | None:
        """The watch under which a trial in `watches` is told: the first that this route names.

        Empty where the route takes every trial and this one is in no watch; None where the
        trial is none of its business.
        """
        if not self.watches:
            return watches[0] if watches else ""
        return next((name for name in self.watches if name in watches), None)

    def due(self, now: datetime) -> datetime:
        """When an event of `now` falls due."""
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
        """The latest weekly hour not after `now`."""
        week_ago = now - timedelta(days=7) + timedelta(microseconds=1)
        return self._next_at(week_ago, weekday=0)

    def _next_at(self, now: datetime, *, weekday: int | None) -> datetime:
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for days in range(9):
            day = today + timedelta(days=days)
            due = datetime.combine(day, time.fromisoformat(self.at), zone).astimezone(UTC)
            if due >= now and weekday in (None, day.weekday()):
                return due
        raise AssertionError("a week has every weekday")
