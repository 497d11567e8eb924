"""Query membership: writes which trials enter and leave queries, with events and deliveries.

Listings are applied after the records have been fetched. The record shows whether a trial is new in
the registry or only new to the query, and which change made it leave.

Each entry or departure of a trial is one transaction: its membership, the event, and the deliveries
to the recipients of that watch. If interrupted, the next run finds the remaining ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from ctsync.dates import Clock
from ctsync.deliver.plan import plan
from ctsync.model import Event, Kind, NctId, StoredEvent, Version
from ctsync.record.rules.leave_reasons import why_left
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.route import Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.assessment.assessed_trial import AssessedTrial
from ctsync.sync.decide import Changed, Confirmed, First, Returned, Same, most_at_once
from ctsync.sync.watches.listings import QueryListing

SHOWN = (First, Same, Confirmed, Changed, Returned)
"""The decisions on a record that the registry has now."""

_ARRIVALS = (Kind.FIRST_SEEN, Kind.REGISTERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The membership changes of one pass, over the load `observed`."""

    store: Store
    clock: Clock
    routes: Sequence[Route]
    thresholds: Thresholds
    run_id: int
    observed: datetime

    def begin(self, listed: Iterable[QueryListing]) -> None:
        """Add the trials of a query's first listing as a baseline; reports nothing."""
        for one in listed:
            if one.is_baseline and one.problem is None:
                with self.store.unit() as unit:
                    unit.watches.mark_left(one.watch.name, one.leaving, at=self.observed)
                    unit.watches.add_matches(one.watch.name, one.entering, at=self.observed)
                    unit.watches.mark_listed(one.watch.name, self.observed)

    def settle(
        self, listed: Iterable[QueryListing], present: Collection[NctId], *, accept_gone: bool
    ) -> list[str]:
        """Store which trials enter and leave; return a reason for each watch held back.

        Only trials in `present`, whose record this pass has seen, enter or leave. For any other
        trial, it is unknown whether it left or is gone.

        A trial may leave without a change to a field of its query. If many trials do so, or the
        query matches no trial any longer, these trials are held back unless `accept_gone` is true.
        """
        return [
            reason
            for one in listed
            if one.problem is None and not one.is_baseline
            for reason in self._settle(one, present, accept_gone=accept_gone)
        ]

    def _settle(
        self, one: QueryListing, present: Collection[NctId], *, accept_gone: bool
    ) -> Iterator[str]:
        # a trial that just took over a member is already in the watch, in the member's place
        entering = one.entering.intersection(present)
        for nct_id in sorted(entering - self._inside(one) if entering else ()):
            self._enter(one, nct_id)
        unexplained = []
        for nct_id in sorted(one.leaving.intersection(present)):
            why = self._why_left(one, nct_id)
            if why:
                self._leave(one, nct_id, why)
            else:
                unexplained.append(nct_id)
        if not accept_gone and (reason := _held(one, len(unexplained))):
            yield reason
            return
        for nct_id in unexplained:
            self._leave(one, nct_id, ())
        with self.store.unit() as unit:
            unit.watches.mark_listed(one.watch.name, self.observed)

    def _inside(self, one: QueryListing) -> set[NctId]:
        """Return the trials that are members now."""
        return {
            trial.nct_id
            for watch in self.store.watches.all()
            for trial in watch.trials
            if watch.name == one.watch.name and trial.left_at is None
        }

    def preview(
        self,
        listed: Iterable[QueryListing],
        examined: Iterable[AssessedTrial],
        *,
        accept_gone: bool,
    ) -> tuple[list[tuple[NctId, Event]], list[str]]:
        """Return the events that `settle` would store, each with its trial, and its reasons.

        For each listing that is complete and not the first:

        1. Enter the trials whose record was seen. Skip a trial that took over a member, because it
           takes the member's place. A trial that is new in the registry has its own event and gets
           no other.
        2. Find the events that explain why each leaving trial left.
        3. If too many trials leave without an explanation, hold them back and give the reason,
           unless `accept_gone` is true.
        4. Let the other leaving trials leave.
        """
        seen = list(examined)
        found = {one.asked: one for one in seen if isinstance(one.decision, SHOWN)}
        heirs = {
            one.asked: one.finding.moved_to for one in seen if one.finding and one.finding.moved_to
        }
        moves: list[tuple[NctId, Event]] = []
        held: list[str] = []
        for one in listed:
            if one.problem is not None or one.is_baseline:
                continue
            merged = {heirs.get(old) for old in one.watch.inside}
            moves += [
                (nct_id, self._entered(one, nct_id))
                for nct_id in sorted((one.entering & found.keys()) - merged)
                if not _is_registered(_events_of(found[nct_id]))
            ]
            leaving = {
                nct_id: self._why_left(one, nct_id, _events_of(found[nct_id]))
                for nct_id in sorted(one.leaving & found.keys())
            }
            reason = None if accept_gone else _held(one, sum(not why for why in leaving.values()))
            held += [reason] if reason else []
            moves += [
                (nct_id, self._left(one, why))
                for nct_id, why in leaving.items()
                if why or not reason
            ]
        return moves, held

    def _why_left(
        self, one: QueryListing, nct_id: NctId, also: Sequence[Event] = ()
    ) -> Sequence[Event]:
        """Return the events that may explain why a trial left.

        They were stored since the last listing or by this run, or are in `also`. If the data of a
        load changes after it was listed, only the run id shows which events are later.
        """
        later = self._events_since(one, nct_id)
        of_run = self.store.events.find(EventFilter(nct_ids=(nct_id,), run_id=self.run_id))
        since = {stored.event_id: stored for stored in (*later, *of_run)}.values()
        events = [*(stored.event for stored in since), *also]
        return why_left(one.watch.query, events) or self._mergers(one, nct_id) or _unknown(events)

    def _mergers(self, one: QueryListing, nct_id: NctId) -> Sequence[Event]:
        """Return why a trial that never matched was a member: it took over a member."""
        old = self.store.trials.ids_moved_to(nct_id)
        moves = EventFilter(nct_ids=old, kinds=(Kind.MOVED,), since=one.watch.listed)
        return [
            replace(stored.event, summary=f"took over {stored.nct_id}, which matched")
            for stored in (self.store.events.find(moves) if old else ())
        ]

    def _events_since(self, one: QueryListing, nct_id: NctId) -> list[StoredEvent]:
        listed = one.watch.listed
        after = None if listed is None else listed + timedelta(microseconds=1)
        return self.store.events.find(EventFilter(nct_ids=(nct_id,), since=after))

    def _entered(self, one: QueryListing, nct_id: NctId) -> Event:
        from ctsync.record.events import classify  # noqa: PLC0415 - few syncs see an entry

        was_inside = nct_id in one.watch.outside
        name, thresholds = one.watch.name, self.thresholds
        return classify.entered(name, self.observed, again=was_inside, thresholds=thresholds)

    def _left(self, one: QueryListing, why: Sequence[Event]) -> Event:
        from ctsync.record.events import classify  # noqa: PLC0415 - few syncs see a departure

        return classify.left(one.watch.name, self.observed, why, thresholds=self.thresholds)

    def _enter(self, one: QueryListing, nct_id: NctId) -> None:
        """Let one trial enter; if it is new to ctsync, also report its arrival event."""
        arrived = [s for s in self._events_since(one, nct_id) if s.event.kind in _ARRIVALS]
        reported = [(stored.event_id, stored.event) for stored in arrived]
        versions, event = self.store.versions.of(nct_id), self._entered(one, nct_id)
        with self.store.unit() as unit:
            unit.watches.add_matches(one.watch.name, [nct_id], at=self.observed)
            if not _is_registered(stored.event for stored in arrived):
                reported.append((self._add_event(unit, versions, event), event))
            self._plan(unit, nct_id, reported, one.watch.name)

    def _leave(self, one: QueryListing, nct_id: NctId, why: Sequence[Event]) -> None:
        versions, event = self.store.versions.of(nct_id), self._left(one, why)
        with self.store.unit() as unit:
            unit.watches.mark_left(one.watch.name, [nct_id], at=self.observed)
            reported = [(self._add_event(unit, versions, event), event)]
            self._plan(unit, nct_id, reported, one.watch.name)

    def _add_event(self, unit: Unit, versions: Sequence[Version], event: Event) -> int:
        """Store an event with the step to the newest version, which the load contains."""
        version, before = versions[-1], versions[-2] if len(versions) > 1 else None
        (event_id,) = unit.events.add(
            version.nct_id,
            from_snapshot=None if before is None else before.snapshot_id,
            to_snapshot=version.snapshot_id,
            events=(event,),
            run_id=self.run_id,
            posted=version.posted,
            observed=self.observed,
            fetched=self.clock.now(),
            rules_version=RULES_VERSION,
        )
        return event_id

    def _plan(
        self, unit: Unit, nct_id: NctId, events: Sequence[tuple[int, Event]], name: str
    ) -> None:
        own = self.store.watches.own_thresholds()
        now = self.clock.now()
        unit.outbox.enqueue(plan(nct_id, events, (name,), self.routes, now=now, own=own))


