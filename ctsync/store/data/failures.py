"""Failures: the trials in quarantine, and the time of the next attempt for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, case, delete, func, literal, or_, select, update

from ctsync.dates import CLOCK_TOLERANCE, is_ahead
from ctsync.errors import (
    AnswerTooLarge,
    BadAnswer,
    IdentityMismatch,
    InQuarantine,
    RequestRefused,
    UnidentifiedRecord,
)
from ctsync.model import NctId
from ctsync.store.bodies import codec
from ctsync.store.data.runs import SYNC
from ctsync.store.database.access import Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import FAILURES, RUNS
from ctsync.store.database.types import Timestamp

FIRST_RETRY = timedelta(hours=1)
LONGEST_RETRY = timedelta(days=7)
_COSTLY = {
    error.__name__
    for error in (BadAnswer, AnswerTooLarge, IdentityMismatch, RequestRefused, UnidentifiedRecord)
}
"""The errors that cost extra requests: the batch had to be halved to find the trial."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial in quarantine. `raw` is the received data, which was not a valid record."""

    nct_id: NctId
    run_id: int | None
    first_at: datetime
    last_at: datetime
    attempts: int
    next_try: datetime
    error_class: str
    error: str
    raw: bytes

    def held_until(self, now: datetime) -> datetime | None:
        """Return when the trial is requested again, or None if the next sync requests it.

        Every sync requests a trial whose error cost no extra requests. If the last failure is in
        the future, or the next try is further ahead than the longest wait, a wrong clock wrote it,
        and the trial is due.
        """
        is_wrong = is_ahead(self.last_at, now) or is_ahead(self.next_try, now + LONGEST_RETRY)
        is_due = self.error_class not in _COSTLY or self.next_try <= now or is_wrong
        return None if is_due else self.next_try


class FailureReads(Reads):
    """Reads the quarantine."""

    def find(self, *, due: datetime | None = None) -> list[Failure]:
        """Return the trials in quarantine in order of ids, only those due at `due` if given.

        A trial is also due if its last failure is after `due`, or its next try is further ahead
        than the longest wait.
        """
        statement = select(FAILURES).order_by(FAILURES.c.nct_id)
        if due is not None:
            ahead = due + CLOCK_TOLERANCE
            statement = statement.where(
                or_(
                    FAILURES.c.next_try <= due,
                    FAILURES.c.next_try > ahead + LONGEST_RETRY,
                    FAILURES.c.last_at > ahead,
                )
            )
        with self._reading() as connection:
            return [_failure(row._mapping) for row in connection.execute(statement)]

    def last_good_loads(self) -> dict[NctId, datetime]:
        """Return the newest load that a sync saw before each quarantined trial first failed.

        A trial that failed in the first sync is left out.
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


def _failure(row: RowMapping) -> Failure:
    values = {field.name: row[field.name] for field in fields(Failure)}
    return Failure(**values | {"raw": codec.decompress(row["raw"]) if row["raw"] else b""})


class FailureWrites(Writes):
    """Writes the quarantine."""

    def record(
        self, nct_id: NctId, error: Exception, raw: bytes, *, run_id: int | None, now: datetime
    ) -> None:
        """Put a trial into quarantine. Each failure doubles the wait, up to LONGEST_RETRY.

        Failures of one run count once. InQuarantine means that the trial still waits for its next
        attempt. It is not a failure and changes nothing.
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
        row = {"nct_id": nct_id, "first_at": now, **values}
        new = [tuple(row.values())]
        insert_rows(self._connection, FAILURES, tuple(row), new, unless_there=True)
        began = FAILURES.c.first_at
        # a first failure in the future would hide how long the trial has been failing
        first = case((began > now + CLOCK_TOLERANCE, literal(now, Timestamp)), else_=began)
        this = update(FAILURES).where(FAILURES.c.nct_id == nct_id)
        self._connection.execute(this.values(values | {"first_at": first}))

    def clear(self, ids: Iterable[NctId]) -> int:
        """Remove trials from quarantine. Return how many were in it."""
        return sum(
            self._connection.execute(delete(FAILURES).where(FAILURES.c.nct_id.in_(batch))).rowcount
            for batch in batches(list(ids))
        )
