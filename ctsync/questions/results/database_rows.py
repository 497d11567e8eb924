"""The JSON of `check` and of the commands of `db`. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem that `ctsync check` found, or repaired."""

    problem: str
    """What kind of problem it is."""
    where: str
    """The trial, version or table."""
    says: str
    """The problem in words."""


@dataclass(frozen=True, slots=True)
class MonthRow:
    """What was fetched in a month."""

    month: str
    """The month: 2026-03."""
    versions: int
    """Number of versions."""
    events: int
    """Number of changes."""
    bytes: int
    """Compressed size of the versions in bytes."""


@dataclass(frozen=True, slots=True)
class TrialSizeRow:
    """The size of a trial in the database."""

    nct_id: str
    """The NCT id of the trial."""
    versions: int
    """Number of its versions."""
    bytes: int
    """Compressed size of its versions in bytes."""


@dataclass(frozen=True, slots=True)
class DatabaseStatsRow:
    """What a database holds and how much space it takes."""

    counts: Mapping[str, int]
    """Number of rows by table."""
    bytes: Mapping[str, int]
    """Size in bytes by kind of content."""
    raw_bytes: int
    """Size of all records in bytes before compression."""
    spread: Mapping[str, int]
    """Number of trials by their number of versions: 1, 2, 3-5."""
    most_versions: int
    """The highest number of versions of a trial."""
    months: tuple[MonthRow, ...]
    """The growth by month."""
    largest: tuple[TrialSizeRow, ...]
    """The trials that take the most space."""


@dataclass(frozen=True, slots=True)
class CopiedTableRow:
    """A table that was copied and compared."""

    rows: int
    """Number of its rows."""
    digest: str
    """A checksum of its content, equal in both databases."""


@dataclass(frozen=True, slots=True)
class DatabaseCopyRow:
    """The result of a copy of a database."""

    tables: Mapping[str, CopiedTableRow]
    """The tables by name."""


@dataclass(frozen=True, slots=True)
class CompactionRow:
    """The result of `ctsync db compact`."""

    before: int
    """Size of the database in bytes before."""
    after: int
    """Size of the database in bytes after."""
    dropped: int
    """Number of records that were removed because no version uses them."""
    repacked: int
    """Number of trials that were compressed again."""


@dataclass(frozen=True, slots=True)
class TextIndexRow:
    """The result of `ctsync db index-text`."""

    records: int
    """Number of records in the text index."""
    texts: int
    """Number of different texts in it."""
    damaged: int
    """Number of damaged records that were left out."""
    bytes: int
    """Number of bytes by which the database grew."""


SCHEMAS = {
    "problem": ProblemRow,
    "database_stats": DatabaseStatsRow,
    "database_copy": DatabaseCopyRow,
    "compaction": CompactionRow,
    "text_index": TextIndexRow,
}
