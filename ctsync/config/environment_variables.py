"""Reading variables such as CTSYNC_SECTION__KEY with pydantic-settings. Does no I/O.

Not part of environment.py: importing pydantic-settings takes about 90 ms of CPU time, and most
runs set no such variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from ctsync.config.secrets import Report, Table
from ctsync.config.settings import Settings


def read_variables(env: Mapping[str, str], report: Report, *, prefix: str) -> Table:
    """The settings in variables that begin with `prefix`, as a table; skips empty variables."""
    return _Source(env, report, prefix)()


class _Source(EnvSettingsSource):
    """Reads the environment it is given and reports each value it cannot read."""

    def __init__(self, env: Mapping[str, str], report: Report, prefix: str) -> None:
        # the base class uses only the fields of the settings class, which every model has
        model = cast("type[BaseSettings]", Settings)
        super().__init__(model, env_prefix=prefix, env_nested_delimiter="__")
        self.env_vars = {name.lower(): value for name, value in env.items() if value}
        self._report = report

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read a section or list written as JSON; reports other text and returns None."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            self._report((field_name,), "must be JSON here; or set one key as CTSYNC_SECTION__KEY")
            return None
