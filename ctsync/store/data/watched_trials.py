"""The trials that watches follow, read as a set, because a team may follow tens of thousands.

A trial stays in its watch as it was requested. While another trial has taken over its id, the watch
follows the other trial instead. Each query decides this by the registry's newest answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, not_, or_, select, update

from ctsync.model import KeyFields, NctId, Source, State
from ctsync.store.database.access import Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import FAILURES, SNAPSHOTS, TRIALS, WATCHED_TRIALS, WATCHES


@cache
def is_taken_over() -> ColumnElement[bool]:
    """Return the condition that another trial of the watch took over a watched trial.

    If a trial could not be checked, two trials can each count as taken over by the other. Then both
    are followed.
    """
    trial, heir, back = TRIALS.alias("taken"), WATCHED_TRIALS.alias("heir"), TRIALS.alias("back")
    is_mutual = exists().where(back.c.nct_id == trial.c.moved_to, back.c.moved_to == trial.c.nct_id)
    return (
        exists()
        .where(
            trial.c.nct_id == WATCHED_TRIALS.c.nct_id,
            heir.c.nct_id == trial.c.moved_to,
            heir.c.watch_id == WATCHED_TRIALS.c.watch_id,
            not_(is_mutual.correlate(trial)),
        )
        .correlate(WATCHED_TRIALS)
    )


def trials_of_watch(name: str) -> Select[str]:
    """Select the ids of the trials in a watch, including trials that were taken over."""
    return (
        select(WATCHED_TRIALS.c.nct_id)
        .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
        .where(WATCHES.c.name == name)
    )


def insert_watched(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert watched trials that are not in their watch yet. Return their number.

    All rows must have the same columns.
    """
    if not rows:
        return 0
    columns = tuple(rows[0])
    values = [tuple(row[name] for name in columns) for row in rows]
    return insert_rows(connection, WATCHED_TRIALS, columns, values, unless_there=True)


@cache
def taken_over() -> Select[Any]:
    """Select the watched trials that were taken over: watch_id, nct_id, asked_as, moved_to."""
    return (
        select(WATCHED_TRIALS, TRIALS.c.moved_to)
        .join(TRIALS, TRIALS.c.nct_id == WATCHED_TRIALS.c.nct_id)
        .where(is_taken_over())
    )


def successors(nct_id: NctId, into: Mapping[NctId, NctId]) -> tuple[NctId, ...]:
    """Return the chain of trials that took over a trial. The last one is followed.

    Empty if the trial was not taken over. `into` maps a trial to the trial that took it over.
    """
    found: list[NctId] = []
    to = into.get(nct_id)
    while to is not None and to not in found:
        found.append(to)
        to = into.get(to)
    return tuple(found)


class Mergers:
    """The mergers in one watch: which of its trials took over which. Read on creation."""

    def __init__(self, connection: Connection, watch_id: int) -> None:
        self._connection = connection
        self._here = WATCHED_TRIALS.c.watch_id == watch_id
        rows = connection.execute(taken_over().where(self._here)).all()
        self._into = {NctId(row.nct_id): NctId(row.moved_to) for row in rows}
        self._terms = {NctId(row.nct_id): row.asked_as for row in rows if row.asked_as}

    def of(self, nct_id: NctId) -> tuple[NctId, ...]:
        """Return the trials that took over a trial (see `successors`)."""
        return successors(nct_id, self._into)

    def with_related(self, ids: Iterable[NctId]) -> set[NctId]:
        """Return trials to remove, with all trials that are in the watch only because of them.

        These are the trials that they took over, and the trials that took over only them.
        """
        removed = set(ids)
        named = removed & self._into.keys()
        removed |= {old for old in self._into if removed.intersection(self.of(old)[-1:])}
        needed = {new for old in self._into.keys() - removed for new in self.of(old)}
        heirs = {new for old in named for new in self.of(old)} - needed
        return removed | self._brought_by_others(heirs)

    def rename(self, removed: Collection[NctId]) -> None:
        """Set `asked_as` of the successors of removed trials to a remaining trial, or to None."""
        terms = {*removed, *(self._terms[old] for old in removed if old in self._terms)}
        remaining = self._into.keys() - removed
        for heir in {new for old in self._into.keys() & removed for new in self.of(old)}:
            others = sorted(old for old in remaining if heir in self.of(old))
            named = [self._terms.get(old, old) for old in others]
            self._connection.execute(
                update(WATCHED_TRIALS)
                .where(
                    self._here,
                    WATCHED_TRIALS.c.nct_id == heir,
                    WATCHED_TRIALS.c.asked_as.in_(sorted(terms)),
                )
                .values(asked_as=named[0] if named else None)
            )

    def name_as_themselves(self, ids: Sequence[NctId]) -> None:
        """Record that a person requested, by their own ids, trials that a merger added."""
        for nct_id in self._brought_by_others(ids):
            self._connection.execute(
                update(WATCHED_TRIALS)
                .where(self._here, WATCHED_TRIALS.c.nct_id == nct_id)
                .values(asked_as=None)
            )

    def _brought_by_others(self, ids: Collection[NctId]) -> set[NctId]:
        """Return those of the trials that are in the watch only because they took over others."""
        heirs = set(self._into.values()).intersection(ids)
        if not heirs:
            return set()
        rows = self._connection.execute(
            select(WATCHED_TRIALS.c.nct_id, WATCHED_TRIALS.c.asked_as).where(
                self._here,
                WATCHED_TRIALS.c.nct_id.in_(sorted(heirs)),
                WATCHED_TRIALS.c.by_query.is_(False),
            )
        )
        terms = {*self._into, *self._terms.values()}
        return {NctId(row.nct_id) for row in rows if row.asked_as in terms}


