"""Watches and the trials they mean today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from ctsync.errors import ConfigError, UsageError
from ctsync.model import NctId
from ctsync.record.rules.relevel import thresholds_of
from ctsync.record.rules.rules import Thresholds
from ctsync.store.database.access import Reads, Writes, batches
from ctsync.store.database.tables import TRIALS, WATCHED_TRIALS, WATCHES


@dataclass(frozen=True, slots=True)
class WatchedTrial:
    """One trial of a watch.

    `asked_as` is the study id or alias it was asked for by, None where that was its own id.
    One that came `by_query` may leave it again, at `left_at`; one that was named may not.
    """

    nct_id: NctId
    asked_as: str | None
    since: datetime
    left_at: datetime | None = None
    by_query: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch with its trials; `origin` is "cli" or "file".

    `query` holds the registry's parameters by their long names; `listed` is the newest load in
    which all that match it were seen.
    """

    name: str
    origin: str
    created: datetime
    query: Mapping[str, Any] | None
    rules: Mapping[str, Any]
    trials: tuple[WatchedTrial, ...] = ()
    listed: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewWatch:
    """A watch as it is to be: `trials` are its members, each with what it was asked for by."""

    name: str
    trials: Mapping[NctId, str | None]
    rules: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] | None = None


class WatchReads(Reads):
    """What is stored of watches."""

    def watches(self) -> list[Watch]:
        """Every watch by name, with its trials by id."""
        trials = select(WATCHED_TRIALS).order_by(WATCHED_TRIALS.c.nct_id)
        with self._reading() as connection:
            watches = connection.execute(select(WATCHES).order_by(WATCHES.c.name)).all()
            members: dict[int, list[WatchedTrial]] = {watch.id: [] for watch in watches}
            for row in connection.execute(trials):
                members[row.watch_id].append(
                    WatchedTrial(
                        NctId(row.nct_id), row.asked_as, row.since, row.left_at, row.by_query
                    )
                )
        return [
            Watch(w.name, w.origin, w.created, w.query, w.rules, tuple(members[w.id]), w.listed)
            for w in watches
        ]

    def watched_ids(self) -> tuple[NctId, ...]:
        """Every trial that any watch follows, once each, in order."""
        statement = select(WATCHED_TRIALS.c.nct_id).distinct().order_by(WATCHED_TRIALS.c.nct_id)
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def moved_to_watched(self) -> tuple[NctId, ...]:
        """The ids taken over by a trial that a watch follows, in order.

        They are asked for with it: one that answers under its own id again is a trial again.
        """
        watched = select(WATCHED_TRIALS.c.nct_id)
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.moved_to.in_(watched), TRIALS.c.nct_id.not_in(watched))
            .order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def taken_over_by(self, nct_id: NctId) -> tuple[NctId, ...]:
        """The ids that a trial has taken over, in order."""
        statement = (
            select(TRIALS.c.nct_id).where(TRIALS.c.moved_to == nct_id).order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(old) for old in connection.scalars(statement))

    def watches_of(self, nct_id: NctId) -> tuple[str, ...]:
        """The names of the watches that follow a trial, in order."""
        statement = (
            select(WATCHES.c.name)
            .join(WATCHED_TRIALS, WATCHED_TRIALS.c.watch_id == WATCHES.c.id)
            .where(WATCHED_TRIALS.c.nct_id == nct_id)
            .order_by(WATCHES.c.name)
        )
        with self._reading() as connection:
            return tuple(connection.scalars(statement))

    def watching(self, ids: Iterable[NctId]) -> dict[NctId, tuple[str, ...]]:
        """The names of the watches that follow each of these trials, for those that any does."""
        statement = (
            select(WATCHED_TRIALS.c.nct_id, WATCHES.c.name)
            .join(WATCHES, WATCHES.c.id == WATCHED_TRIALS.c.watch_id)
            .order_by(WATCHES.c.name)
        )
        found: dict[NctId, tuple[str, ...]] = {}
        with self._reading() as connection:
            for batch in batches(list(ids)):
                for row in connection.execute(statement.where(WATCHED_TRIALS.c.nct_id.in_(batch))):
                    nct_id = NctId(row.nct_id)
                    found[nct_id] = (*found.get(nct_id, ()), row.name)
        return found

    def own_thresholds(self) -> dict[str, Thresholds]:
        """The thresholds of those watches that have any of their own, by name."""
        with self._reading() as connection:
            rows = connection.execute(select(WATCHES.c.name, WATCHES.c.rules)).all()
        found = {row.name: thresholds_of(row.rules) for row in rows}
        return {name: thresholds for name, thresholds in found.items() if thresholds}


