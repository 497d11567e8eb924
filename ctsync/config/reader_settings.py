"""The settings of commands that only read the database, without the models of all settings.

Importing pydantic and building the models takes a third of the time of `ctsync history`. The values
of the other sections are checked by the commands that use them, and by `ctsync config check`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctsync.config.environment import PREFIX, SECTIONS
from ctsync.config.paths import default_database_url, find_config, read_database_url
from ctsync.config.secrets import Table
from ctsync.config.settings_table import SettingsTable

_OWN = {"database": {"url"}, "reports": {"context"}}
"""The sections that are read here, each with all of its keys."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """The URL of the database, and whether reports show base rates."""

    database_url: str
    context: bool = True


def read_reader_settings(
    path: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    database_url: str | None = None,
) -> ReaderSettings:
    """Read the settings as `loading.load` does. Raises ConfigError with all problems.

    Checks the file, the names of its sections, the environment, and these settings.
    """
    env = os.environ if env is None else env
    reading = SettingsTable(find_config(path, env), _without_others(env), database_url)
    table = reading.table(need_secrets=False)
    found = None if reading.problems or table.keys() - SECTIONS else _plain(table)
    return found or _checked(path, env, database_url)


def _without_others(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables of the sections that are not read here."""
    others = tuple(f"{PREFIX}{name.upper()}__" for name in SECTIONS - _OWN.keys())
    return {name: value for name, value in env.items() if not name.startswith(others)}


def _plain(table: Table) -> ReaderSettings | None:
    """The settings of a table; None unless each is of its plain type, and no key is unknown."""
    sections = [table.get(name, {}) for name in _OWN]
    if any(not isinstance(held, dict) for held in sections):
        return None
    if any(held.keys() - keys for held, keys in zip(sections, _OWN.values(), strict=True)):
        return None
    database, reports = sections
    url, context = database.get("url"), reports.get("context", True)
    if not isinstance(url, str | None) or not isinstance(context, bool):
        return None
    try:
        return ReaderSettings(
            default_database_url() if url is None else read_database_url(url.strip()), context
        )
    except ValueError:
        return None


def _checked(path: Path | None, env: Mapping[str, str], url: str | None) -> ReaderSettings:
    """The settings by way of the models, which report each problem with its correction."""
    from ctsync.config.loading import load  # noqa: PLC0415 - see above

    settings = load(path, env=env, database_url=url, need_secrets=False)
    return ReaderSettings(settings.database.url, settings.reports.context)
