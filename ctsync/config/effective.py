"""The settings in force for a person: the origin of each, without secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctsync.config.loading import read_settings
from ctsync.config.secrets import Location
from ctsync.config.settings_table import label
from ctsync.config.value_reader import SettingsSection
from ctsync.config.values import MASK, Secret


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting; `origin` is a variable, an option, a line of the file, or "default"."""

    name: str
    value: Any
    origin: str


def effective_settings(
    path: Path | None, *, env: Mapping[str, str] | None = None, database_url: str | None = None
) -> list[EffectiveSetting]:
    """All settings in force. Raises ConfigError as `load` does, except for missing secrets."""
    env = os.environ if env is None else env
    settings, source = read_settings(path, env=env, database_url=database_url, need_secrets=False)
    shown = dict(_leaves(settings, ())) | {("database", "url"): settings.database.shown_url}
    if settings.log.events == "file":
        shown["log", "file"] = str(settings.event_log)
    return [
        EffectiveSetting(label(where), value, source.origin(where))
        for where, value in shown.items()
    ]


def _leaves(value: Any, where: Location) -> Iterator[tuple[Location, Any]]:
    held = _held(value)
    if not held:
        yield where, _plain(value)
    for step, inner in held:
        yield from _leaves(inner, (*where, step))


def _held(value: Any) -> list[tuple[str | int, Any]]:
    """The settings in a section, a table or a list of sections."""
    match value:
        case SettingsSection():
            return [(name, getattr(value, name)) for name in value.__struct_fields__]
        case dict():
            return list(value.items())
        case tuple() if value and isinstance(value[0], SettingsSection):
            return list(enumerate(value))
        case _:
            return []


def _plain(value: Any) -> Any:
    match value:
        case Secret():
            return MASK if value else ""
        case Path():
            return str(value)
        case _:
            return value