class WatchWrites(Writes):
    """What a unit does to watches."""

    def add_watch(
        self,
        name: str,
        *,
        origin: str = "cli",
        query: Mapping[str, Any] | None = None,
        rules: Mapping[str, Any] | None = None,
    ) -> bool:
        """Make a watch, or give the one of that name this query and these rules; true if new.

        Another query than before begins anew: what matches it when it is first listed is no news.
        """
        values = {"query": None if query is None else dict(query), "rules": dict(rules or {})}
        is_new = self._insert_watch(name, origin, values)
        if not is_new:
            of_name = WATCHES.c.name == name
            before = self._connection.scalar(select(WATCHES.c.query).where(of_name))
            again: dict[str, Any] = {} if before == values["query"] else {"listed": None}
            self._connection.execute(update(WATCHES).where(of_name).values(values | again))
        return is_new

    def _insert_watch(self, name: str, origin: str, values: dict[str, Any]) -> bool:
        row = {"name": name, "origin": origin, "created": self._clock.now(), **values}
        return bool(self._insert_new(WATCHES, [row]))

    def remove_watch(self, name: str) -> bool:
        """Forget a watch and which trials it followed; their versions stay. False: none such."""
        return bool(
            self._connection.execute(delete(WATCHES).where(WATCHES.c.name == name)).rowcount
        )

    def add_trials(self, name: str, trials: Mapping[NctId, str | None], since: datetime) -> int:
        """Add trials to a watch, each with what it was asked for by; how many are new to it.

        A watch that is not there yet is made. A trial that its query brought is now named.
        """
        self._insert_watch(name, "cli", {"query": None, "rules": {}})
        watch_id = self._watch_id(name)
        for batch in batches(list(trials)):
            self._connection.execute(
                update(WATCHED_TRIALS)
                .where(WATCHED_TRIALS.c.watch_id == watch_id, WATCHED_TRIALS.c.nct_id.in_(batch))
                .values(left_at=None, by_query=False)
            )
        rows = [
            {"watch_id": watch_id, "nct_id": nct_id, "asked_as": asked_as or None, "since": since}
            for nct_id, asked_as in trials.items()
        ]
        return self._insert_new(WATCHED_TRIALS, rows)

    def enter_query(self, name: str, ids: Iterable[NctId], *, at: datetime) -> int:
        """Note that trials match the query of a watch, newly or again; how many are new to it."""
        watch_id, added = self._watch_id(name), 0
        for batch in batches(list(ids)):
            self._connection.execute(
                update(WATCHED_TRIALS)
                .where(
                    WATCHED_TRIALS.c.watch_id == watch_id,
                    WATCHED_TRIALS.c.nct_id.in_(batch),
                    WATCHED_TRIALS.c.by_query,
                )
                .values(left_at=None)
            )
            rows = [
                {"watch_id": watch_id, "nct_id": nct_id, "since": at, "by_query": True}
                for nct_id in batch
            ]
            added += self._insert_new(WATCHED_TRIALS, rows)
        return added

    def set_listed(self, name: str, load: datetime) -> None:
        """Note the load in which all that match the query of a watch were seen."""
        self._connection.execute(
            update(WATCHES).where(WATCHES.c.id == self._watch_id(name)).values(listed=load)
        )

    def move_trial(self, name: str, old: NctId, new: NctId, *, asked_as: str | None) -> None:
        """Let a watch follow another trial in the place of one, by what it was asked for as."""
        watch_id = self._watch_id(name)
        here = WATCHED_TRIALS.c.watch_id == watch_id
        row = self._connection.execute(
            select(WATCHED_TRIALS).where(here, WATCHED_TRIALS.c.nct_id == old)
        ).one_or_none()
        if row is None:
            return
        moved = dict(row._mapping) | {"nct_id": new, "asked_as": asked_as}
        self._connection.execute(delete(WATCHED_TRIALS).where(here, WATCHED_TRIALS.c.nct_id == old))
        if self._insert_new(WATCHED_TRIALS, [moved]):
            return
        there = update(WATCHED_TRIALS).where(here, WATCHED_TRIALS.c.nct_id == new)
        self._connection.execute(
            there.where(WATCHED_TRIALS.c.asked_as.is_(None)).values(asked_as=asked_as)
        )
        if not row.by_query:  # named is more than brought by the query
            self._connection.execute(there.values(by_query=False, left_at=None))

    def rejoin_trial(self, name: str, under: NctId, nct_id: NctId, *, at: datetime) -> None:
        """Let a watch follow a trial again that it followed `under` another, and the other too.

        One that its query brought is outside that from `at` on, until it is seen to match.
        """
        here = WATCHED_TRIALS.c.watch_id == self._watch_id(name)
        other = self._connection.execute(
            select(WATCHED_TRIALS).where(here, WATCHED_TRIALS.c.nct_id == under)
        ).one_or_none()
        if other is None:
            return
        term = None if other.asked_as == nct_id else other.asked_as
        left = at if other.by_query else None
        back = dict(other._mapping) | {"nct_id": nct_id, "asked_as": term, "left_at": left}
        self._insert_new(WATCHED_TRIALS, [back])
        self._connection.execute(
            update(WATCHED_TRIALS)
            .where(here, WATCHED_TRIALS.c.nct_id == under)
            .values(asked_as=None)
        )

    def remove_trials(self, name: str, ids: Iterable[NctId]) -> int:
        """Take trials out of a watch; how many were in it."""
        watch_id = self._watch_id(name)
        return sum(
            self._connection.execute(
                delete(WATCHED_TRIALS).where(
                    WATCHED_TRIALS.c.watch_id == watch_id, WATCHED_TRIALS.c.nct_id.in_(batch)
                )
            ).rowcount
            for batch in batches(list(ids))
        )

    def mark_left(self, name: str, ids: Iterable[NctId], *, at: datetime) -> int:
        """Note that trials left the query of a watch, which goes on following them."""
        watch_id = self._watch_id(name)
        return sum(
            self._connection.execute(
                update(WATCHED_TRIALS)
                .where(
                    WATCHED_TRIALS.c.watch_id == watch_id,
                    WATCHED_TRIALS.c.nct_id.in_(batch),
                    WATCHED_TRIALS.c.left_at.is_(None),
                    WATCHED_TRIALS.c.by_query,
                )
                .values(left_at=at)
            ).rowcount
            for batch in batches(list(ids))
        )

    def replace_file_watches(self, watches: Sequence[NewWatch]) -> None:
        """Make the watches of the settings file these, with these trials, and no others.

        Raises ConfigError where a name is that of a watch added by hand.
        """
        stored = self._connection.execute(select(WATCHES.c.name, WATCHES.c.origin)).all()
        by_hand = {row.name for row in stored if row.origin != "file"}
        taken = [watch.name for watch in watches if watch.name in by_hand]
        if taken:
            raise ConfigError(
                [f"watches: {name!r} was also added by hand; rename one of them" for name in taken]
            )
        for name in {row.name for row in stored} - by_hand - {watch.name for watch in watches}:
            self.remove_watch(name)
        for watch in watches:
            self.add_watch(watch.name, origin="file", query=watch.query, rules=watch.rules)
            members = select(WATCHED_TRIALS.c.nct_id).where(
                WATCHED_TRIALS.c.watch_id == self._watch_id(watch.name)
            )
            if watch.query is not None:  # what it brought stays
                members = members.where(WATCHED_TRIALS.c.by_query.is_(False))
            others = set(self._connection.scalars(members)) - set(watch.trials)
            self.remove_trials(watch.name, [NctId(nct_id) for nct_id in others])
            self.add_trials(watch.name, watch.trials, self._clock.now())

    def _watch_id(self, name: str) -> int:
        found = self._connection.scalar(select(WATCHES.c.id).where(WATCHES.c.name == name))
        if found is None:
            raise UsageError(f"there is no watch named {name!r}; see: ctsync watch list")
        return found
