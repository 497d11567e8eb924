"""The library's reading of CTSYNC_SECTION__KEY, apart because it takes long to import. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from ctsync.config.environment import PREFIX
from ctsync.config.secrets import Report, Table
from ctsync.config.settings import Settings


def read_variables(env: Mapping[str, str], report: Report) -> Table:
    """The settings that variables hold, as a table; an empty one is as good as none."""
    return _Source(env, report)()


class _Source(EnvSettingsSource):
    """Reads a given environment, not the process's own, and reports each value it cannot read."""

    def __init__(self, env: Mapping[str, str], report: Report) -> None:
        # of the class it asks the fields alone, which any model has
        model = cast("type[BaseSettings]", Settings)
        super().__init__(model, env_prefix=PREFIX, env_nested_delimiter="__")
        self.env_vars = {name.lower(): value for name, value in env.items() if value}
        self._report = report

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read the JSON of a whole section or list; None, and a report, if it is none."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            self._report((field_name,), "must be JSON here; or set one key as CTSYNC_SECTION__KEY")
            return None