def _held(one: QueryListing, unexplained: int) -> str | None:
    """Return why trials that left without an explanation are held back; None if they are few."""
    limit = 0 if one.is_empty else most_at_once(len(one.watch.inside))
    if unexplained <= limit:
        return None
    return (
        f"watch {one.watch.name}: {unexplained:,} of {len(one.watch.inside):,} trials no longer "
        "match, although no field of the query changed; they were not marked as left, because this "
        "is probably a mistake of the registry. If it is no mistake: ctsync sync --accept-gone"
    )


def _unknown(events: Iterable[Event]) -> Sequence[Event]:
    """Return why a trial left whose first record was stored after it matched.

    No stored version shows what changed. A run that ends between its first listing and the fetch
    of the records leaves such members. Without a reason, the trial would be held back as a mistake
    of the registry.
    """
    return [
        replace(event, summary="its record was not stored while it matched")
        for event in events
        if event.kind in _ARRIVALS
    ][:1]


def _events_of(examined: AssessedTrial) -> Sequence[Event]:
    return examined.finding.events if examined.finding is not None else ()


def _is_registered(events: Iterable[Event]) -> bool:
    """Whether a trial is new in the registry; it then needs no event of entering a query."""
    return any(event.kind is Kind.REGISTERED for event in events)


def news_since(
    listed: Iterable[QueryListing], failed_after: Mapping[NctId, datetime]
) -> Mapping[NctId, date]:
    """Return the day of the load of the last listing, for each trial that enters a query.

    A trial first posted after that day is new in the registry. A trial that could not be checked
    when it was listed enters late: `failed_after` has the load before its first failure.
    """
    days: dict[NctId, date] = {}
    for one in listed:
        if one.watch.listed is not None:
            for nct_id in one.entering:
                load = min(one.watch.listed, failed_after.get(nct_id, one.watch.listed))
                days[nct_id] = max(load.date(), days.get(nct_id, load.date()))
    return days
