"""The trials that are followed, asked for without reading them all: a team follows many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select

from ctsync.model import NctId
from ctsync.store.database.access import Reads
from ctsync.store.database.tables import FAILURES, TRIALS, WATCHED_TRIALS, WATCHES


@dataclass(frozen=True, slots=True)
class TrialSelection:
    """Which trials: those named, else those of one watch, else all that any watch follows."""

    ids: Sequence[NctId] = ()
    watch: str | None = None


class FollowedReads(Reads):
    """What is known of the trials followed as a whole."""

    def count_followed(self, whom: TrialSelection) -> int:
        """How many trials these are."""
        if whom.ids:
            return len(whom.ids)
        with self._reading() as connection:
            members = _members(whom).subquery()
            return connection.execute(select(func.count()).select_from(members)).scalar_one()

    def followed(self, whom: TrialSelection) -> tuple[NctId, ...]:
        """Their ids; in order, where they are not named."""
        if whom.ids:
            return tuple(whom.ids)
        with self._reading() as connection:
            members = _members(whom).order_by(WATCHED_TRIALS.c.nct_id)
            return tuple(NctId(nct_id) for nct_id in connection.scalars(members))

    def doubtful(self, whom: TrialSelection, *, load: datetime | None) -> tuple[NctId, ...]:
        """Those that a load may not have shown as they are stored; all of those named.

        A trial that has a failure, was absent, was never stored or was last seen in an older
        load is among them.
        """
        if whom.ids:
            return tuple(whom.ids)
        not_seen: list[ColumnElement[bool]] = [
            TRIALS.c.head_snapshot_id.is_(None),  # or there is no such row
            TRIALS.c.absent_since.is_not(None),
            WATCHED_TRIALS.c.nct_id.in_(select(FAILURES.c.nct_id)),
        ]
        if load is not None:
            not_seen += [TRIALS.c.last_seen_load.is_(None), TRIALS.c.last_seen_load < load]
        # what is the same twice is left out of the few found, not of all that are looked at
        found = (
            _members(whom)
            .outerjoin(TRIALS, TRIALS.c.nct_id == WATCHED_TRIALS.c.nct_id)
            .where(or_(*not_seen))
            .order_by(WATCHED_TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(found))

    def failing(self) -> frozenset[NctId]:
        """Those in quarantine that any watch follows."""
        followed = exists().where(WATCHED_TRIALS.c.nct_id == FAILURES.c.nct_id)
        with self._reading() as connection:
            return frozenset(connection.scalars(select(FAILURES.c.nct_id).where(followed)))

    def followed_histories(self) -> tuple[dict[str, int], datetime | None]:
        """How many are in which state of history, and when the next is to be asked for again."""
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

    def watch_origins(self) -> dict[str, str]:
        """The name of every watch, and where it comes from; reads no trial of any."""
        with self._reading() as connection:
            rows = connection.execute(select(WATCHES.c.name, WATCHES.c.origin)).all()
            return {row.name: row.origin for row in rows}


def _members(whom: TrialSelection) -> Select[Any]:
    if whom.watch is None:
        return select(WATCHED_TRIALS.c.nct_id).distinct()
    return (
        select(WATCHED_TRIALS.c.nct_id)
        .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
        .where(WATCHES.c.name == whom.watch)
    )
