"""Read settings from one TOML file and the environment into one table, then into Settings.

All problems are collected and raised together, each with its origin: a line and key of the file,
an environment variable, or an option.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctsync.config.cross_checks import cross_check
from ctsync.config.environment import SECTIONS
from ctsync.config.paths import find_config
from ctsync.config.secrets import Table
from ctsync.config.settings import Settings
from ctsync.config.settings_table import FILE_ITSELF, SettingsTable
from ctsync.config.value_reader import BadValue, read_section
from ctsync.errors import ConfigError

_OF_READERS = frozenset({"database", "reports"})


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """The URL of the database, and whether reports show base rates."""

    database_url: str
    context: bool = True


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
    settings, _ = read_settings(path, env=env, database_url=database_url, need_secrets=need_secrets)
    return settings


def load_for_reading(
    path: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    database_url: str | None = None,
) -> ReaderSettings:
    """Read the settings of a command that only reads the database. Raises ConfigError.

    Checks the file, the names of its sections, the environment, and these settings: a wrong mail
    server must not stop `ctsync history`.
    """
    table = SettingsTable(*_sources(path, env), database_url)
    held = table.table(need_secrets=False)
    others = SECTIONS - _OF_READERS
    settings = _check(table, {name: held[name] for name in held if name not in others})
    return ReaderSettings(settings.database.url, settings.reports.context)


def read_settings(
    path: Path | None,
    *,
    env: Mapping[str, str] | None = None,
    database_url: str | None = None,
    need_secrets: bool = True,
) -> tuple[Settings, SettingsTable]:
    """Do the same as `load`; also returns their table, which has the origin of each."""
    table = SettingsTable(*_sources(path, env), database_url)
    return _check(table, table.table(need_secrets=need_secrets)), table


def _sources(
    path: Path | None, env: Mapping[str, str] | None
) -> tuple[Path | None, Mapping[str, str]]:
    env = os.environ if env is None else env
    return find_config(path, env), env


def _check(table: SettingsTable, held: Table) -> Settings:
    """The settings in a table. Raises ConfigError with all problems."""
    settings = None
    try:
        settings = read_section(held, Settings)
    except BadValue as bad:
        for where, said in bad.problems:
            table.report(where, said)
    if FILE_ITSELF not in table.problems:
        for where, said in cross_check(held):
            table.report(where, said)
    if table.problems or settings is None:
        raise ConfigError(table.lines())
    return settings
