"""The rows of `trial_facts`: derived from the newest record of each followed trial.

A row is current if it names the digest of that record and the form of the rules. Other rows are
ignored by readers and replaced by the next sync, so that no writer of versions needs to know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, or_, select

from ctsync.model import JsonObject, NctId
from ctsync.store.database.access import Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import SNAPSHOTS, TRIAL_FACTS, TRIALS, WATCHED_TRIALS


class StoredFacts(NamedTuple):
    """The stored facts of a trial, and the digest of the record that they follow from.

    `facts` are those of a portfolio, `flag_record` those of the flags, `expected` of a forecast.
    """

    nct_id: NctId
    digest: str
    facts: JsonObject
    flag_record: JsonObject
    expected: list[list[str]]


class FactReads(Reads):
    """Reads the facts of followed trials."""

    def outdated(self, form: int) -> dict[NctId, str]:
        """Return the newest record of each followed trial whose facts are missing or not current.

        A trial without a record in its newest version keeps the facts of the version before.
        """
        statement = (
            select(TRIALS.c.nct_id, SNAPSHOTS.c.digest)
            .join(SNAPSHOTS, SNAPSHOTS.c.id == TRIALS.c.head_snapshot_id)
            .outerjoin(TRIAL_FACTS, TRIAL_FACTS.c.nct_id == TRIALS.c.nct_id)
            .where(
                TRIALS.c.nct_id.in_(select(WATCHED_TRIALS.c.nct_id)),
                or_(
                    TRIAL_FACTS.c.digest.is_(None),
                    TRIAL_FACTS.c.digest != SNAPSHOTS.c.digest,
                    TRIAL_FACTS.c.form != form,
                ),
            )
            .order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        return {NctId(nct_id): digest for nct_id, digest in rows if digest is not None}

    def current(self, form: int) -> list[StoredFacts]:
        """Return every row of this form, in order of trials."""
        statement = (
            select(*(TRIAL_FACTS.c[name] for name in StoredFacts._fields))
            .where(TRIAL_FACTS.c.form == form)
            .order_by(TRIAL_FACTS.c.nct_id)
        )
        with self._reading() as connection:
            return [StoredFacts(*row) for row in connection.execute(statement)]


class FactWrites(Writes):
    """Writes the facts of trials."""

    def replace(self, rows: Sequence[StoredFacts], *, form: int) -> None:
        """Store the facts of trials in place of those stored before."""
        self.delete([row.nct_id for row in rows])
        columns = (*StoredFacts._fields, "form")
        insert_rows(self._connection, TRIAL_FACTS, columns, [(*row, form) for row in rows])

    def delete(self, ids: Sequence[NctId]) -> None:
        """Delete the facts of trials, which the next sync derives again."""
        for batch in batches(ids):
            self._connection.execute(delete(TRIAL_FACTS).where(TRIAL_FACTS.c.nct_id.in_(batch)))
