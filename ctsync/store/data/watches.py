"""Watches and the trials they follow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from ctsync.dates import Clock
from ctsync.errors import ConfigError, UsageError
from ctsync.model import NctId
from ctsync.record.rules.relevel import thresholds_of
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.watched_trials import (
    Mergers,
    insert_watched,
    successors,
    taken_over,
)
from ctsync.store.database.access import Reads, Writes, batches, insert_rows
from ctsync.store.database.tables import WATCHED_TRIALS, WATCHES


@dataclass(frozen=True, slots=True)
class WatchedTrial:
    """One trial of a watch.

    `asked_as` is the study id or alias by which it was requested, or None for its own id. A trial
    that the query found (`by_query`) may leave it again, at `left_at`. A named trial always stays.
    """

    nct_id: NctId
    asked_as: str | None
    since: datetime
    left_at: datetime | None = None
    by_query: bool = False


@dataclass(frozen=True, slots=True)
class MergedTrial:
    """A trial that stays in its watch while the watch follows `into`, which took it over."""

    trial: WatchedTrial
    into: NctId


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch with the trials that it follows now. `origin` is "cli" or "file".

    `query` holds the registry's parameters by their long names. `listed` is the newest load in
    which the list of matching trials was complete. `merged` are the trials that another trial of
    the watch has taken over.
    """

    name: str
    origin: str
    created: datetime
    query: Mapping[str, Any] | None
    rules: Mapping[str, Any]
    trials: tuple[WatchedTrial, ...] = ()
    listed: datetime | None = None
    merged: tuple[MergedTrial, ...] = ()


@dataclass(frozen=True, slots=True)
class NewWatch:
    """A watch in the settings file. `trials` maps each trial to its `asked_as`."""

    name: str
    trials: Mapping[NctId, str | None]
    rules: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] | None = None


class WatchReads(Reads):
    """Reads watches."""

    def all(self) -> list[Watch]:
        """Return every watch in order of names, with its trials in order of ids."""
        trials = select(WATCHED_TRIALS).order_by(WATCHED_TRIALS.c.nct_id)
        with self._reading() as connection:
            watches = connection.execute(select(WATCHES).order_by(WATCHES.c.name)).all()
            heirs: dict[int, dict[NctId, NctId]] = {watch.id: {} for watch in watches}
            for row in connection.execute(taken_over()):
                heirs[row.watch_id][NctId(row.nct_id)] = NctId(row.moved_to)
            members: dict[int, list[WatchedTrial]] = {watch.id: [] for watch in watches}
            merged: dict[int, list[MergedTrial]] = {watch.id: [] for watch in watches}
            for row in connection.execute(trials):
                trial = WatchedTrial(
                    NctId(row.nct_id), row.asked_as, row.since, row.left_at, row.by_query
                )
                if into := successors(trial.nct_id, heirs[row.watch_id]):
                    merged[row.watch_id].append(MergedTrial(trial, into[-1]))
                else:
                    members[row.watch_id].append(trial)
        return [
            Watch(
                name=w.name,
                origin=w.origin,
                created=w.created,
                query=w.query,
                rules=w.rules,
                trials=tuple(members[w.id]),
                listed=w.listed,
                merged=tuple(merged[w.id]),
            )
            for w in watches
        ]

    def origins(self) -> dict[str, str]:
        """Return the origin of every watch by its name, without reading its trials."""
        with self._reading() as connection:
            rows = connection.execute(select(WATCHES.c.name, WATCHES.c.origin)).all()
            return {row.name: row.origin for row in rows}

    def names_of(self, nct_id: NctId) -> tuple[str, ...]:
        """Return the names of the watches that have a trial, in order."""
        statement = (
            select(WATCHES.c.name)
            .join(WATCHED_TRIALS, WATCHED_TRIALS.c.watch_id == WATCHES.c.id)
            .where(WATCHED_TRIALS.c.nct_id == nct_id)
            .order_by(WATCHES.c.name)
        )
        with self._reading() as connection:
            return tuple(connection.scalars(statement))

    def names_by_trial(self, ids: Iterable[NctId]) -> dict[NctId, tuple[str, ...]]:
        """Return the names of the watches that have each trial. Unwatched trials are left out."""
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
        """Return the thresholds of the watches that have their own, by name."""
        with self._reading() as connection:
            rows = connection.execute(select(WATCHES.c.name, WATCHES.c.rules)).all()
        found = {row.name: thresholds_of(row.rules) for row in rows}
        return {name: thresholds for name, thresholds in found.items() if thresholds}


