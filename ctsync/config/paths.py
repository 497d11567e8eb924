"""Paths of the database and the config file, and the packaged config file.

Creates nothing; the code that writes a file creates its directory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_config_path, user_data_path

import ctsync
from ctsync.errors import ConfigError
from ctsync.files import NO_HOME, expanded, is_visible
from ctsync.sqlite_url import PREFIX, SqliteUrl, sqlite_url

FILE_NAME = "ctsync.toml"
EVENT_LOG = "events.log"
_POSTGRESQL = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://")


def default_database_url() -> str:
    """The database without any setting: a file in the user's data directory."""
    return sqlite_url(_data_folder("database.url") / "ctsync.db")


def anchored_url(base: Path, url: str) -> str:
    """Return the URL of a database file with `~` replaced, and a relative path below `base`.

    Raises ValueError if it is not a URL of a database file, ConfigError if there is no home.
    """
    file = base / expanded(Path(SqliteUrl.parse(url).path))
    _, mark, parameters = url.partition("?")
    return f"{sqlite_url(file)}{mark}{parameters}"


def read_database_url(text: str) -> str:
    """Return the URL of a database in its full form, with `~` replaced.

    Raises ValueError with the correction; no message repeats the URL, which may hold a password.
    """
    if found := _POSTGRESQL.match(text):
        try:
            urlsplit(text).port  # noqa: B018  reading it is what checks it
        except ValueError:
            raise ValueError("is not a database URL: check its host and port") from None
        return "postgresql+psycopg://" + text[found.end() :]
    if not text.startswith("sqlite:"):
        raise ValueError(
            "must begin with sqlite:/// and a path, or with postgresql+psycopg://user@host/name"
        )
    SqliteUrl.parse(text)
    if not text.startswith(f"{PREFIX}~"):
        return text
    try:
        return anchored_url(Path(), text)
    except ConfigError:
        raise ValueError(NO_HOME) from None


def default_event_log(database_url: str) -> Path:
    """The file of the event log without any setting: beside the database file.

    For a database server, it is in the user's data directory.
    """
    if not database_url.startswith(PREFIX):
        return _data_folder("log.file") / EVENT_LOG
    database = expanded(Path(SqliteUrl.parse(database_url).path))
    # a linked database is one database: its log must not depend on the name it is opened by
    return database.resolve().parent / EVENT_LOG


def _data_folder(setting: str) -> Path:
    try:
        return user_data_path("ctsync")
    except RuntimeError:
        variable = f"CTSYNC_{setting.upper().replace('.', '__')}"
        said = "there is no home directory, and so no default; set it"
        raise ConfigError([f"{setting}: {said} ({variable}), HOME or XDG_DATA_HOME"]) from None


def _usual_paths() -> list[Path]:
    """The config files to look for, in this order; the last is in the user's config directory."""
    try:
        return [Path(FILE_NAME), user_config_path("ctsync") / FILE_NAME]
    except RuntimeError:
        return [Path(FILE_NAME)]  # there is no home directory


def find_config(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The config file to read, or None if there is none.

    Search order: `path` (--config), CTSYNC_CONFIG, ./ctsync.toml, the user's config directory.
    Raises ConfigError if one of the first two is set but cannot be looked at. The others are
    optional: one that cannot be looked at counts as absent.
    """
    named = env.get("CTSYNC_CONFIG")
    asked = {"--config": path, "CTSYNC_CONFIG": Path(named) if named else None}
    for option, given in asked.items():
        if given is not None:
            return _named_config(given, option)
    return next((place for place in _usual_paths() if is_visible(place) and place.is_file()), None)


def _named_config(given: Path, option: str) -> Path:
    place = expanded(given)
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            [f"{option}: {place} does not exist; `ctsync init --config {place}` writes one"]
        ) from None
    except OSError as error:
        raise ConfigError([f"{option}: {place} cannot be read: {error.strerror}"]) from error
    return place


def default_config_text() -> str:
    """The commented ctsync.toml with all settings, which `ctsync init` writes.

    It is part of the installed package; in a checkout it is config/ctsync.toml.
    """
    package = Path(ctsync.__file__).parent
    packaged = package / "_config" / FILE_NAME
    source = packaged if packaged.is_file() else package.parent / "config" / FILE_NAME
    return source.read_text(encoding="utf-8")
