"""Default paths of the database and the config file, and the packaged config file.

Creates nothing; the code that writes a file creates its directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path, user_data_path

import ctsync
from ctsync.errors import ConfigError
from ctsync.sqlite_url import PREFIX, SqliteUrl, sqlite_url

FILE_NAME = "ctsync.toml"
EVENT_LOG = "events.log"


def default_database_url() -> str:
    """The database without any setting: a file in the user's data directory."""
    return sqlite_url(user_data_path("ctsync") / "ctsync.db")


def anchored_url(base: Path, url: str) -> str:
    """Return the URL of a database file with `~` replaced, and a relative path below `base`.

    Raises ValueError if it is not a URL of a database file.
    """
    file = base / Path(SqliteUrl.parse(url).path).expanduser()
    _, mark, parameters = url.partition("?")
    return f"{sqlite_url(file)}{mark}{parameters}"


def default_event_log(database_url: str) -> Path:
    """The file of the event log without any setting: beside the database file.

    For a database server, it is in the user's data directory.
    """
    if not database_url.startswith(PREFIX):
        return user_data_path("ctsync") / EVENT_LOG
    database = Path(SqliteUrl.parse(database_url).path).expanduser()
    # a linked database is one database: its log must not depend on the name it is opened by
    return database.resolve().parent / EVENT_LOG


def default_config_path() -> Path:
    """The config file in the user's config directory: searched last, written by `ctsync init`."""
    return user_config_path("ctsync") / FILE_NAME


def find_config(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The config file to read, or None if there is none.

    Search order: `path` (--config), CTSYNC_CONFIG, ./ctsync.toml, the user's config directory.
    Raises ConfigError if one of the first two is set but does not exist.
    """
    named = env.get("CTSYNC_CONFIG")
    asked = {"--config": path, "CTSYNC_CONFIG": Path(named) if named else None}
    for option, given in asked.items():
        if given is not None:
            place = given.expanduser()
            if place.exists():
                return place
            raise ConfigError(
                [f"{option}: {place} does not exist; `ctsync init --config {place}` writes one"]
            )
    usual = (Path(FILE_NAME), default_config_path())
    return next((place for place in usual if place.is_file()), None)


def default_config_text() -> str:
    """The commented ctsync.toml with all settings, which `ctsync init` writes.

    It is part of the installed package; in a checkout it is config/ctsync.toml.
    """
    package = Path(ctsync.__file__).parent
    packaged = package / "_config" / FILE_NAME
    source = packaged if packaged.is_file() else package.parent / "config" / FILE_NAME
    return source.read_text(encoding="utf-8")
