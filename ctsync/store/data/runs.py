"""The run ledger, and the quarantine of trials that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, RowMapping, delete, func, insert, select, update

from ctsync.errors import InQuarantine
from ctsync.model import NctId, RegistryVersion, Verdict
from ctsync.store.bodies import codec
from ctsync.store.database.access import Reads, Writes, batches
from ctsync.store.database.tables import FAILURES, RUNS

SYNC = "sync"
"""The kind of a run over all that is watched, as the ledger calls it."""

MIRROR = "mirror"
"""The kind of a run over the whole registry, of which few trials are followed."""

FIRST_RETRY = timedelta(hours=1)
LONGEST_RETRY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the ledger has it; `finished` is None for one under way or cut off.

    `notices` are what it has to tell as a whole, None where that was not looked for yet.
    """

    id: int
    kind: str
    started: datetime
    finished: datetime | None
    load_before: datetime | None
    load_after: datetime | None
    api_version: str | None
    verdict: Verdict
    error: str | None
    requests: int
    retries: int
    asked: int
    answered: int
    same: int
    changed: int
    new: int
    gone: int
    failed: int
    delivered: int
    notices: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial in quarantine, and what came instead of its record."""

    nct_id: NctId
    run_id: int | None
    first_at: datetime
    last_at: datetime
    attempts: int
    next_try: datetime
    error_class: str
    error: str
    raw: bytes


class RunReads(Reads):
    """What is stored of runs and failures."""

    def runs(self, limit: int | None = None, *, kind: str | None = None) -> list[Run]:
        """The runs, newest first, of that kind if given."""
        statement = select(RUNS).order_by(RUNS.c.id.desc())
        if kind is not None:
            statement = statement.where(RUNS.c.kind == kind)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(statement.limit(limit))]

    def run(self, run_id: int) -> Run | None:
        """One run; None where there is none of that id."""
        statement = select(RUNS).where(RUNS.c.id == run_id)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _run(row)

    def last_run(self, *, kind: str | None = None, verdict: Verdict | None = None) -> Run | None:
        """The newest run, of that kind and verdict if given."""
        statement = select(RUNS).order_by(RUNS.c.id.desc()).limit(1)
        if kind is not None:
            statement = statement.where(RUNS.c.kind == kind)
        if verdict is not None:
            statement = statement.where(RUNS.c.verdict == verdict)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _run(row)

    def runs_with_notices(
        self, *, first: int = 0, since: datetime | None = None, until: datetime | None = None
    ) -> list[Run]:
        """The runs that have something to tell as a whole, oldest first.

        `first` is the oldest run asked for; `since` and `until` bound the loads they saw.
        """
        told = select(RUNS).where(
            RUNS.c.id >= first, RUNS.c.notices.is_not(None), RUNS.c.notices != []
        )
        seen = func.coalesce(RUNS.c.load_before, RUNS.c.started)
        if since is not None:
            told = told.where(seen >= since)
        if until is not None:
            told = told.where(seen < until)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(told.order_by(RUNS.c.id))]

    def run_ids(self, kind: str) -> frozenset[int]:
        """All runs of a kind."""
        with self._reading() as connection:
            return frozenset(connection.scalars(select(RUNS.c.id).where(RUNS.c.kind == kind)))

    def unsettled_runs(self, *kinds: str) -> list[int]:
        """The newest runs of these kinds whose notices were not looked for yet, oldest first.

        A run that ended before that, however it ended, is among them until a later one has
        looked for both.
        """
        settled = select(func.coalesce(func.max(RUNS.c.id), 0)).where(
            RUNS.c.kind.in_(kinds), RUNS.c.notices.is_not(None)
        )
        statement = select(RUNS.c.id).where(
            RUNS.c.kind.in_(kinds), RUNS.c.id > settled.scalar_subquery()
        )
        with self._reading() as connection:
            return list(connection.scalars(statement.order_by(RUNS.c.id)))

    def last_finished(self, kind: str) -> datetime | None:
        """When the newest run of a kind that came to an end did so."""
        statement = select(func.max(RUNS.c.finished)).where(RUNS.c.kind == kind)
        with self._reading() as connection:
            return connection.execute(statement).scalar()

    def last_completed_start(self, kind: str) -> datetime | None:
        """When the newest run of a kind began that neither failed nor was cut off."""
        completed = (Verdict.OK, Verdict.PARTIAL, Verdict.MIXED)
        statement = select(func.max(RUNS.c.started)).where(
            RUNS.c.kind == kind, RUNS.c.verdict.in_(completed)
        )
        with self._reading() as connection:
            return connection.execute(statement).scalar()

    def newest_load(self) -> datetime | None:
        """The newest load of the registry that any run saw."""
        statement = select(func.max(RUNS.c.load_before), func.max(RUNS.c.load_after))
        with self._reading() as connection:
            loads = connection.execute(statement).one()
        return max((load for load in loads if load is not None), default=None)

    def failures(self, *, due: datetime | None = None) -> list[Failure]:
        """The quarantine, in order of ids; with `due` only what is to be tried again by then."""
        statement = select(FAILURES).order_by(FAILURES.c.nct_id)
        if due is not None:
            statement = statement.where(FAILURES.c.next_try <= due)
        with self._reading() as connection:
            return [_failure(row._mapping) for row in connection.execute(statement)]

    def loads_before_failure(self) -> dict[NctId, datetime]:
        """For each trial in quarantine the newest load that a sync before its first failure saw.

        Nothing for one that failed in the first sync of all.
        """
        newest = (
            select(func.max(RUNS.c.load_before))
            .where(RUNS.c.kind == SYNC, RUNS.c.finished < FAILURES.c.first_at)
            .scalar_subquery()
        )
        with self._reading() as connection:
            return {
                NctId(nct_id): load
                for nct_id, load in connection.execute(select(FAILURES.c.nct_id, newest))
                if load is not None
            }


def _run(row: Row[Any]) -> Run:
    return Run(**dict(row._mapping) | {"verdict": Verdict(row.verdict)})


def _failure(row: RowMapping) -> Failure:
    values = {field.name: row[field.name] for field in fields(Failure)}
    return Failure(**values | {"raw": codec.decompress(row["raw"]) if row["raw"] else b""})


class RunWrites(Writes):
    """What a unit does to runs and failures."""

    def begin_run(self, kind: str, started: datetime) -> int:
        """Open a run in the ledger and give its id."""
        row = {"kind": kind, "started": started, "verdict": Verdict.RUNNING}
        statement = insert(RUNS).returning(RUNS.c.id)
        return self._connection.execute(statement, row).scalar_one()

    def note_load(self, run_id: int, load: RegistryVersion) -> None:
        """Note which load the registry shows at the beginning of a run."""
        self._connection.execute(
            update(RUNS)
            .where(RUNS.c.id == run_id)
            .values(load_before=load.data_timestamp, api_version=load.api_version)
        )

    def finish_run(
        self,
        run_id: int,
        *,
        finished: datetime,
        verdict: Verdict,
        load_after: datetime | None = None,
        error: str | None = None,
        **counts: int,
    ) -> None:
        """Close a run with its verdict and its counts, named as the columns are."""
        values = {"finished": finished, "verdict": verdict, "load_after": load_after}
        self._connection.execute(
            update(RUNS).where(RUNS.c.id == run_id).values(error=error, **values, **counts)
        )

    def note_delivered(self, run_id: int, messages: int) -> None:
        """Count the messages that went out after a run."""
        self._connection.execute(
            update(RUNS).where(RUNS.c.id == run_id).values(delivered=RUNS.c.delivered + messages)
        )

    def set_notices(self, run_id: int, notices: Sequence[Mapping[str, Any]]) -> None:
        """Note what a run has to tell as a whole; an empty sequence says that it has nothing."""
        self._connection.execute(
            update(RUNS)
            .where(RUNS.c.id == run_id)
            .values(notices=[dict(notice) for notice in notices])
        )

    def record_failure(
        self, nct_id: NctId, error: Exception, raw: bytes, *, run_id: int | None, now: datetime
    ) -> None:
        """Put a trial into quarantine, to be tried again later each time it fails.

        A failure of the same run is counted once. That a trial waits in quarantine for its next
        try (InQuarantine) is no failure, and changes nothing.
        """
        if isinstance(error, InQuarantine):
            return
        known = self._connection.execute(
            select(FAILURES.c.attempts, FAILURES.c.run_id, FAILURES.c.last_at).where(
                FAILURES.c.nct_id == nct_id
            )
        ).one_or_none()
        repeated = known is not None and (known.run_id, known.last_at) == (run_id, now)
        attempts = 1 if known is None else known.attempts + (not repeated)
        values = {
            "run_id": run_id,
            "last_at": now,
            "attempts": attempts,
            "next_try": now + min(FIRST_RETRY * 2 ** min(attempts - 1, 16), LONGEST_RETRY),
            "error_class": type(error).__name__,
            "error": str(error),
            "raw": codec.pack(raw) if raw else None,
        }
        self._insert_new(FAILURES, [{"nct_id": nct_id, "first_at": now, **values}])
        self._connection.execute(update(FAILURES).where(FAILURES.c.nct_id == nct_id).values(values))

    def clear_failures(self, ids: Iterable[NctId]) -> int:
        """Let trials out of quarantine; how many were in it."""
        held: Sequence[NctId] = list(ids)
        return sum(
            self._connection.execute(delete(FAILURES).where(FAILURES.c.nct_id.in_(batch))).rowcount
            for batch in batches(held)
        )
