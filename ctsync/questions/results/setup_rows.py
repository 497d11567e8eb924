"""The JSON of `doctor` and `config show`. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What `ctsync doctor` found about one thing."""

    subject: str
    """The thing that was checked, for example `database`."""
    condition: str
    """`ok`, `warning` or `wrong`."""
    found: str
    """What was found."""
    advice: str | None
    """What to do; null if nothing needs to be done."""


@dataclass(frozen=True, slots=True)
class AssumptionRow:
    """The check of one assumption about the registry (`ctsync doctor --contract`)."""

    assumption: str
    """A short name of the assumption, for example `alias redirect`."""
    state: str
    """`holds`, `differs` or `could not be checked`."""
    found: str
    """The answer that came, in words."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting with its current value."""

    name: str
    """The name of the setting, with its section: `registry.requests_per_second`."""
    value: Any
    """The value; `***` for a secret. Null if it is not set."""
    origin: str
    """Where it was read from: a variable, an option, a line of the settings file, or `default`."""


SCHEMAS = {"assumption": AssumptionRow, "finding": FindingRow, "setting": SettingRow}
