"""Settings as a file would give them, for tests of what uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ctsync.config.settings import Settings
from ctsync.config.value_reader import SettingsSection, read_section

SectionType = TypeVar("SectionType", bound=SettingsSection)


def given_settings(table: Mapping[str, object]) -> Settings:
    """Return the settings of a table with checked values."""
    return given_section(Settings, table)


def given_section(kind: type[SectionType], table: Mapping[str, object]) -> SectionType:
    """Return the section of a table with checked values."""
    return read_section(dict(table), kind)
