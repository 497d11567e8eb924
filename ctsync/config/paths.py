"""Where things stand on this machine: the database, the config file, the packaged defaults.

Nothing is created here; the directories are made by whoever writes into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path, user_data_path

import ctsync
from ctsync.errors import ConfigError

FILE_NAME = "ctsync.toml"


def default_database_url() -> str:
    """The database of a ctsync nobody has configured: a file in the user's data directory."""
    return f"sqlite:///{(user_data_path('ctsync') / 'ctsync.db').as_posix()}"


def default_config_path() -> Path:
    """The config file that needs no option: where it is looked for last, and where init puts it."""
    return user_config_path("ctsync") / FILE_NAME


def find_config(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The config file to read, or None where there is none.

    Looked for in this order: `path` (--config), CTSYNC_CONFIG, ./ctsync.toml, the user's config
    directory. The first two must exist: raises ConfigError where they do not.
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
    """The commented ctsync.toml with every setting, as `ctsync init` writes it.

    An installed ctsync carries it inside the package; in a checkout it is config/ctsync.toml.
    """
    package = Path(ctsync.__file__).parent
    packaged = package / "_config" / FILE_NAME
    source = packaged if packaged.is_file() else package.parent / "config" / FILE_NAME
    return source.read_text(encoding="utf-8")
