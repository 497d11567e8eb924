"""The settings: one frozen class per section, each key with its default and limits. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field
from msgspec.structs import force_setattr

from ctsync.config.paths import default_database_url, default_event_log
from ctsync.config.value_reader import SettingsSection
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
    Secret,
    SiteUrl,
    Trial,
    Zone,
)
from ctsync.model import Level
from ctsync.text import nearest

_SMTPUTF8 = (
    "has characters beyond ASCII before the @, which only a mail server with SMTPUTF8 accepts; to "
    "ask yours: ctsync doctor"
)
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _port_by_security() -> int:
    return 0  # SmtpSettings replaces it: a default factory cannot see the other settings


class DatabaseSettings(SettingsSection, frozen=True):
    """Where the versions are stored."""

    url: DatabaseUrl = field(default_factory=default_database_url)
    """The database. `sqlite:///` and a path, or `postgresql+psycopg://user@host/name`.

    In a path, `?` is written `%3F` and `%` is written `%25`. `?mode=ro` opens the file for reading
    only. `?timeout=SECONDS` sets how long to wait for another program.

    Default: a file in your data directory. May be `env:NAME`. Keep the password in ~/.pgpass or
    PGPASSWORD.
    """

    @property
    def shown_url(self) -> str:
        """The URL for display: *** for the password, and no options, which may contain one."""
        if not self.url.startswith("postgresql"):
            return self.url
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        masked = re.sub(":.*", ":***", user, flags=re.DOTALL)
        return f"{parts.scheme}://{masked}{at}{host}{parts.path}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self.shown_url!r})"


class RegistrySettings(SettingsSection, frozen=True):
    """The registry and the limits for requests to it."""

    url: RegistryUrl = "https://clinicaltrials.gov/api"
    """The base URL of the registry's API, without `/v2`."""
    requests_per_second: Annotated[float, Meta(gt=0, le=10)] = 1.0
    """The highest request rate. The registry's robots.txt asks for one request per second."""
    burst: Annotated[int, Meta(ge=1, le=20)] = 3
    """The number of requests that may follow each other without a pause after an idle time."""
    deadline_seconds: Positive = 60.0
    """The time limit of one request, from the first byte sent to the last byte read."""
    max_megabytes: Positive = 64.0
    """The largest answer that is read, in megabytes after decompression."""
    retry_seconds: Annotated[float, Meta(ge=0)] = 120.0
    """How long a failing request is retried before the run continues without it."""
    history_transport: Literal["auto", "requests", "curl"] = "auto"
    """How to fetch the registry history. `auto`: the client that worked last, else the other."""
    contact: HttpHeaderText = ""
    """A mail address or web page, sent in the User-Agent, so that the registry can reach you."""


class ScheduleSettings(SettingsSection, frozen=True):
    """When the daemon syncs; `interval_minutes`, if set, replaces `cron`."""

    cron: Cron = "0 10,13,15 * * 1-5"
    """When `ctsync daemon` syncs: minute, hour, day, month, weekday."""
    interval_minutes: Annotated[int, Meta(ge=1)] | None = None
    """Minutes between syncs. If set, `cron` is ignored."""
    timezone: Zone = "UTC"
    """The time zone of `cron`."""


class MirrorSettings(SettingsSection, frozen=True):
    """The mirror: how far a daily run looks back, and the days between full scans."""

    overlap_days: Annotated[int, Meta(ge=1, le=60)] = 5
    """The number of days before its last run from which the mirror lists updates again."""
    full_scan_days: Annotated[int, Meta(ge=1, le=31)] = 7
    """Days between full scans, which find changes that updated no date."""
    download_minutes: Annotated[int, Meta(ge=1)] = 60
    """The time limit for the bulk download of the first load."""
    folder: FilePath | None = None
    """The folder for the bulk download. Default: the folder of the database."""
    processes: Annotated[int, Meta(ge=0, le=64)] | None = None
    """The number of processes that read records. Default: one per core. 0 starts none."""


class ReportSettings(SettingsSection, frozen=True):
    """What reports, pages, mail and JSON show."""

    context: bool = True
    """Show base rates and the past of the trial and its sponsor beside changes, flags and
    suspensions, such as how often a suspended trial restarts. The base rates come from published
    data, or from your own versions if you saved them, and each names its source."""


class LogSettings(SettingsSection, frozen=True):
    """The log on stderr, and the log of changes; `events` selects where the changes go."""

    format: Literal["text", "json"] = "text"
    """`text` for people, or `json` for programs, with one object per line."""
    file: FilePath | None = None
    """The file for changes. Default: `events.log` beside the database, or in your data folder."""
    max_megabytes: Positive = 10.0
    """The size at which the log file is rotated, in megabytes."""
    keep: Annotated[int, Meta(ge=0, le=1000)] = 5
    """The number of rotated files to keep."""
    events: Literal["file", "stderr", "off"] = "file"
    """Where each change is logged as one line."""


class SmtpSettings(SettingsSection, frozen=True, kw_only=True):
    """The mail server; an empty `password` means that none is set."""

    host: Name
    """The name of the mail server."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """The encryption. Certificates are always checked. Without TLS, no password is sent."""
    port: Annotated[int, Meta(ge=1, le=65535)] = field(default_factory=_port_by_security)
    """The port. Default: 587 with starttls, 465 with tls, 25 with none."""
    username: Line = ""
    """The user name for the login, if the server requires one."""
    password: Secret = field(default_factory=Secret)
    """The password for the login, as `env:NAME`, `file:/path` or `credential:NAME`."""
    sender: Address
    """The sender of all mail."""
    ca_file: FilePath | None = None
    """A PEM file with the certificates to trust instead of the system's."""

    def __post_init__(self) -> None:
        if not self.port:
            force_setattr(self, "port", _PORTS[self.security])


