"""The JSON of `watch add`. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ctsync.model import NctId
from ctsync.questions.results.sync_rows import BackfillRow, SyncRow
from ctsync.report.rows.report_row import UncheckedTrialRow


@dataclass(frozen=True, slots=True)
class FollowedRow:
    """What a watch follows from now on: the trial that a term names, or the trials of a query."""

    term: str | None
    """The term as given; null for a query."""
    nct_id: NctId | None
    """The NCT id of the trial; null for a query."""
    watch: str
    """The name of the watch."""
    status: str | None
    """The overall status that the registry shows; null if it showed no such trial."""
    sponsor: str | None
    """The lead sponsor; null if the registry showed no such trial."""
    title: str | None
    """The brief title; null if the registry showed no such trial."""
    query: Mapping[str, str] | None
    """The registry query, by parameter; null for a trial."""


@dataclass(frozen=True, slots=True)
class WatchAdditionRow:
    """The result of `watch add` with `--sync` or `--history`."""

    resolved: tuple[FollowedRow, ...]
    """What the watch follows from now on."""
    sync: SyncRow | None
    """The sync of the trials; null without `--sync`."""
    history: BackfillRow | None
    """The backfill of their registry history; null without `--history`."""


@dataclass(frozen=True, slots=True)
class FoundTrialRow:
    """A trial as the registry shows it. A value that its record lacks is `-`."""

    nct_id: NctId
    """The current NCT id of the trial."""
    status: str
    """Its overall status."""
    sponsor: str
    """Its lead sponsor."""
    title: str
    """Its brief title."""


@dataclass(frozen=True, slots=True)
class WatchPreviewRow:
    """What `watch add --preview` found, without following it."""

    query: Mapping[str, str] | None
    """The registry query, by parameter; null if only trials were named."""
    matches: int | None
    """Number of trials that match the query; null if the registry does not say how many."""
    named: int
    """Number of terms that name a trial."""
    shown: tuple[FoundTrialRow, ...]
    """The trials that were named, then the first trials of the query."""
    could_not_check: tuple[UncheckedTrialRow, ...]
    """The trials that the registry failed to show, with the error."""


SCHEMAS = {
    "followed": FollowedRow,
    "watch_addition": WatchAdditionRow,
    "watch_preview": WatchPreviewRow,
}
