"""Messages composed from claimed outbox rows. Reads the store; sends nothing.

Rows that were attempted before stay in their message, with the same identity. All other due rows of
one recipient form one digest over all of its watches; in the layout per trial, they form one
message per trial. Welcomes that are due together form one message, before any change.

A trial in several watches of a recipient appears once, with the names of these watches and at
its worst level in them. The denominators count all trials of the recipient's watches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from itertools import islice

from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.message import Message
from ctsync.deliver.message_keys import WELCOME_PREFIX, is_welcome_key, message_key, welcome_key
from ctsync.model import KeyFields, Kind, Level, NctId, StoredEvent, Verdict
from ctsync.questions.portfolio.base_rates import rates_in_use
from ctsync.questions.trial.record_facts import read_facts
from ctsync.record.registry.notices import Notice, read_notices, uncovered
from ctsync.record.rules.relevel import relevel_worst_stored
from ctsync.report.build import Scope
from ctsync.report.report import Coverage, UncheckedTrial, Window
from ctsync.route import Layout, Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.outbox import Delivery
from ctsync.store.store import Store

EVERYTHING = "all trials"
_WELCOMES = "welcomes"
_LONGEST_TITLE = 60
_BATCH = 5_000
_RUNS = 200
_OF_ONE_WATCH = (Kind.ENTERED, Kind.LEFT)
_CHANGES = tuple(kind for kind in Kind if kind is not Kind.FIRST_SEEN)


@dataclass(frozen=True, slots=True)
class ComposedMessage:
    """A message and the outbox rows it delivers."""

    message: Message
    rows: tuple[Delivery, ...]


def compose(
    store: Store, rows: Sequence[Delivery], channels: Mapping[str, Channel], *, now: datetime
) -> Iterator[ComposedMessage]:
    """Group rows into messages, in the order of their oldest rows.

    A row whose event is no longer stored is left out.
    """
    if not rows:
        return
    composer = _Composer(store, rows, now)
    groups: dict[tuple[str, ...], list[Delivery]] = {}
    for row in sorted(rows, key=lambda row: row.delivery_id):
        route = channels[row.channel].routes[row.recipient]
        if row.event_id in composer.events:
            groups.setdefault(composer.group_of(row, route), []).append(row)
    for name, group in groups.items():
        if name[2:3] == (_WELCOMES,):
            composer.threads.setdefault(name[:2], _key(group))
    for group in groups.values():
        route = channels[group[0].channel].routes[group[0].recipient]
        yield ComposedMessage(composer.message(group, route), tuple(group))


def quiet_message(
    store: Store, route: Route, *, key: str, since: datetime, now: datetime
) -> Message:
    """Compose a message that reports no changes, about all trials that the recipient follows."""
    return _Composer(store, (), now).quiet(route, key, since)


def _key(rows: Sequence[Delivery]) -> str:
    return rows[0].message_id or message_key([row.dedup_key for row in rows])


class _Composer:
    """Composes messages. Reads the store once for all of them.

    `threads` maps a channel and recipient to the welcome that is its first message.
    """

    def __init__(self, store: Store, rows: Sequence[Delivery], now: datetime) -> None:
        self._store, self._now = store, now
        self.events = _events(store, {row.event_id for row in rows})
        self._own = store.watches.own_thresholds()
        self._rates = rates_in_use(store)
        self._notices = _notices(store, self.events.values())
        self._members = {
            watch.name: frozenset(trial.nct_id for trial in watch.trials)
            for watch in store.watches.all()
        }
        self._names: dict[NctId, list[str]] = defaultdict(list)
        for name, members in self._members.items():
            for nct_id in members:
                self._names[nct_id].append(name)
        self.threads: dict[tuple[str, ...], str] = {}
        self._failures = {one.nct_id: one.error for one in store.failures.find()}
        self._syncs = store.runs.latest(kind="sync", limit=_RUNS)
        # a failed or stopped run checked nothing: the events come from an earlier run
        unfinished = (Verdict.FAILED, Verdict.STOPPED)
        self._run = next((run for run in self._syncs if run.verdict not in unfinished), None)
        self._changed: dict[tuple[int, tuple[str, ...], Layout], Mapping[NctId, Level]] = {}

    def group_of(self, row: Delivery, route: Route) -> tuple[str, ...]:
        """Return the group of a row; rows of one group share a message."""
        address = (row.channel, row.recipient)
        if row.message_id is not None:
            return (*address, "again", row.message_id)
        if route.layout is Layout.STREAM:
            return address
        if is_welcome_key(row.dedup_key):
            return (*address, _WELCOMES)
        if route.layout is Layout.PER_TRIAL:
            return (*address, "trial", self.events[row.event_id].nct_id)
        return (*address, "digest")

    def message(self, rows: Sequence[Delivery], route: Route) -> Message:
        """Compose the message of one group of rows."""
        if is_welcome_key(rows[0].dedup_key):
            return self._welcome(rows, route)
        found = [self._levelled(self.events[row.event_id], route) for row in rows]
        notices = tuple(one for one in self._notices if any(map(one.covers, found)))
        own, watches = self._own_watches(route), self._watches_by_trial(found, route)
        members = self._followed(own) | watches.keys()
        return Message(
            key=_key(rows),
            route=route,
            watches=tuple(dict.fromkeys(name for names in watches.values() for name in names)),
            events=tuple(uncovered(found, notices)),
            window=Window(self._since(found), self._now),
            scope=Scope(
                title=_title(own),
                watched=len(members),
                coverage=self._coverage(members),
                elsewhere=self._elsewhere(found, members, route),
                notices=notices,
                watches=watches if len(own) > 1 else {},
                rates=self._rates if route.context else None,
            ),
            read_keys=cache(partial(self._keys, watches.keys())),
            read_facts=cache(
                partial(read_facts, self._store, tuple(watches), today=self._now.date())
            ),
            thread=self._thread(route),
        )

    def _welcome(self, rows: Sequence[Delivery], route: Route) -> Message:
        """Compose the welcome to the watches whose welcomes are among the rows."""
        keys, own = {row.dedup_key for row in rows}, self._own_watches(route)
        watches = tuple(name for name in own if welcome_key(route, name) in keys)
        members = self._followed(watches or own)
        return Message(
            key=_key(rows),
            route=route,
            watches=watches,
            events=(),
            window=Window(None, self._now),
            scope=Scope(
                title=_title(watches), watched=len(members), coverage=self._coverage(members)
            ),
            read_keys=cache(partial(self._keys, members)),
            is_welcome=True,
            thread=self._thread(route),
        )

    def quiet(self, route: Route, key: str, since: datetime) -> Message:
        """Compose the message that reports no changes.

        If the registry published no data in the time covered, the message reports that instead.
        """
        own = self._own_watches(route)
        members = self._followed(own)
        coverage = self._coverage(members)
        if coverage is not None and coverage.load is not None:
            coverage = replace(coverage, refreshed=coverage.load >= since)
        return Message(
            key=key,
            route=route,
            watches=own,
            events=(),
            window=Window(since, self._now),
            scope=Scope(title=_title(own), watched=len(members), coverage=coverage),
            read_keys=dict,
            thread=self._thread(route),
        )

    def _thread(self, route: Route) -> str:
        """Return the identity of the welcome that was, or will be, a recipient's first message."""
        address = (route.channel, route.recipient)
        first = self._store.outbox.first_message(*address, prefix=WELCOME_PREFIX)
        return first or self.threads.get(address) or welcome_key(route, "")

    def _own_watches(self, route: Route) -> tuple[str, ...]:
        """Return the watches of a route that exist."""
        return route.watches_of(tuple(self._members)) or ()

    def _watches(self, stored: StoredEvent, route: Route) -> tuple[str, ...]:
        """Return the watches under which a route reports an event."""
        if stored.event.kind in _OF_ONE_WATCH:
            return route.watches_of([str(stored.event.inputs.get("query", ""))]) or ()
        return route.watches_of(self._names.get(stored.nct_id, ())) or ()

    def _watches_by_trial(
        self, events: Sequence[StoredEvent], route: Route
    ) -> dict[NctId, tuple[str, ...]]:
        found: dict[NctId, dict[str, None]] = {}
        for stored in events:
            names = dict.fromkeys(self._watches(stored, route))
            found.setdefault(stored.nct_id, {}).update(names)
        return {nct_id: tuple(names) for nct_id, names in found.items()}

    def _levelled(self, stored: StoredEvent, route: Route) -> StoredEvent:
        """Return the event at its worst level in the recipient's watches."""
        if not self._own or route.layout is Layout.STREAM:
            return stored  # the log is one stream for all watches: no watch's thresholds apply
        watches = self._watches(stored, route)
        return relevel_worst_stored(stored, [self._own.get(watch) for watch in watches])

    def _followed(self, watches: Sequence[str]) -> frozenset[NctId]:
        return frozenset().union(*(self._members[watch] for watch in watches))

    def _coverage(self, members: frozenset[NctId]) -> Coverage | None:
        run = self._run
        if run is None:
            return None
        failed = tuple(
            UncheckedTrial(nct_id, self._failures[nct_id])
            for nct_id in sorted(members & self._failures.keys())
        )
        return Coverage(
            checked=len(members) - len(failed),
            failed=failed,
            load=run.load_after or run.load_before,
            run_ids=(run.id,),
        )

    def _since(self, events: Sequence[StoredEvent]) -> datetime | None:
        """Return the start of the last sync before the sync that found these events."""
        if not events:
            return None
        first = min(stored.run_id or 0 for stored in events)
        earliest = min(stored.fetched for stored in events)
        return next((run.started for run in self._syncs if run.id < first), earliest)

    def _elsewhere(
        self, events: Sequence[StoredEvent], members: frozenset[NctId], route: Route
    ) -> dict[NctId, Level]:
        """Return members that changed in the same runs but are not among these events."""
        reported = {stored.nct_id for stored in events}
        worst: dict[NctId, Level] = {}
        for run_id in sorted({stored.run_id for stored in events if stored.run_id is not None}):
            for nct_id, level in self._levels(run_id, route).items():
                if nct_id in members and nct_id not in reported:
                    worst[nct_id] = _worse(level, worst.get(nct_id, level))
        return worst

    def _levels(self, run_id: int, route: Route) -> Mapping[NctId, Level]:
        """Return the worst level of each trial that changed in a run. Ignores baselines."""
        asked = (run_id, route.watches, route.layout)
        if asked not in self._changed:
            found: dict[NctId, Level] = {}
            for stored in self._store.events.each(EventFilter(run_id=run_id, kinds=_CHANGES)):
                level = self._levelled(stored, route).event.level
                found[stored.nct_id] = _worse(level, found.get(stored.nct_id, level))
            self._changed[asked] = found
        return self._changed[asked]

    def _keys(self, ids: Collection[NctId]) -> dict[NctId, KeyFields]:
        """Read the newest key fields of trials."""
        keys = {}
        for nct_id in sorted(ids):
            versions = self._store.versions.of(nct_id)
            if versions:
                keys[nct_id] = versions[-1].key
        return keys


def _title(watches: Sequence[str]) -> str:
    """Return the names of watches, or their number if the names are too long for a heading."""
    names = ", ".join(watches)
    if not watches:
        return EVERYTHING
    return names if len(watches) == 1 or len(names) <= _LONGEST_TITLE else f"{len(watches)} watches"


def _worse(one: Level, other: Level) -> Level:
    return min(one, other, key=lambda level: level.rank)


def _notices(store: Store, events: Collection[StoredEvent]) -> tuple[Notice, ...]:
    """Read the notices of the runs that found these events, and of later runs."""
    run_ids = [stored.run_id for stored in events if stored.run_id is not None]
    if not run_ids:
        return ()
    runs = store.runs.with_notices(first=min(run_ids))
    return tuple(notice for run in runs for notice in read_notices(run.notices))


def _events(store: Store, ids: set[int]) -> dict[int, StoredEvent]:
    wanted, found = iter(sorted(ids)), {}
    while batch := list(islice(wanted, _BATCH)):
        for stored in store.events.find(EventFilter(event_ids=batch)):
            found[stored.event_id] = stored
    return found
