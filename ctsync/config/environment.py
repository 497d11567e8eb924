"""Settings in the environment: CTSYNC_SECTION__KEY and a few short names.

Reads the environment it is given, never the process's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from ctsync.config.secrets import Location, Report, Table
from ctsync.config.settings import Settings

PREFIX = "CTSYNC_"
SHORT_NAMES = {
    "CTSYNC_DATABASE_URL": "CTSYNC_DATABASE__URL",
    "CTSYNC_REGISTRY_URL": "CTSYNC_REGISTRY__URL",
}


def read_environment(env: Mapping[str, str], report: Report) -> Table:
    """The settings that `env` holds, as a table; an empty variable is as good as none."""
    spelled_out = {long: env[short] for short, long in SHORT_NAMES.items() if env.get(short)}
    return _Source({**spelled_out, **env}, report)()


def variable_of(where: Location, env: Mapping[str, str]) -> str | None:
    """The environment variable that set a place, or what holds it; None if none did."""
    if where and where[0] in env:
        return str(where[0])
    names = {SHORT_NAMES.get(name.upper(), name.upper()): name for name in env if env[name]}
    for length in range(len(where), 0, -1):
        name = PREFIX + "__".join(map(str, where[:length])).upper()
        if name in names:
            return names[name]
    return None


class _Source(EnvSettingsSource):
    """The library's reading of CTSYNC_SECTION__KEY, from a given environment, one report each."""

    def __init__(self, env: Mapping[str, str], report: Report) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in env.items() if value}
        self._report = report

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read the JSON of a whole section or list; None, and a report, if it is none."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            self._report((field_name,), "must be JSON here; or set one key as CTSYNC_SECTION__KEY")
            return None


def unknown_variables(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look like a setting and are none; others that begin so are let be."""
    sections = {name.upper() for name in Settings.model_fields}
    short = {name.removeprefix(PREFIX) for name in (*SHORT_NAMES, "CTSYNC_CONFIG")}
    for name in env:
        rest = name.upper().removeprefix(PREFIX)
        if rest == name.upper() or rest in short | sections:
            continue
        section, nested, key = rest.partition("__")
        if nested and section not in sections:
            close = difflib.get_close_matches(section, sections, n=1)
            hint = f"did you mean {PREFIX}{close[0]}__{key}?" if close else "see config/ctsync.toml"
            yield name, f"there is no such setting; {hint}"
        elif not nested and (close := difflib.get_close_matches(rest, short, n=1, cutoff=0.8)):
            yield name, f"there is no such setting; did you mean {PREFIX}{close[0]}?"
