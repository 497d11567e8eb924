"""The settings: one frozen model per section, each key with its default and limits. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from ctsync.config.paths import default_database_url
from ctsync.config.values import (
    Address,
    ChannelUrl,
    ClockTime,
    Cron,
    DatabaseUrl,
    FilePath,
    HttpHeaderText,
    Line,
    Name,
    PingUrl,
    Positive,
    QueryParams,
    RegistryUrl,
    Rules,
    SiteUrl,
    Trial,
    Zone,
)
from ctsync.model import Level
from ctsync.text import nearest

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class _Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, no values in errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        str_strip_whitespace=True,
    )


class DatabaseSettings(_Section):
    """Where the versions are stored."""

    url: DatabaseUrl = Field(default_factory=default_database_url, repr=False)

    @property
    def shown_url(self) -> str:
        """The URL for display: *** for the password, and no options, which may contain one."""
        if not self.url.startswith("postgresql"):
            return self.url
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        masked = re.sub(":.*", ":***", user, flags=re.DOTALL)
        return f"{parts.scheme}://{masked}{at}{host}{parts.path}"


class RegistrySettings(_Section):
    """The registry and the limits for requests to it."""

    url: RegistryUrl = "https://clinicaltrials.gov/api"
    requests_per_second: Annotated[float, Field(gt=0, le=10)] = 1.0
    burst: Annotated[int, Field(ge=1, le=20)] = 3
    deadline_seconds: Positive = 60.0
    max_megabytes: Positive = 64.0
    retry_seconds: Annotated[float, Field(ge=0)] = 120.0
    history_transport: Literal["auto", "requests", "curl"] = "auto"
    contact: HttpHeaderText = ""


class ScheduleSettings(_Section):
    """When the daemon syncs; `interval_minutes`, if set, replaces `cron`."""

    cron: Cron = "0 10,13,15 * * 1-5"
    interval_minutes: Annotated[int, Field(ge=1)] | None = None
    timezone: Zone = "UTC"


class MirrorSettings(_Section):
    """The mirror: how far a daily run looks back, and the days between full scans."""

    overlap_days: Annotated[int, Field(ge=1, le=60)] = 5
    sweep_days: Annotated[int, Field(ge=1, le=31)] = 7
    download_minutes: Annotated[int, Field(ge=1)] = 60
    folder: FilePath | None = None
    processes: Annotated[int, Field(ge=0, le=64)] | None = None


class LogSettings(_Section):
    """The log; `events` says where the log channel writes changes."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"
    file: FilePath | None = None
    max_megabytes: Positive = 10.0
    keep: Annotated[int, Field(ge=0, le=1000)] = 5
    events: Literal["stderr", "file", "off"] = "stderr"


class SmtpSettings(_Section):
    """The mail server; an empty `password` means that none is set."""

    host: Name
    security: Literal["starttls", "tls", "none"] = "starttls"
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default_factory=lambda read: _PORTS[read.get("security", "starttls")]
    )
    username: Line = ""
    password: SecretStr = SecretStr("")
    sender: Address
    ca_file: FilePath | None = None


class WatchSettings(_Section):
    """Trials followed under one name; `rules` are thresholds for this watch only.

    `query` holds checked registry parameters by their long names; empty if there is no query.
    """

    name: Name
    trials: tuple[Trial, ...] = ()
    org_ids: tuple[Name, ...] = ()
    query: QueryParams = {}
    rules: Rules = {}


class RecipientSettings(_Section):
    """A person who gets mail; no `watches` means all watches.

    An address has one section, so that one person gets one message over all watches.
    """

    email: Address
    watches: tuple[Name, ...] = ()
    cadence: Literal["immediate", "daily", "weekly"] = "immediate"
    at: ClockTime = "08:00"
    timezone: Zone = "UTC"
    minimum_level: Level = Level.ROUTINE
    layout: Literal["digest", "per-trial"] = "digest"
    heartbeat: bool = False


class ChannelSettings(_Section):
    """Another channel: an apprise URL, a webhook or a folder; no `watches` means all watches."""

    name: Name
    url: ChannelUrl
    secret: SecretStr = SecretStr("")
    watches: tuple[Name, ...] = ()
    minimum_level: Level = Level.ROUTINE


class WebSettings(_Section):
    """Where people read the pages of `ctsync site`; an empty `url` means nowhere."""

    url: SiteUrl = ""


class MonitorSettings(_Section):
    """The monitor to ping; an empty `ping_url` means none."""

    ping_url: PingUrl = SecretStr("")


class Settings(BaseModel):
    """All settings, checked; `path` is the file they were read from."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    registry: RegistrySettings = RegistrySettings()
    schedule: ScheduleSettings = ScheduleSettings()
    rules: Rules = {}
    mirror: MirrorSettings = MirrorSettings()
    log: LogSettings = LogSettings()
    smtp: SmtpSettings | None = None
    watches: tuple[WatchSettings, ...] = ()
    recipients: tuple[RecipientSettings, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
    web: WebSettings = WebSettings()
    monitor: MonitorSettings = MonitorSettings()

    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The config file that was read, or None."""
        return self._path

    def unknown_watches(self, stored: Collection[str] = ()) -> Iterator[str]:
        """One line per watch that a recipient or channel names but that does not exist.

        `stored` holds the names of watches added by `watch add`, which the settings do not list.
        """
        known = {watch.name for watch in self.watches} | set(stored)
        named = {
            **{f"recipients#{n}": one.watches for n, one in enumerate(self.recipients, 1)},
            **{f"channels#{n}": one.watches for n, one in enumerate(self.channels, 1)},
        }
        for who, watches in named.items():
            for name in watches:
                if name not in known:
                    hint = nearest(name, known) if known else "`ctsync watch add` adds one"
                    yield f"{who}.watches: there is no watch {name!r}; {hint}"
