"""The run log: one row per run, with any verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, or_, select, update

from ctsync.dates import CLOCK_TOLERANCE
from ctsync.model import RegistryVersion, Verdict
from ctsync.store.database.access import Reads, Writes, exclude_other_claims, insert_row
from ctsync.store.database.tables import RUNS

SYNC = "sync"
"""The kind of a run over all watched trials."""

COMPLETED = (Verdict.OK, Verdict.PARTIAL, Verdict.MIXED)
"""The verdicts of runs that neither failed nor were interrupted."""

MIRROR = "mirror"
"""The kind of a run over the entire registry. Most of its trials are not watched."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `finished` is None while it runs and if it was interrupted.

    `notices` are its findings about the registry as a whole, None until they are determined.
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
class CheckedLoad:
    """A load in which a complete sync checked the followed trials, and the start of the sync."""

    load: datetime
    run_id: int | None
    started: datetime


class RunReads(Reads):
    """Reads runs."""

    def latest(
        self, limit: int | None = None, *, kind: str | None = None, before: int | None = None
    ) -> list[Run]:
        """Return the runs, newest first, only of `kind` and before the run `before` if given."""
        statement = select(RUNS).order_by(RUNS.c.id.desc())
        if before is not None:
            statement = statement.where(RUNS.c.id < before)
        if kind is not None:
            statement = statement.where(RUNS.c.kind == kind)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(statement.limit(limit))]

    def count(self) -> int:
        """Count the runs."""
        with self._reading() as connection:
            return connection.scalar(select(func.count()).select_from(RUNS)) or 0

    def get(self, run_id: int) -> Run | None:
        """Return one run, or None if the id is unknown."""
        statement = select(RUNS).where(RUNS.c.id == run_id)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _run(row)

    def last(self, *, kind: str | None = None, verdict: Verdict | None = None) -> Run | None:
        """Return the newest run, only of `kind` and `verdict` if given."""
        statement = select(RUNS).order_by(RUNS.c.id.desc()).limit(1)
        if kind is not None:
            statement = statement.where(RUNS.c.kind == kind)
        if verdict is not None:
            statement = statement.where(RUNS.c.verdict == verdict)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _run(row)

    def with_notices(
        self, *, first: int = 0, since: datetime | None = None, until: datetime | None = None
    ) -> list[Run]:
        """Return the runs that have notices, oldest first.

        `first` is the lowest run id. `since` (inclusive) and `until` (exclusive) limit the loads
        that the runs saw at their start.
        """
        noticed = select(RUNS).where(
            RUNS.c.id >= first, RUNS.c.notices.is_not(None), RUNS.c.notices != []
        )
        seen = func.coalesce(RUNS.c.load_before, RUNS.c.started)
        if since is not None:
            noticed = noticed.where(seen >= since)
        if until is not None:
            noticed = noticed.where(seen < until)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(noticed.order_by(RUNS.c.id))]

    def ids(self, kind: str) -> frozenset[int]:
        """Return the ids of all runs of a kind."""
        with self._reading() as connection:
            return frozenset(connection.scalars(select(RUNS.c.id).where(RUNS.c.kind == kind)))

    def ids_without_notices(self, *kinds: str) -> list[int]:
        """Return the ids of the runs of these kinds after the last with notices, oldest first.

        A run that was interrupted before its notices were determined leaves this to a later run.
        """
        known = select(func.coalesce(func.max(RUNS.c.id), 0)).where(
            RUNS.c.kind.in_(kinds), RUNS.c.notices.is_not(None)
        )
        statement = select(RUNS.c.id).where(
            RUNS.c.kind.in_(kinds), RUNS.c.id > known.scalar_subquery()
        )
        with self._reading() as connection:
            return list(connection.scalars(statement.order_by(RUNS.c.id)))

    def last_finished(
        self, kind: str, now: datetime, *, verdict: Verdict | None = None
    ) -> datetime | None:
        """Return the latest end of a run of a kind, only with `verdict` if given.

        An end ahead of `now` is ignored: a wrong clock wrote it.
        """
        statement = select(func.max(RUNS.c.finished)).where(
            RUNS.c.kind == kind, RUNS.c.finished <= now + CLOCK_TOLERANCE
        )
        if verdict is not None:
            statement = statement.where(RUNS.c.verdict == verdict)
        with self._reading() as connection:
            return connection.execute(statement).scalar()

    def last_completed_start(self, kind: str, now: datetime) -> datetime | None:
        """Return the latest start of a run of a kind that neither failed nor was interrupted.

        A start ahead of `now` is ignored: a wrong clock wrote it.
        """
        statement = select(func.max(RUNS.c.started)).where(
            RUNS.c.kind == kind,
            RUNS.c.verdict.in_(COMPLETED),
            RUNS.c.started <= now + CLOCK_TOLERANCE,
        )
        with self._reading() as connection:
            return connection.execute(statement).scalar()

    def checked_loads(self, *, newest: bool = False) -> list[CheckedLoad]:
        """Return the loads in which complete syncs checked the followed trials, oldest first.

        `newest` returns only the last of them. A sync during which the registry reloaded twice
        does not count.
        """
        statement = select(RUNS.c.load_after, RUNS.c.id, RUNS.c.started).where(
            RUNS.c.kind == SYNC,
            RUNS.c.verdict.in_((Verdict.OK, Verdict.PARTIAL)),
            RUNS.c.load_after.is_not(None),
        )
        newest_first = statement.order_by(RUNS.c.load_after.desc(), RUNS.c.id.desc())
        with self._reading() as connection:
            rows = connection.execute(newest_first.limit(1 if newest else None))
            loads = [CheckedLoad(load, run_id, at) for load, run_id, at in rows if load is not None]
        return loads[::-1]

    def newest_load(self) -> datetime | None:
        """Return the newest load that any run saw."""
        statement = select(func.max(RUNS.c.load_before), func.max(RUNS.c.load_after))
        with self._reading() as connection:
            loads = connection.execute(statement).one()
        return max((load for load in loads if load is not None), default=None)


