"""The trials that are followed, asked for without reading them all: a team follows many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select

from ctsync.model import NctId
from ctsync.store.access import Reads
from ctsync.store.models import FailureRow, TrialRow, WatchedTrialRow, WatchRow


@dataclass(frozen=True, slots=True)
class Followed:
    """Which trials: those named, else those of one watch, else all that any watch follows."""

    ids: Sequence[NctId] = ()
    watch: str | None = None


class FollowedReads(Reads):
    """What is known of the trials followed as a whole."""

    def count_followed(self, whom: Followed) -> int:
        """How many trials these are."""
        if whom.ids:
            return len(whom.ids)
        with self._reading() as connection:
            members = _members(whom).subquery()
            return connection.execute(select(func.count()).select_from(members)).scalar_one()

    def followed(self, whom: Followed) -> tuple[NctId, ...]:
        """Their ids; in order, where they are not named."""
        if whom.ids:
            return tuple(whom.ids)
        with self._reading() as connection:
            members = _members(whom).order_by(WatchedTrialRow.nct_id)
            return tuple(NctId(nct_id) for nct_id in connection.scalars(members))

    def doubtful(self, whom: Followed, *, load: datetime | None) -> tuple[NctId, ...]:
        """Those that a load may not have shown as they are stored; all of those named.

        A trial that has a failure, was absent, was never stored or was last seen in an older
        load is among them.
        """
        if whom.ids:
            return tuple(whom.ids)
        members = _members(whom).subquery()
        not_seen: list[ColumnElement[bool]] = [
            TrialRow.head_snapshot_id.is_(None),  # or there is no such row
            TrialRow.absent_since.is_not(None),
            members.c.nct_id.in_(select(FailureRow.nct_id)),
        ]
        if load is not None:
            not_seen += [TrialRow.last_seen_load.is_(None), TrialRow.last_seen_load < load]
        found = (
            select(members.c.nct_id)
            .select_from(members)
            .outerjoin(TrialRow, TrialRow.nct_id == members.c.nct_id)
            .where(or_(*not_seen))
            .order_by(members.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(found))

    def failing(self) -> frozenset[NctId]:
        """Those in quarantine that any watch follows."""
        followed = exists().where(WatchedTrialRow.nct_id == FailureRow.nct_id)
        with self._reading() as connection:
            return frozenset(connection.scalars(select(FailureRow.nct_id).where(followed)))

    def followed_histories(self) -> tuple[dict[str, int], datetime | None]:
        """How many are in which state of history, and when the next is to be asked for again."""
        members = _members(Followed()).subquery()
        asked = (
            select(TrialRow.history_state, func.count(), func.min(TrialRow.history_retry))
            .select_from(members)
            .join(TrialRow, TrialRow.nct_id == members.c.nct_id)
            .where(TrialRow.history_state.is_not(None))
            .group_by(TrialRow.history_state)
        )
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        retries = [retry for _, _, retry in rows if retry is not None]
        return {str(state): count for state, count, _ in rows}, min(retries, default=None)

    def watch_origins(self) -> dict[str, str]:
        """The name of every watch, and where it comes from; reads no trial of any."""
        with self._reading() as connection:
            rows = connection.execute(select(WatchRow.name, WatchRow.origin)).all()
            return {row.name: row.origin for row in rows}


def _members(whom: Followed) -> Select[Any]:
    if whom.watch is None:
        return select(WatchedTrialRow.nct_id).distinct()
    return (
        select(WatchedTrialRow.nct_id)
        .join(WatchRow, WatchRow.id == WatchedTrialRow.watch_id)
        .where(WatchRow.name == whom.watch)
    )
