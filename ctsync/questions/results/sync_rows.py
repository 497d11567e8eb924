"""The JSON of a sync, a mirror run and a backfill. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ctsync.model import Category, Kind, Level, NctId, Verdict
from ctsync.report.rows.event_row import EventRow
from ctsync.report.rows.report_row import UncheckedTrialRow


@dataclass(frozen=True, slots=True)
class UnresolvedTermRow:
    """A term of a watch in the settings file that does not name exactly one trial."""

    watch: str
    """The name of the watch."""
    term: str
    """The term."""


@dataclass(frozen=True, slots=True)
class QueryListingRow:
    """The listing of the trials that match the query of a watch."""

    watch: str
    """The name of the watch."""
    matches: int | None
    """Number of trials that the registry counts; null if it does not say."""
    problem: str | None
    """Why the listing is incomplete; null if it is complete."""


@dataclass(frozen=True, slots=True)
class CheckedRun:
    """A run that checks trials: its data refresh, its verdict and its counts."""

    run: int
    """The number of the run; `ctsync runs` shows it."""
    verdict: Verdict
    """How the run ended."""
    load: datetime
    """The data refresh that the registry showed."""
    requests: int
    """Number of requests to the registry."""
    retries: int
    """Number of these requests that were retries."""
    asked: int
    """Number of trials to check."""
    answered: int
    """Number of trials that the registry answered for."""
    same: int
    """Number of trials without a change."""
    changed: int
    """Number of trials with a new version."""
    new: int
    """Number of trials seen for the first time."""
    gone: int
    """Number of trials that the registry no longer has."""
    failed: int
    """Number of trials that could not be checked."""


@dataclass(frozen=True, slots=True)
class SyncRow(CheckedRun):
    """The result of a sync."""

    refreshed: bool
    """Whether this data refresh is newer than all that ctsync has seen before."""
    could_not_check: tuple[UncheckedTrialRow, ...]
    """The trials that could not be checked."""
    unknown: tuple[NctId, ...]
    """The trials that the registry has never known."""
    missing: tuple[NctId, ...]
    """Stored trials that this data refresh lacks; another one must confirm that they are gone."""
    unresolved: tuple[UnresolvedTermRow, ...]
    """The terms of watches that do not name exactly one trial."""
    listed: tuple[QueryListingRow, ...]
    """The listings of the queries."""
    held: tuple[str, ...]
    """Why some results were held back."""
    notices: tuple[str, ...]
    """Sentences about the data refresh, each in place of many changes."""
    events: tuple[EventRow, ...]
    """The changes that the sync stored, without those that a notice replaces."""


@dataclass(frozen=True, slots=True)
class PreviewedChangeRow:
    """A change that `ctsync sync --dry-run` found and did not store."""

    nct_id: NctId
    """The NCT id of the trial."""
    kind: Kind
    """What changed."""
    category: Category
    """The part of the record that changed."""
    level: Level
    """How much the change matters."""
    rule: str
    """The id of the rule that gave the level; `ctsync rules` lists them."""
    path: str
    """The place of the change in the record; empty if it concerns the entire record."""
    label: str
    """The name of the field for people."""
    before: Any
    """The value before; for a list, the items removed. Null if there was none."""
    after: Any
    """The value after; for a list, the items added. Null if there is none."""
    summary: str
    """The change in one sentence."""


@dataclass(frozen=True, slots=True)
class MirrorRow(CheckedRun):
    """The result of a mirror run."""

    steps: tuple[str, ...]
    """The steps of the run, such as `bulk`, `pages` or `delta`."""
    messages: tuple[str, ...]
    """Sentences about the run, in the order of its steps."""
    could_not_check: tuple[UncheckedTrialRow, ...]
    """The trials that could not be checked."""
    missing: tuple[NctId, ...]
    """Stored trials that this data refresh lacks; another one must confirm that they are gone."""
    notices: tuple[str, ...]
    """Sentences about the data refresh, each in place of many changes."""
    watched: SyncRow | None
    """The sync of the watched trials that followed; null if there was none."""


@dataclass(frozen=True, slots=True)
class FetchedHistoryRow:
    """The registry history of one trial, as a backfill fetched it."""

    nct_id: NctId
    """The NCT id of the trial."""
    history: str
    """`complete`, `listed` (only some versions were wanted), `none` (it has no history), or
    `partial` or `unavailable` with the reason."""
    listed: int | None
    """Number of versions that the registry lists; null if it could not be fetched."""
    stored: int
    """Number of versions that this run stored."""
    seen_live: int
    """Number of versions that syncs had stored already."""
    unfetched: int
    """Number of versions that are listed and were not to be fetched."""
    error: str | None
    """Why the history is incomplete; null if it is complete."""
    retry: datetime | None
    """The time from which a sync tries again; null if it need not."""


@dataclass(frozen=True, slots=True)
class BackfillRow:
    """The result of a backfill."""

    run: int
    """The number of the run; `ctsync runs` shows it."""
    verdict: Verdict
    """How the run ended."""
    requests: int
    """Number of requests to the registry."""
    trials: tuple[FetchedHistoryRow, ...]
    """The trials in the order of the request."""


SCHEMAS = {
    "sync": SyncRow,
    "previewed_change": PreviewedChangeRow,
    "mirror": MirrorRow,
    "backfill": BackfillRow,
}
