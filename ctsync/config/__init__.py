"""TOML and environment become Settings, every problem reported at once; secrets wrapped.

    settings.py  what can be set, with defaults and limits
    values.py    the kinds of value, each with its check
    cron.py      cron expressions
    reading.py   file, environment and options -> Settings, or ConfigError
    secrets.py   env:NAME, file:PATH, credential:NAME
    environment.py     CTSYNC_SECTION__KEY, and variables.py which reads it
    contradictions.py  what no single setting can see
    problems.py  a wrong setting in words
    display.py   the settings in force, for a person's eyes
    places.py    where the file and the database stand on this machine

Importing this costs as much as all of pydantic: the command line does it inside its commands.
"""

from ctsync.config.loading import load
from ctsync.config.paths import default_config_path, default_config_text, default_database_url
from ctsync.config.settings import (
    ChannelSettings,
    DatabaseSettings,
    LogSettings,
    MonitorSettings,
    RecipientSettings,
    RegistrySettings,
    ScheduleSettings,
    Settings,
    SmtpSettings,
    WatchSettings,
)

__all__ = [
    "ChannelSettings",
    "DatabaseSettings",
    "LogSettings",
    "MonitorSettings",
    "RecipientSettings",
    "RegistrySettings",
    "ScheduleSettings",
    "Settings",
    "SmtpSettings",
    "WatchSettings",
    "default_config_path",
    "default_config_text",
    "default_database_url",
    "load",
]
