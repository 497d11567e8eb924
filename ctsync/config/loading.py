"""Read settings from one TOML file and the environment into one table, then into Settings.

All problems are collected and raised together, each with its origin: a line and key of the file,
an environment variable, or an option.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from ctsync.config.cross_checks import cross_check
from ctsync.config.error_text import sentence
from ctsync.config.paths import find_config
from ctsync.config.secrets import Location, Table
from ctsync.config.settings import Settings
from ctsync.config.settings_table import FILE_ITSELF, SettingsTable
from ctsync.errors import ConfigError

Origin = Callable[[Location], str]


def load(
    path: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    database_url: str | None = None,
    need_secrets: bool = True,
) -> Settings:
    """Read the settings of this run.

    An option overrides the environment, the environment the file, the file the defaults. Commands
    that send nothing pass `need_secrets=False`: a missing secret is then empty, not an error, and
    files of certificates may be missing.
    Raises ConfigError with all problems.
    """
    env = os.environ if env is None else env
    settings, _ = read_settings(path, env=env, database_url=database_url, need_secrets=need_secrets)
    return settings


def read_settings(
    path: Path | None, *, env: Mapping[str, str], database_url: str | None, need_secrets: bool
) -> tuple[Settings, Origin]:
    """Do the same as `load`; also returns a function for the origin of each place."""
    reading = SettingsTable(find_config(path, env), env, database_url)
    settings = _check(reading, reading.table(need_secrets=need_secrets))
    if reading.problems or settings is None:
        raise ConfigError(reading.lines())
    settings._path = reading.path  # not a setting: a file must not set it
    settings._warnings = tuple(reading.warnings())
    return settings, reading.origin


def _check(reading: SettingsTable, table: Table) -> Settings | None:
    """The settings in a table, or None if it is invalid; reports its problems."""
    settings = None
    try:
        settings = Settings.model_validate(table)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False):
            reading.report(error["loc"], sentence(error))
    if FILE_ITSELF not in reading.problems:
        for where, said in cross_check(table):
            reading.report(where, said)
    return settings