class WatchSettings(SettingsSection, frozen=True):
    """Trials followed under one name; `rules` are thresholds for this watch only.

    `query` holds checked registry parameters by their long names; empty if there is no query.
    """

    name: Name
    """The name of the watch in reports and commands."""
    trials: tuple[Trial, ...] = ()
    """NCT ids, or URLs of the trials' pages."""
    org_ids: tuple[Name, ...] = ()
    """Study ids of sponsors and other organisations."""
    query: QueryParams = field(default_factory=dict)
    """A registry query: its parameters by their short names."""
    preset: Literal["sponsor", "competitor", "methods"] | None = None
    """Thresholds for your own trials (`sponsor`), for those of others (`competitor`), or for
    research on registration (`methods`). `rules` of the watch override them."""
    rules: Rules = field(default_factory=dict)
    """Thresholds for this watch only, by the names in [rules]."""

    @property
    def own_rules(self) -> Mapping[str, float]:
        """The thresholds of the preset, overridden by those of the watch; empty if neither."""
        if self.preset is None:
            return self.rules
        from ctsync.record.rules.presets import PRESETS, Preset  # noqa: PLC0415  few need it

        return {**PRESETS[Preset(self.preset)], **self.rules}


class RecipientSettings(SettingsSection, frozen=True):
    """A person who gets mail; no `watches` means all watches.

    An address has one section, so that one person gets one message over all watches.
    """

    email: Address
    """The mail address."""
    watches: tuple[Name, ...] = ()
    """The watches to report to this recipient. Default: all watches."""
    cadence: Literal["immediate", "daily", "weekly"] = "immediate"
    """When mail is sent: after each sync that found a change, daily, or weekly on Mondays."""
    at: ClockTime = "08:00"
    """The time of day of daily and weekly mail."""
    timezone: Zone = "UTC"
    """The time zone of `at`."""
    minimum_level: Level = Level.ROUTINE
    """The lowest level to report."""
    layout: Literal["digest", "per-trial"] = "digest"
    """`digest` sends one mail with all trials, `per-trial` one mail per trial."""
    heartbeat: bool = False
    """Also send a mail on Mondays after a week without changes."""


class ChannelSettings(SettingsSection, frozen=True):
    """Another channel: an apprise URL, a webhook or a folder; no `watches` means all watches."""

    name: Name
    """The name of the channel in `ctsync notify` and `ctsync outbox`."""
    url: ChannelUrl
    """A webhook (`https://`), a folder (`file:///`) or an apprise URL; `env:NAME` for secrets."""
    format: Literal["json", "slack", "teams", "discord"] | None = None
    """What a webhook gets. Default: by the URL and the secret. A webhook URL of Slack, Microsoft
    Teams or Discord gets the blocks of that service, and any other `json`."""
    secret: Secret = field(default_factory=Secret)
    """The key that signs webhook messages, as `env:NAME`, `file:/path` or `credential:NAME`."""
    watches: tuple[Name, ...] = ()
    """The watches to report to this channel. Default: all watches."""
    minimum_level: Level = Level.ROUTINE
    """The lowest level to report."""


class WebSettings(SettingsSection, frozen=True):
    """Where people read the pages of ctsync; an empty `url` means nowhere."""

    url: SiteUrl = ""
    """The address at which your readers open the pages of `ctsync site` or `ctsync serve`. Mails,
    chat messages, report files and the feed link to it. Without it, they link to the registry."""


class MonitorSettings(SettingsSection, frozen=True):
    """The monitor to ping; an empty `ping_url` means none."""

    ping_url: PingUrl = field(default_factory=Secret)
    """A URL to request when a sync starts, succeeds or fails; `env:NAME` for a secret one."""


class Settings(SettingsSection, frozen=True):
    """All settings, checked."""

    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    """Where versions, changes and deliveries are stored."""
    registry: RegistrySettings = RegistrySettings()
    """The registry, and the limits for requests to it."""
    schedule: ScheduleSettings = ScheduleSettings()
    """When `ctsync daemon` syncs."""
    rules: Rules = field(default_factory=dict)
    """Thresholds that decide the level of a change. A missing threshold has its default."""
    mirror: MirrorSettings = MirrorSettings()
    """The copy of the whole registry that `ctsync mirror` keeps."""
    reports: ReportSettings = ReportSettings()
    """What reports, pages, mail and JSON show."""
    log: LogSettings = LogSettings()
    """The log."""
    smtp: SmtpSettings | None = None
    """The mail server. Required if there is a recipient."""
    watches: tuple[WatchSettings, ...] = ()
    """Watches of the settings file, in addition to those of `ctsync watch add`."""
    recipients: tuple[RecipientSettings, ...] = ()
    """People who get mail."""
    channels: tuple[ChannelSettings, ...] = ()
    """Other ways to send reports: webhooks, folders and chat services."""
    web: WebSettings = WebSettings()
    """The address of the pages that `ctsync site` writes."""
    monitor: MonitorSettings = MonitorSettings()
    """A monitor that notices if ctsync stops running."""

    @property
    def warnings(self) -> Iterator[str]:
        """What a person should know about valid settings: one line each."""
        from ctsync.config.mail_address import read_address  # noqa: PLC0415 - few commands warn

        for number, one in enumerate(self.recipients, 1):
            if read_address(one.email).needs_smtputf8:
                yield f"recipients#{number}.email: {_SMTPUTF8}"
        if self.smtp is not None and read_address(self.smtp.sender).needs_smtputf8:
            yield f"smtp.sender: {_SMTPUTF8}"

    @property
    def event_log(self) -> Path:
        """The file that event lines go to if `log.events` is "file"."""
        return self.log.file or default_event_log(self.database.url)

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
