"""Read settings from one TOML file and the environment into one table, then into Settings.

All problems are collected and raised together, each with its origin: a line and key of the file,
an environment variable, or an option.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ctsync.config.cross_checks import cross_check
from ctsync.config.environment import (
    missing_ca_bundles,
    read_environment,
    unknown_variables,
    variable_of,
)
from ctsync.config.error_text import label, line_of, sentence
from ctsync.config.paths import anchored_url, find_config
from ctsync.config.secrets import FileSource, Location, Table, follow, open_urls
from ctsync.config.settings import Settings
from ctsync.errors import ConfigError
from ctsync.files import absolute, expanded

_FILE_ITSELF: Location = ()
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
    reading = _Reading(find_config(path, env), env, database_url)
    table = reading.table(need_secrets=need_secrets)
    settings = reading.check(table)
    if reading.problems or settings is None:
        raise ConfigError(reading.lines())
    settings._path = reading.path  # not a setting: a file must not set it
    settings._warnings = tuple(reading.warnings())
    return settings, reading.origin


@dataclass
class _Reading:
    """One reading of the settings: its sources and the problems found."""

    path: Path | None
    env: Mapping[str, str]
    database_url: str | None
    text: str = ""
    in_file: Table = field(default_factory=dict)
    problems: dict[Location, str] = field(default_factory=dict)
    open_urls: list[Location] = field(default_factory=list)

    def report(self, where: Location, said: str) -> None:
        """Note a problem; only the first problem of a place counts."""
        self.problems.setdefault(where, said)

    def table(self, *, need_secrets: bool) -> Table:
        """File, environment and option as one table, with references to secrets resolved."""
        base = self.path.parent if self.path else Path()
        file, over = self._read_file(), self._read_environment()
        for name, said in missing_ca_bundles(self.env) if need_secrets else ():
            self.report((name,), said)
        self.in_file = file
        if self.database_url is not None:
            over = _merge(over, {"database": {"url": self.database_url}})
        follow(over, self.report, env=self.env, required=need_secrets)
        self.open_urls = open_urls(file, self.path) if self.path else []
        in_file = FileSource(base, over)
        follow(file, self.report, env=self.env, required=need_secrets, in_file=in_file)
        _anchor(file, base)
        return _merge(file, over)

    def check(self, table: Table) -> Settings | None:
        """The settings in a table, or None if it is invalid."""
        settings = None
        try:
            settings = Settings.model_validate(table)
        except ValidationError as wrong:
            for error in wrong.errors(include_url=False):
                self.report(error["loc"], sentence(error))
        if _FILE_ITSELF not in self.problems:
            for where, said in cross_check(table):
                self.report(where, said)
        return settings

    def lines(self) -> list[str]:
        """One line per problem: its origin, what is wrong, and the correction."""
        in_order = sorted(self.problems, key=lambda where: line_of(self.text, where) or 0)
        return [f"{self._place(where)}: {self.problems[where]}" for where in in_order]

    def warnings(self) -> Iterator[str]:
        """One line per web address that other users can read in the file."""
        for where in self.open_urls:
            yield (
                f"{self._place(where)}: other users can read this file; if the URL is a secret, "
                f'write "env:NAME", or run: chmod o-r {self.path}'
            )

    def origin(self, where: Location) -> str:
        """The origin of a setting: a variable, the option, a line of the file, or default."""
        place = self._place(where)
        if self.path is None or not place.startswith(f"{self.path}, "):
            return "default" if place == label(where) else place
        return place.removesuffix(f", {label(where)}") if _holds(self.in_file, where) else "default"

    def _read_file(self) -> Table:
        if self.path is None:
            return {}
        try:
            self.text = self.path.read_text(encoding="utf-8-sig")
            return tomllib.loads(self.text)
        except UnicodeDecodeError:
            self.report(_FILE_ITSELF, "is not UTF-8 text")
        except OSError as failed:
            self.report(_FILE_ITSELF, f"cannot be read: {failed.strerror}")
        except tomllib.TOMLDecodeError as wrong:
            hint = "; a text needs quotes" if "Invalid value" in str(wrong) else ""
            self.report(_FILE_ITSELF, f"is not TOML: {wrong}{hint}")
        return {}

    def _read_environment(self) -> Table:
        for name, said in unknown_variables(self.env):
            self.report((name,), said)
        return read_environment(self.env, self.report)

    def _place(self, where: Location) -> str:
        if where == ("database", "url") and self.database_url is not None:
            return "--database"
        if variable := variable_of(where, self.env):
            return variable
        if self.path is None:
            return label(where)
        line = line_of(self.text, where)
        places = [str(self.path), f"line {line}" if line else "", label(where)]
        return ", ".join(place for place in places if place)


def _holds(table: Any, where: Location) -> bool:
    """Whether a table contains a place."""
    for step in where:
        try:
            table = table[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _anchor(table: Table, base: Path) -> None:
    """Resolve relative paths in a config file from the folder of the file."""
    for section, key in (("log", "file"), ("smtp", "ca_file")):
        held = table.get(section)
        if isinstance(held, dict) and isinstance(held.get(key), str) and held[key]:
            held[key] = str(base / expanded(Path(held[key])))
    database = table.get("database")
    if isinstance(database, dict) and isinstance(database.get("url"), str):
        with suppress(ValueError):  # reported when the settings are checked
            database["url"] = anchored_url(absolute(base), database["url"])


def _merge(under: Table, over: Table) -> Table:
    """Merge two tables; if both have a key that is not a table, `over` wins."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]  # both are
    return merged
