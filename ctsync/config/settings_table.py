"""The settings of one TOML file and the environment as one table, each with its origin.

Does not check the values.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctsync.config.environment import (
    missing_ca_bundles,
    read_environment,
    unknown_variables,
    variable_of,
)
from ctsync.config.paths import anchored_url
from ctsync.config.secrets import FileSource, Location, Table, follow, open_urls
from ctsync.files import absolute, expanded
from ctsync.sqlite_url import named_url

FILE_ITSELF: Location = ()
_HEADER = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\s-]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")


@dataclass
class SettingsTable:
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
            over = _merge(over, {"database": {"url": named_url(self.database_url)}})
        follow(over, self.report, env=self.env, required=need_secrets)
        self.open_urls = open_urls(file, self.path) if self.path else []
        in_file = FileSource(base, over)
        follow(file, self.report, env=self.env, required=need_secrets, in_file=in_file)
        _anchor(file, base)
        return _merge(file, over)

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
        source = place.removesuffix(f", {label(where)}")
        if self.path is None or not place.startswith(f"{self.path}, "):
            return "default" if place == label(where) else source
        return source if _holds(self.in_file, where) else "default"

    def _read_file(self) -> Table:
        if self.path is None:
            return {}
        try:
            self.text = self.path.read_text(encoding="utf-8-sig")
            return tomllib.loads(self.text)
        except UnicodeDecodeError:
            self.report(FILE_ITSELF, "is not UTF-8 text")
        except OSError as failed:
            self.report(FILE_ITSELF, f"cannot be read: {failed.strerror}")
        except tomllib.TOMLDecodeError as wrong:
            hint = "; a text needs quotes" if "Invalid value" in str(wrong) else ""
            self.report(FILE_ITSELF, f"is not TOML: {wrong}{hint}")
        return {}

    def _read_environment(self) -> Table:
        for name, said in unknown_variables(self.env):
            self.report((name,), said)
        return read_environment(self.env, self.report)

    def _place(self, where: Location) -> str:
        if where == ("database", "url") and self.database_url is not None:
            return "--database"
        if variable := variable_of(where, self.env):
            is_part = variable == variable_of(where[:-1], self.env)  # of a section as JSON
            return f"{variable}, {label(where)}" if is_part else variable
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


def label(where: Location) -> str:
    """The name of a place: registry.url, or watches#2.trials#1, numbered from 1."""
    steps = [f"#{step + 1}" if isinstance(step, int) else f".{step}" for step in where]
    return "".join(steps).removeprefix(".")


def line_of(text: str, where: Location) -> int | None:
    """The line of a place, or of the nearest place above it, in a TOML text; None if neither is.

    An estimate for error messages: the TOML parser gives no line numbers.
    """
    tables: Counter[str] = Counter()
    held: Location = ()
    here: Location
    best: tuple[int, int | None] = (0, None)
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            names = [name.strip() for name in header[2].split(".")]
            if header[1]:
                tables[names[0]] += 1
            item = (tables[names[0]] - 1,) if tables[names[0]] else ()
            here = held = (names[0], *item, *names[1:])
        elif key := _KEY.match(line):
            here = (*held, *key[1].split("."))
        else:
            continue
        shared = min(len(here), len(where))
        if shared > best[0] and here[:shared] == where[:shared]:
            best = (shared, number)
    return best[1]
