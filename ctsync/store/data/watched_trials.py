"""The trials that watches follow, read as a set: a team may follow tens of thousands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, func, or_, select

from ctsync.model import NctId
from ctsync.store.database.access import Reads
from ctsync.store.database.tables import FAILURES, TRIALS, WATCHED_TRIALS, WATCHES


def trials_of_watch(name: str) -> Select[str]:
    """Select the ids of the trials that the watch of this name follows."""
    return (
        select(WATCHED_TRIALS.c.nct_id)
        .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
        .where(WATCHES.c.name == name)
    )


@dataclass(frozen=True, slots=True)
class TrialSelection:
    """Which trials: those named, else those of one watch, else those of all watches."""

    ids: Sequence[NctId] = ()
    watch: str | None = None


class WatchedTrialReads(Reads):
    """Reads the watched trials as a set."""

    def count(self, selection: TrialSelection) -> int:
        """Count the selected trials."""
        if selection.ids:
            return len(selection.ids)
        with self._reading() as connection:
            members = _members(selection).subquery()
            return connection.execute(select(func.count()).select_from(members)).scalar_one()

    def ids(self, selection: TrialSelection | None = None) -> tuple[NctId, ...]:
        """Return the ids of the selected trials, by default of all watches.

        In order of ids, unless the selection names them.
        """
        selection = selection or TrialSelection()
        if selection.ids:
            return tuple(selection.ids)
        with self._reading() as connection:
            members = _members(selection).order_by(WATCHED_TRIALS.c.nct_id)
            return tuple(NctId(nct_id) for nct_id in connection.scalars(members))

    def moved_ids(self) -> tuple[NctId, ...]:
        """Return the ids that a watched trial has taken over, in order.

        They are requested with it: one that answers under its own id again is a trial again.
        """
        watched = select(WATCHED_TRIALS.c.nct_id)
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.moved_to.in_(watched), TRIALS.c.nct_id.not_in(watched))
            .order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def unconfirmed(self, selection: TrialSelection, *, load: datetime | None) -> tuple[NctId, ...]:
        """Return the selected trials that a load may not have shown as they are stored.

        Those are the trials that are in quarantine, are absent, have no stored version or were
        last seen in an older load. If the selection names trials, all of them are returned.
        """
        if selection.ids:
            return tuple(selection.ids)
        not_seen: list[ColumnElement[bool]] = [
            TRIALS.c.head_snapshot_id.is_(None),  # or the trial has no row
            TRIALS.c.absent_since.is_not(None),
            WATCHED_TRIALS.c.nct_id.in_(select(FAILURES.c.nct_id)),
        ]
        if load is not None:
            not_seen += [TRIALS.c.last_seen_load.is_(None), TRIALS.c.last_seen_load < load]
        # DISTINCT then applies to the few rows found, and not to all watched trials
        found = (
            _members(selection)
            .outerjoin(TRIALS, TRIALS.c.nct_id == WATCHED_TRIALS.c.nct_id)
            .where(or_(*not_seen))
            .order_by(WATCHED_TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(found))

    def failing_ids(self) -> frozenset[NctId]:
        """Return the watched trials that are in quarantine."""
        is_watched = exists().where(WATCHED_TRIALS.c.nct_id == FAILURES.c.nct_id)
        with self._reading() as connection:
            return frozenset(connection.scalars(select(FAILURES.c.nct_id).where(is_watched)))

    def history_summary(self) -> tuple[dict[str, int], datetime | None]:
        """Return how many trials are in each history state, and the earliest retry of a history."""
        members = _members(TrialSelection()).subquery()
        asked = (
            select(TRIALS.c.history_state, func.count(), func.min(TRIALS.c.history_retry))
            .select_from(members)
            .join(TRIALS, TRIALS.c.nct_id == members.c.nct_id)
            .where(TRIALS.c.history_state.is_not(None))
            .group_by(TRIALS.c.history_state)
        )
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        retries = [retry for _, _, retry in rows if retry is not None]
        return {str(state): count for state, count, _ in rows}, min(retries, default=None)


def _members(selection: TrialSelection) -> Select[str]:
    if selection.watch is None:
        return select(WATCHED_TRIALS.c.nct_id).distinct()
    return trials_of_watch(selection.watch)
