"""Messages composed from claimed outbox rows. Reads the store; sends nothing.

Rows that were attempted before stay in their message and keep its identity. New rows are
grouped by recipient and watch, or by trial, as their route says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

from ctsync.deliver.channels.channel import Channel
from ctsync.deliver.message import Message, is_welcome_key, message_key
from ctsync.model import KeyFields, Kind, Level, NctId, StoredEvent, Verdict
from ctsync.record.registry.notices import Notice, read_notices, uncovered
from ctsync.record.rules.relevel import relevel_stored
from ctsync.record.rules.rules import Thresholds
from ctsync.report.build import Scope
from ctsync.report.report import Coverage, UncheckedTrial, Window
from ctsync.route import Layout, Route
from ctsync.store.data.events import EventFilter
from ctsync.store.data.outbox import Delivery
from ctsync.store.store import Store

EVERYTHING = "all trials"
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
    for group in groups.values():
        route = channels[group[0].channel].routes[group[0].recipient]
        yield ComposedMessage(composer.message(group, route), tuple(group))


def quiet_message(
    store: Store, route: Route, *, key: str, since: datetime, now: datetime
) -> Message:
    """Compose a message without changes about all trials that a route's recipient follows."""
    return _Composer(store, (), now).quiet(route, key, since)


class _Composer:
    """Composes messages; reads the store once for all of them."""

    def __init__(self, store: Store, rows: Sequence[Delivery], now: datetime) -> None:
        self._store, self._now = store, now
        self.events = _events(store, {row.event_id for row in rows})
        self._own = store.watches.own_thresholds()
        self._notices = _notices(store, self.events.values())
        self._members = {
            watch.name: frozenset(trial.nct_id for trial in watch.trials)
            for watch in store.watches.all()
        }
        self._failures = {one.nct_id: one.error for one in store.failures.find()}
        self._syncs = store.runs.latest(kind="sync", limit=_RUNS)
        # a failed or stopped run checked nothing: the events come from an earlier run
        unfinished = (Verdict.FAILED, Verdict.STOPPED)
        self._run = next((run for run in self._syncs if run.verdict not in unfinished), None)
        self._changed: dict[tuple[int, Thresholds | None], Mapping[NctId, Level]] = {}

    def group_of(self, row: Delivery, route: Route) -> tuple[str, ...]:
        """Return the group of a row; rows of one group share a message."""
        address = (row.channel, row.recipient)
        if row.message_id is not None:
            return (*address, "again", row.message_id)
        if route.layout is Layout.STREAM:
            return address
        watch = self._watch(row, route)
        if is_welcome_key(row.dedup_key):
            return (*address, "welcome", watch)
        if route.layout is Layout.PER_TRIAL:
            return (*address, "trial", watch, self.events[row.event_id].nct_id)
        return (*address, "digest", watch)

    def message(self, rows: Sequence[Delivery], route: Route) -> Message:
        """Compose the message of one group of rows."""
        first = rows[0]
        watch = self._watch(first, route)
        is_welcome = is_welcome_key(first.dedup_key)
        # the log is one stream for all watches, so no watch's own thresholds apply
        own = None if route.layout is Layout.STREAM else self._own.get(watch)
        events = (
            ()
            if is_welcome
            else tuple(relevel_stored(self.events[row.event_id], own) for row in rows)
        )
        notices = tuple(one for one in self._notices if any(map(one.covers, events)))
        members = self._members_of(watch)
        since = self._since(events)
        return Message(
            key=first.message_id or message_key([row.dedup_key for row in rows]),
            route=route,
            watch="" if route.layout is Layout.STREAM else watch,
            events=tuple(uncovered(events, notices)),
            window=Window(since, self._now),
            scope=Scope(
                title=watch or EVERYTHING,
                watched=len(members),
                coverage=self._coverage(members),
                elsewhere={} if is_welcome else self._elsewhere(events, members, own),
                is_about_one=route.layout is Layout.PER_TRIAL,
                notices=notices,
            ),
            read_keys=partial(self._keys, members if is_welcome else {e.nct_id for e in events}),
            is_welcome=is_welcome,
        )

    def quiet(self, route: Route, key: str, since: datetime) -> Message:
        """Compose the message that reports no changes."""
        watches = route.watches or tuple(self._members)
        members: frozenset[NctId] = frozenset().union(*map(self._members_of, watches))
        return Message(
            key=key,
            route=route,
            watch="",
            events=(),
            window=Window(since, self._now),
            scope=Scope(
                title=", ".join(route.watches) or EVERYTHING,
                watched=len(members),
                coverage=self._coverage(members),
            ),
            read_keys=dict,
        )

    def _watch(self, row: Delivery, route: Route) -> str:
        nct_id, event = self.events[row.event_id].nct_id, self.events[row.event_id].event
        if event.kind in _OF_ONE_WATCH:
            return route.watch_of([str(event.inputs.get("query", ""))]) or ""
        names = [name for name, members in self._members.items() if nct_id in members]
        return route.watch_of(names) or ""

    def _members_of(self, watch: str) -> frozenset[NctId]:
        if watch in self._members:
            return self._members[watch]
        return frozenset().union(*self._members.values())

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
        """Return the start of the last sync before the one that found these events."""
        if not events:
            return None
        first = min(stored.run_id or 0 for stored in events)
        earliest = min(stored.fetched for stored in events)
        return next((run.started for run in self._syncs if run.id < first), earliest)

    def _elsewhere(
        self, events: Sequence[StoredEvent], members: frozenset[NctId], own: Thresholds | None
    ) -> dict[NctId, Level]:
        """Return members that changed in the same runs but are not among these events."""
        reported = {stored.nct_id for stored in events}
        worst: dict[NctId, Level] = {}
        for run_id in sorted({stored.run_id for stored in events if stored.run_id is not None}):
            for nct_id, level in self._levels(run_id, own).items():
                if nct_id in members and nct_id not in reported:
                    worst[nct_id] = _worse(level, worst.get(nct_id, level))
        return worst

    def _levels(self, run_id: int, own: Thresholds | None) -> Mapping[NctId, Level]:
        """Return the worst level of each trial that changed in a run; ignores baselines."""
        if (run_id, own) not in self._changed:
            found: dict[NctId, Level] = {}
            for stored in self._store.events.each(EventFilter(run_id=run_id, kinds=_CHANGES)):
                level = relevel_stored(stored, own).event.level
                found[stored.nct_id] = _worse(level, found.get(stored.nct_id, level))
            self._changed[run_id, own] = found
        return self._changed[run_id, own]

    def _keys(self, ids: frozenset[NctId] | set[NctId]) -> dict[NctId, KeyFields]:
        """Read the newest key fields of trials."""
        keys = {}
        for nct_id in sorted(ids):
            versions = self._store.versions.of(nct_id)
            if versions:
                keys[nct_id] = versions[-1].key
        return keys


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
