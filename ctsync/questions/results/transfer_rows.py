"""The JSON of `import` and `export parquet`. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ctsync.model import NctId


@dataclass(frozen=True, slots=True)
class ImportRow:
    """The result of an import."""

    trials: int
    """Number of trials of which versions were stored."""
    versions: int
    """Number of versions that were stored."""
    already_stored: int
    """Number of trials whose versions had all been stored before."""
    watches: int
    """Number of watches that were added."""
    refused: Mapping[NctId, str]
    """The trials that were skipped, each with the reason."""


@dataclass(frozen=True, slots=True)
class ExportedTableRow:
    """What `ctsync export parquet` did to one table of the dataset."""

    table: str
    """The name of the table, which is also its folder."""
    rows: int
    """Number of rows."""
    written: tuple[str, ...]
    """The months that were written."""
    unchanged: int
    """Number of months that had not changed."""
    removed: tuple[str, ...]
    """The months that were removed because they have no rows now."""


SCHEMAS = {"import": ImportRow, "exported_table": ExportedTableRow}