def _run(row: Row[Any]) -> Run:
    return Run(**dict(row._mapping) | {"verdict": Verdict(row.verdict)})


class RunWrites(Writes):
    """Writes runs."""

    def begin(self, kind: str, started: datetime) -> int:
        """Add a run with the verdict "running" and return its id."""
        row = {"kind": kind, "started": started, "verdict": Verdict.RUNNING.value}
        return insert_row(self._connection, RUNS, row)

    def claim(
        self, kind: str, started: datetime, *, since: datetime, lease: timedelta
    ) -> int | None:
        """Begin a run that only one process may make, and return its id.

        Returns None if a run of this kind that began at or after `since` has succeeded, or if one
        that began less than `lease` ago is running. Ignores runs that began in the future.
        """
        exclude_other_claims(self._connection)
        is_made = and_(RUNS.c.verdict == Verdict.OK, RUNS.c.started >= since)
        is_alive = and_(RUNS.c.verdict == Verdict.RUNNING, RUNS.c.started > started - lease)
        is_past = RUNS.c.started <= started + CLOCK_TOLERANCE
        other = select(exists().where(RUNS.c.kind == kind, is_past, or_(is_made, is_alive)))
        return None if self._connection.scalar(other) else self.begin(kind, started)

    def discard(self, run_id: int) -> None:
        """Remove a run that did nothing."""
        self._connection.execute(delete(RUNS).where(RUNS.c.id == run_id))

    def set_load(self, run_id: int, load: RegistryVersion) -> None:
        """Record the registry's load at the start of a run."""
        self._connection.execute(
            update(RUNS)
            .where(RUNS.c.id == run_id)
            .values(load_before=load.data_timestamp, api_version=load.api_version)
        )

    def finish(
        self,
        run_id: int,
        *,
        finished: datetime,
        verdict: Verdict,
        load_after: datetime | None = None,
        error: str | None = None,
        **counts: int,
    ) -> None:
        """Close a run with its verdict and its counts, which have the names of their columns."""
        values = {"finished": finished, "verdict": verdict, "load_after": load_after}
        self._connection.execute(
            update(RUNS).where(RUNS.c.id == run_id).values(error=error, **values, **counts)
        )

    def add_delivered(self, run_id: int, messages: int) -> None:
        """Add to the count of messages that were sent after a run."""
        self._connection.execute(
            update(RUNS).where(RUNS.c.id == run_id).values(delivered=RUNS.c.delivered + messages)
        )

    def set_notices(self, run_id: int, notices: Sequence[Mapping[str, Any]]) -> None:
        """Store the notices of a run. An empty sequence means that there are none."""
        self._connection.execute(
            update(RUNS)
            .where(RUNS.c.id == run_id)
            .values(notices=[dict(notice) for notice in notices])
        )
