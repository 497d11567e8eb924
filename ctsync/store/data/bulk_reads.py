"""Streams over many trials, a few rows in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Select, select

from ctsync.model import NctId, Version
from ctsync.store.data.versions import VERSIONS, trial_of, version_of
from ctsync.store.data.watched_trials import trials_of_watch
from ctsync.store.database.access import BATCH, Reads, batches
from ctsync.store.database.tables import SNAPSHOTS, TRIALS


@dataclass(frozen=True, slots=True)
class Selection:
    """The stored trials to read: those of `watch`, those in `nct_ids`, or all by default."""

    nct_ids: Sequence[NctId] = ()
    watch: str | None = None


class BulkReads(Reads):
    """Reads many trials. Each stream holds one view of the database until its end."""

    def versions_by_trial(self, selection: Selection | None = None) -> Iterator[list[Version]]:
        """Iterate over trials in order of ids. Each item is a trial's versions, oldest first."""
        wanted = selection or Selection()
        versions = VERSIONS.order_by(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.position)
        with self._reading() as connection:
            for statement in narrowed(versions, SNAPSHOTS.c.nct_id, wanted):
                rows = connection.execute(statement.execution_options(yield_per=BATCH))
                for _, of_trial in groupby(rows, key=trial_of):
                    yield [version_of(row, number) for number, row in enumerate(of_trial, start=1)]

    def trial_ids(self, selection: Selection | None = None) -> list[NctId]:
        """Return the selected trials that have a stored version, in order."""
        known = select(TRIALS.c.nct_id).where(TRIALS.c.head_snapshot_id.is_not(None))
        statements = narrowed(
            known.order_by(TRIALS.c.nct_id), TRIALS.c.nct_id, selection or Selection()
        )
        with self._reading() as connection:
            return [NctId(one) for each in statements for one in connection.scalars(each)]


def narrowed(statement: Select[Any], nct_id: Any, selection: Selection) -> Iterator[Select[Any]]:
    """Narrow a statement to the selected trials. `nct_id` is the column that holds their id.

    Yields several statements if many trials are named. Together they give the trials in order,
    each once.
    """
    if selection.watch is not None:
        statement = statement.where(nct_id.in_(trials_of_watch(selection.watch)))
    if not selection.nct_ids:
        yield statement
        return
    for batch in batches(sorted(set(selection.nct_ids))):
        yield statement.where(nct_id.in_(batch))