@dataclass(frozen=True, slots=True)
class TrialSelection:
    """The trials to read: those in `ids`, else those of one watch, else those of all watches."""

    ids: Sequence[NctId] = ()
    watch: str | None = None


@dataclass(frozen=True, slots=True)
class DatedHead:
    """The newest version of a followed trial that the registry shows, with its dates only."""

    nct_id: NctId
    followed_since: datetime
    observed: datetime
    key: KeyFields


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

    def stored_ids(self, selection: TrialSelection) -> tuple[NctId, ...]:
        """Return the ids of the selected trials that have a stored version, in order.

        The selection names no trials.
        """
        stored = select(TRIALS.c.nct_id).where(TRIALS.c.head_snapshot_id.is_not(None))
        members = _members(selection).where(WATCHED_TRIALS.c.nct_id.in_(stored))
        with self._reading() as connection:
            found = connection.scalars(members.order_by(WATCHED_TRIALS.c.nct_id))
            return tuple(NctId(nct_id) for nct_id in found)

    def lack_successor(self, old: NctId, new: NctId) -> bool:
        """Return whether a watch has the trial `old` but not `new`, which took it over."""
        heir = WATCHED_TRIALS.alias("heir")
        is_there = exists().where(
            heir.c.watch_id == WATCHED_TRIALS.c.watch_id, heir.c.nct_id == new
        )
        lacking = select(WATCHED_TRIALS.c.watch_id).where(
            WATCHED_TRIALS.c.nct_id == old, not_(is_there.correlate(WATCHED_TRIALS))
        )
        with self._reading() as connection:
            return connection.execute(lacking.limit(1)).first() is not None

    def moved_ids(self) -> tuple[NctId, ...]:
        """Return the ids that a watched trial has taken over and that are not followed, in order.

        They are requested as well, because such an id may become a separate trial again.
        """
        watched, followed = select(WATCHED_TRIALS.c.nct_id), _members(TrialSelection())
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.moved_to.in_(watched), TRIALS.c.nct_id.not_in(followed))
            .order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def unconfirmed(self, selection: TrialSelection, *, load: datetime | None) -> tuple[NctId, ...]:
        """Return the selected trials that `load` has not confirmed as they are stored.

        These are the trials that are in quarantine, are absent, have no stored version or were last
        seen in an older load. If the selection names trials, all of them are returned.
        """
        if selection.ids:
            return tuple(selection.ids)
        not_seen: list[ColumnElement[bool]] = [
            _MEMBER.c.head_snapshot_id.is_(None),  # or the trial has no row
            _MEMBER.c.absent_since.is_not(None),
            WATCHED_TRIALS.c.nct_id.in_(select(FAILURES.c.nct_id)),
        ]
        if load is not None:
            not_seen += [_MEMBER.c.last_seen_load.is_(None), _MEMBER.c.last_seen_load < load]
        # DISTINCT then applies to the few rows found, and not to all watched trials
        found = _members(selection).where(or_(*not_seen)).order_by(WATCHED_TRIALS.c.nct_id)
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(found))

    def follow_starts(self, ids: Collection[NctId] | None = None) -> dict[NctId, datetime]:
        """Return when the first of its watches began to follow each trial, for trials in watches.

        `ids` limits the trials. By our clock, except for the matches of a query, which are
        followed from their load.
        """
        statement = select(WATCHED_TRIALS.c.nct_id, func.min(WATCHED_TRIALS.c.since)).group_by(
            WATCHED_TRIALS.c.nct_id
        )
        with self._reading() as connection:
            if ids is None:
                rows = list(connection.execute(statement))
            else:
                rows = [
                    row
                    for batch in batches(list(ids))
                    for row in connection.execute(
                        statement.where(WATCHED_TRIALS.c.nct_id.in_(batch))
                    )
                ]
        return {NctId(nct_id): since for nct_id, since in rows}

    def dated_heads(self) -> Iterator[DatedHead]:
        """Yield the heads of the followed trials that were last seen live and are present."""
        starts = self.follow_starts()
        dates = ("primary_completion_date", "completion_date", "verified", "first_submitted",
                 "first_posted")  # fmt: skip
        statement = (
            select(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.observed, *(SNAPSHOTS.c[name] for name in dates))
            .join(TRIALS, TRIALS.c.head_snapshot_id == SNAPSHOTS.c.id)
            .where(
                TRIALS.c.nct_id.in_(select(WATCHED_TRIALS.c.nct_id)),
                SNAPSHOTS.c.state == State.PRESENT,
                SNAPSHOTS.c.observed.is_not(None),
                SNAPSHOTS.c.source != Source.HISTORY,
            )
            .order_by(SNAPSHOTS.c.nct_id)
        )
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        for nct_id, observed, *values in rows:
            key = KeyFields(**dict(zip(dates, values, strict=True)))
            yield DatedHead(NctId(nct_id), starts[NctId(nct_id)], observed, key)

    def failing_ids(self) -> frozenset[NctId]:
        """Return the watched trials that are in quarantine."""
        is_watched = exists().where(WATCHED_TRIALS.c.nct_id == FAILURES.c.nct_id)
        with self._reading() as connection:
            return frozenset(connection.scalars(select(FAILURES.c.nct_id).where(is_watched)))

    def history_summary(self) -> tuple[dict[str, int], datetime | None]:
        """Return the number of watched trials per history state, and the earliest retry."""
        members = (
            _members(TrialSelection())
            .add_columns(_MEMBER.c.history_state, _MEMBER.c.history_retry)
            .where(_MEMBER.c.history_state.is_not(None))
            .subquery()
        )
        state = members.c.history_state
        asked = select(state, func.count(), func.min(members.c.history_retry)).group_by(state)
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        retries = [retry for _, _, retry in rows if retry is not None]
        return {str(state): count for state, count, _ in rows}, min(retries, default=None)