class WatchWrites(Writes):
    """Writes watches."""

    def __init__(self, connection: Connection, *, clock: Clock) -> None:
        super().__init__(connection)
        self._clock = clock

    def add(
        self,
        name: str,
        *,
        origin: str = "cli",
        query: Mapping[str, Any] | None = None,
        rules: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a watch, or replace the query and rules of an existing one. Return whether it is new.

        A watch whose query changes starts over: the trials that match at its first listing are not
        reported as entered.
        """
        values = {"query": None if query is None else dict(query), "rules": dict(rules or {})}
        is_new = self._add_named(name, origin, values)
        if not is_new:
            of_name = WATCHES.c.name == name
            before = self._connection.scalar(select(WATCHES.c.query).where(of_name))
            again: dict[str, Any] = {} if before == values["query"] else {"listed": None}
            self._connection.execute(update(WATCHES).where(of_name).values(values | again))
        return is_new

    def _add_named(self, name: str, origin: str, values: Mapping[str, Any]) -> bool:
        row = {"name": name, "origin": origin, "created": self._clock.now()}
        return self.insert({**row, **values})

    def insert(self, row: Mapping[str, Any]) -> bool:
        """Insert the row of a watch unless its name is taken. Return whether it was added."""
        columns, values = tuple(row), tuple(row.values())
        return bool(insert_rows(self._connection, WATCHES, columns, [values], unless_there=True))

    def insert_trials(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert watched trials that are not in their watch yet. Return their number.

        All rows must have the same columns.
        """
        return insert_watched(self._connection, rows)

    def remove(self, name: str) -> bool:
        """Remove a watch, but no versions of its trials. Return False if there is no such watch."""
        return bool(
            self._connection.execute(delete(WATCHES).where(WATCHES.c.name == name)).rowcount
        )

    def add_trials(self, name: str, trials: Mapping[NctId, str | None], since: datetime) -> int:
        """Add named trials to a watch, with their `asked_as`. Return how many are new to it.

        Adds the watch if it does not exist. A trial that the watch's query found counts as named
        from now on. So does a trial that a merger added, if it is now named by its own id.
        """
        self._add_named(name, "cli", {"query": None, "rules": {}})
        watch_id = self._watch_id(name)
        own = [nct_id for nct_id, asked_as in trials.items() if not asked_as]
        Mergers(self._connection, watch_id).name_as_themselves(own)
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
        return self.insert_trials(rows)

    def add_matches(self, name: str, ids: Iterable[NctId], *, at: datetime) -> int:
        """Record that trials match the query of a watch. Return how many are new to the watch."""
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
            added += self.insert_trials(rows)
        return added

    def mark_listed(self, name: str, load: datetime) -> None:
        """Record the load in which the list of trials matching a watch's query was complete."""
        self._connection.execute(
            update(WATCHES).where(WATCHES.c.id == self._watch_id(name)).values(listed=load)
        )

    def remove_trials(self, name: str, ids: Iterable[NctId]) -> int:
        """Remove trials from a watch, with related trials. Return how many were removed.

        Also removes the trials that they took over, and each trial that took over only removed
        trials and was not named itself.
        """
        watch_id = self._watch_id(name)
        mergers = Mergers(self._connection, watch_id)
        return self._delete_trials(watch_id, mergers, mergers.with_related(ids))

    def _delete_trials(self, watch_id: int, mergers: Mergers, ids: Collection[NctId]) -> int:
        mergers.rename(ids)
        return sum(
            self._connection.execute(
                delete(WATCHED_TRIALS).where(
                    WATCHED_TRIALS.c.watch_id == watch_id, WATCHED_TRIALS.c.nct_id.in_(batch)
                )
            ).rowcount
            for batch in batches(sorted(ids))
        )

    def mark_left(self, name: str, ids: Iterable[NctId], *, at: datetime) -> int:
        """Record that trials left the query of a watch, which keeps following them."""
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

    def replace_from_file(self, watches: Sequence[NewWatch]) -> None:
        """Replace the watches of the settings file and their named trials with exactly these.

        Raises ConfigError if a watch added by hand has the same name.
        """
        stored = self._connection.execute(select(WATCHES.c.name, WATCHES.c.origin)).all()
        by_hand = {row.name for row in stored if row.origin != "file"}
        taken = [watch.name for watch in watches if watch.name in by_hand]
        if taken:
            raise ConfigError(
                [f"watches: {name!r} was also added by hand; rename one of them" for name in taken]
            )
        for name in {row.name for row in stored} - by_hand - {watch.name for watch in watches}:
            self.remove(name)
        for watch in watches:
            self.add(watch.name, origin="file", query=watch.query, rules=watch.rules)
            watch_id = self._watch_id(watch.name)
            mergers = Mergers(self._connection, watch_id)
            successors = {new for old in watch.trials for new in mergers.of(old)}
            members = select(WATCHED_TRIALS.c.nct_id).where(WATCHED_TRIALS.c.watch_id == watch_id)
            if watch.query is not None:  # the trials that the query found stay
                members = members.where(WATCHED_TRIALS.c.by_query.is_(False))
            others = set(self._connection.scalars(members)) - set(watch.trials) - successors
            self._delete_trials(watch_id, mergers, {NctId(nct_id) for nct_id in others})
            self.add_trials(watch.name, watch.trials, self._clock.now())

    def _watch_id(self, name: str) -> int:
        found = self._connection.scalar(select(WATCHES.c.id).where(WATCHES.c.name == name))
        if found is None:
            raise UsageError(f"there is no watch named {name!r}; see: ctsync watch list")
        return found
