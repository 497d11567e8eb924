"""What is stored of many trials, a few rows at a time; each stream is one view of the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, select

from ctsync.model import NctId, Version
from ctsync.store.data.versions import version_of
from ctsync.store.database.access import BATCH, Reads, batches
from ctsync.store.database.tables import SNAPSHOTS, TRIALS, WATCHED_TRIALS, WATCHES


@dataclass(frozen=True, slots=True)
class Selection:
    """Which trials: those of a watch, those named, or where neither is given all."""

    nct_ids: Sequence[NctId] = ()
    watch: str | None = None


class StreamReads(Reads):
    """What is stored, for those who want much of it."""

    def each_trial(self, selection: Selection | None = None) -> Iterator[list[Version]]:
        """The versions of each trial that has any, oldest first, in order of their ids."""
        wanted = selection or Selection()
        versions = select(SNAPSHOTS).order_by(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.position)
        with self._reading() as connection:
            for statement in narrowed(versions, SNAPSHOTS.c.nct_id, wanted):
                rows = connection.execute(statement.execution_options(yield_per=BATCH))
                for _, of_trial in groupby(rows, key=attrgetter("nct_id")):
                    yield [version_of(row, number) for number, row in enumerate(of_trial, start=1)]

    def ids_of(self, selection: Selection | None = None) -> list[NctId]:
        """The trials selected of which a version is stored, in order."""
        known = select(TRIALS.c.nct_id).where(TRIALS.c.head_snapshot_id.is_not(None))
        statements = narrowed(
            known.order_by(TRIALS.c.nct_id), TRIALS.c.nct_id, selection or Selection()
        )
        with self._reading() as connection:
            return [NctId(one) for each in statements for one in connection.scalars(each)]


def narrowed(statement: Select[Any], nct_id: Any, selection: Selection) -> Iterator[Select[Any]]:
    """The statement for the trials selected, whose id is `nct_id`; several where many are named.

    Together they give the trials in order, each once.
    """
    if selection.watch is not None:
        watched = (
            select(WATCHED_TRIALS.c.nct_id)
            .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
            .where(WATCHES.c.name == selection.watch)
        )
        statement = statement.where(nct_id.in_(watched))
    if not selection.nct_ids:
        yield statement
        return
    for batch in batches(sorted(set(selection.nct_ids))):
        yield statement.where(nct_id.in_(batch))
