"""The rows of `ctsync status`: the state of ctsync and what is in quarantine; pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ctsync.model import NctId
from ctsync.questions.operation.health import Health, HealthFacts, HealthState
from ctsync.questions.operation.runs import NoticeRow, notice_row
from ctsync.record.registry.notices import Notice
from ctsync.store.data.failures import Failure

_NAMES = {"snapshots": "versions"}
"""Tables whose rows have another name for people."""


@dataclass(frozen=True, slots=True)
class QuarantinedTrialRow:
    """A trial whose record could not be fetched, read or stored."""

    nct_id: NctId
    """The NCT id of the trial."""
    error: str
    """The last error."""
    error_class: str
    """The class of the error."""
    attempts: int
    """Number of attempts so far."""
    first_seen: datetime
    """The time of the first error."""
    last_seen: datetime
    """The time of the last error."""
    next_try: datetime | None
    """The time from which a sync tries the trial again; null if each sync does."""
    bytes_kept: int
    """Size in bytes of the response, which ctsync keeps."""


def quarantined_trial_row(failure: Failure, *, next_try: datetime | None) -> QuarantinedTrialRow:
    """The row of a failure; `next_try` is None if each sync tries the trial again."""
    return QuarantinedTrialRow(
        nct_id=failure.nct_id,
        error=failure.error,
        error_class=failure.error_class,
        attempts=failure.attempts,
        first_seen=failure.first_at,
        last_seen=failure.last_at,
        next_try=next_try,
        bytes_kept=len(failure.raw),
    )


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The state of ctsync: whether all is well, and what the database holds."""

    state: HealthState
    """The state in one word."""
    reasons: tuple[str, ...]
    """A sentence for each reason of the state."""
    database: str
    """The URL of the database, without a password."""
    watched: int
    """Number of trials followed."""
    stored: Mapping[str, int]
    """Number of rows per table of the database."""
    newest_load: datetime | None
    """The newest data refresh that ctsync saw."""
    last_complete_run: datetime | None
    """The time at which the last sync ended that checked every trial."""
    histories: Mapping[str, int]
    """Number of followed trials per state of their registry history."""
    quarantine: tuple[QuarantinedTrialRow, ...]
    """The trials in quarantine."""
    notices: tuple[NoticeRow, ...]
    """Sentences about the data refreshes of the last days as a whole."""


def status_row(
    health: Health,
    facts: HealthFacts,
    *,
    database: str,
    stored: Mapping[str, int],
    histories: Mapping[str, int],
    quarantine: Iterable[QuarantinedTrialRow] = (),
    notices: Iterable[Notice] = (),
) -> StatusRow:
    """The state of ctsync.

    `stored` counts the rows per table; `histories` the followed trials per state of their
    history, those excepted whose history nobody requested.
    """
    requested = dict(sorted(histories.items()))
    return StatusRow(
        state=health.condition,
        reasons=health.reasons,
        database=database,
        watched=facts.watched,
        stored={_NAMES.get(table, table): count for table, count in stored.items()},
        newest_load=facts.newest_load,
        last_complete_run=facts.last_whole,
        histories=requested | {"not_requested": facts.watched - sum(requested.values())},
        quarantine=tuple(quarantine),
        notices=tuple(notice_row(notice) for notice in notices),
    )