class WatchedTrialWrites(Writes):
    """Updates the watches when a trial takes over another or returns."""

    def follow_successor(self, old: NctId, new: NctId) -> None:
        """Add `new`, which took over `old`, to every watch that has the trial `old`.

        `old` stays in the watch as it was requested. If `new` is not in the watch yet, it gets the
        term by which `old` was requested. If a person named `old`, `new` counts as named too.
        """
        of_old = select(WATCHED_TRIALS).where(WATCHED_TRIALS.c.nct_id == old)
        for row in self._connection.execute(of_old).all():
            term = row.asked_as or old
            asked_as = None if term == new else term
            successor = dict(row._mapping) | {"nct_id": new, "asked_as": asked_as}
            if not insert_watched(self._connection, [successor]) and not row.by_query:
                is_it = (WATCHED_TRIALS.c.watch_id == row.watch_id, WATCHED_TRIALS.c.nct_id == new)
                self._connection.execute(
                    update(WATCHED_TRIALS).where(*is_it).values(by_query=False, left_at=None)
                )

    def mark_returned(self, nct_id: NctId, *, at: datetime) -> None:
        """Record that a trial has returned after a merger.

        If a query found the trial, it counts as left at `at` until it matches again.
        """
        self._connection.execute(
            update(WATCHED_TRIALS)
            .where(
                WATCHED_TRIALS.c.nct_id == nct_id,
                WATCHED_TRIALS.c.by_query,
                WATCHED_TRIALS.c.left_at.is_(None),
            )
            .values(left_at=at)
        )

    def restore(self, name: str, under: NctId, nct_id: NctId) -> None:
        """Make a watch that follows a trial under another id, `under`, follow both ids."""
        here = WATCHED_TRIALS.c.watch_id.in_(select(WATCHES.c.id).where(WATCHES.c.name == name))
        is_other = (here, WATCHED_TRIALS.c.nct_id == under)
        other = self._connection.execute(select(WATCHED_TRIALS).where(*is_other)).one_or_none()
        if other is None:
            return
        # an earlier release removed a trial from its watch when another trial took it over
        term = None if other.asked_as == nct_id else other.asked_as
        back = dict(other._mapping) | {"nct_id": nct_id, "asked_as": term}
        insert_watched(self._connection, [back])
        self._connection.execute(update(WATCHED_TRIALS).where(*is_other).values(asked_as=None))


_MEMBER = TRIALS.alias("member")
"""The row of a selected trial, which it may lack: see `_members`."""


def _members(selection: TrialSelection) -> Select[str]:
    """Select the ids of the selected trials. Conditions may read the row of each in `_MEMBER`."""
    if selection.watch is None:
        found = select(WATCHED_TRIALS.c.nct_id).distinct()
    else:
        found = trials_of_watch(selection.watch)
    # The full condition is checked only for the few trials that moved: for all of 100,000 trials,
    # it would take a tenth of a second of every report.
    is_followed = or_(_MEMBER.c.moved_to.is_(None), not_(is_taken_over()))
    return found.outerjoin(_MEMBER, _MEMBER.c.nct_id == WATCHED_TRIALS.c.nct_id).where(is_followed)
