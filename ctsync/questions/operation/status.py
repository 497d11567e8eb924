"""The state of ctsync, as shown by `status`. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ctsync.config.settings import Settings
from ctsync.model import NctId
from ctsync.questions.operation.health import Health, HealthFacts, HealthState, assess
from ctsync.questions.operation.health_state import health_facts
from ctsync.questions.operation.runs import NoticeRow, notice_row
from ctsync.record.registry.notices import Notice, read_notices
from ctsync.route import Route
from ctsync.store.data.failures import Failure
from ctsync.store.store import Store

_NAMES = {"snapshots": "versions"}
"""Tables whose rows have another name for people."""

NOTICES_SHOWN = timedelta(days=7)

SHOWN_COUNTS = ("trials", "snapshots", "events")
"""The tables whose rows `status` counts for people. A count reads an index of the table, and the
largest table of all, the deliveries, is not shown."""


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
    """The time from which a sync tries the trial again; null if the next sync does."""
    bytes_kept: int
    """Size in bytes of the response, which ctsync keeps."""


def quarantined_trial_row(failure: Failure, now: datetime) -> QuarantinedTrialRow:
    """The row of a failure; `next_try` is None if the next sync tries the trial again."""
    return QuarantinedTrialRow(
        nct_id=failure.nct_id,
        error=failure.error,
        error_class=failure.error_class,
        attempts=failure.attempts,
        first_seen=failure.first_at,
        last_seen=failure.last_at,
        next_try=failure.held_until(now),
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
    """Sentences about the data refreshes of the last days, each in place of many changes."""


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
    history, except trials whose history was never requested.
    """
    requested = dict(sorted(histories.items()))
    return StatusRow(
        state=health.condition,
        reasons=health.reasons,
        database=database,
        watched=facts.watched,
        stored={_NAMES.get(table, table): count for table, count in stored.items()},
        newest_load=facts.newest_load,
        last_complete_run=facts.last_complete,
        histories=requested | {"not_requested": facts.watched - sum(requested.values())},
        quarantine=tuple(quarantine),
        notices=tuple(notice_row(notice) for notice in notices),
    )


@dataclass(frozen=True, slots=True)
class Status:
    """The health with its reasons, and the facts behind it."""

    now: datetime
    health: Health
    facts: HealthFacts
    database: str
    stored: Mapping[str, int]
    histories: Mapping[str, int]
    next_history: datetime | None
    failures: tuple[Failure, ...]
    notices: tuple[Notice, ...]
    unknown_watches: tuple[str, ...]

    @property
    def row(self) -> StatusRow:
        """The state as a row."""
        return status_row(
            self.health,
            self.facts,
            database=self.database,
            stored=self.stored,
            histories=self.histories,
            quarantine=(quarantined_trial_row(one, self.now) for one in self.failures),
            notices=self.notices,
        )


def current_status(
    store: Store,
    settings: Settings,
    *,
    routes: Iterable[Route],
    now: datetime,
    tables: Collection[str] = (),
) -> Status:
    """Judge the state of ctsync. Counts the rows of these tables, by default of all.

    A watch in the settings file counts even if no sync has added it yet. Otherwise the state would
    be "idle", which exits with code 0.
    """
    origins = store.watches.origins()
    pending = [watch for watch in settings.watches if origins.get(watch.name) != "file"]
    facts = health_facts(store, routes, now=now)
    if pending:
        named = sum(len(watch.trials) + len(watch.org_ids) for watch in settings.watches)
        facts = replace(facts, watched=max(facts.watched, named))
    histories, next_history = store.watched.history_summary()
    failing = store.watched.failing_ids()
    runs = store.runs.with_notices(since=now - NOTICES_SHOWN)
    return Status(
        now=now,
        health=_with_pending(assess(facts, now), [watch.name for watch in pending]),
        facts=facts,
        database=settings.database.shown_url,
        stored=store.counts(tables),
        histories=histories,
        next_history=next_history,
        failures=tuple(one for one in store.failures.find() if one.nct_id in failing),
        notices=tuple(notice for run in runs for notice in read_notices(run.notices)),
        unknown_watches=tuple(settings.unknown_watches(list(origins))),
    )


def _with_pending(health: Health, pending: Sequence[str]) -> Health:
    """Return the health, with watches that no sync has added yet as a reason."""
    if not pending:
        return health
    reason = f"in the settings file, not synced yet: watch {', '.join(pending)}; run: ctsync sync"
    is_well = health.exit_code == 0
    return Health(HealthState.PARTIAL if is_well else health.condition, (*health.reasons, reason))


SCHEMAS = {"status": StatusRow}
