"""Derives all events again from the stored versions, and finds stored events that differ.

Versions are the source of truth. The events of a step are derived from its two records, the key
fields and days of all earlier versions, and the rules:
events == classify(diff(before, after), past).

- The registry's numbers of the versions show whether a version between two of them is missing.
- Two facts are taken from stored events: whether a first version was a change or a baseline, and
  which trial took over a moved trial. While a trial is moved, its own row also holds the second
  fact.
- Events of entering or leaving a query do not depend on versions and are not checked.
- Events of flags depend on the recorded loads too (`sync/flags/derived_flags.py`).
- A trial is followed from its first version seen live. If a mirror or an import added the trial and
  nobody followed it, it has a baseline event only if one is stored.
- Events that lead to that version, or precede it in the registry's history, were never reported.
- An event that was stored under an earlier version of the rules may keep its wording.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time
from functools import partial

from ctsync.errors import CorruptBody
from ctsync.model import (
    Event,
    KeyFields,
    Kind,
    NctId,
    Record,
    Source,
    State,
    StoredEvent,
    Version,
)
from ctsync.questions.trial.stored_records import aligned, stored_record
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.compare import diff
from ctsync.record.events import classify
from ctsync.record.registry.unknown_status import forecast, is_registry_flip
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.events import happened_at
from ctsync.store.data.runs import MIRROR
from ctsync.store.database.types import dump_json, load_json
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.flags.derived_flags import DerivedFlags, FlagDerivation, rewrite_flags

NOT_DERIVED = (Kind.ENTERED, Kind.LEFT, Kind.FLAG)
ARRIVALS = (Kind.FIRST_SEEN, Kind.REGISTERED)
UNSTORED = -1
"""The snapshot id of a version that is about to be stored."""

Known = Mapping[int, Sequence[Event]]
_LEVELLED = {"level", "rule"}
_WORDS = {"label", "summary"}
_COMPARED = [field.name for field in fields(Event) if field.compare]


@dataclass(frozen=True, slots=True)
class DerivedStep:
    """The derived events that lead from one version to the next."""

    before: Version | None
    after: Version
    events: tuple[Event, ...]

    @property
    def happened(self) -> datetime | None:
        """The time of a step that comes from the history; None if a load showed the step.

        A step comes from the history if one of its versions is known only from there. It happened
        on the day on which the newer version was posted, or on which the registry's own rule
        changed the status to UNKNOWN.
        """
        before, after = self.before, self.after
        if Source.HISTORY not in {after.source, before.source if before else None}:
            return None
        if before is not None and is_registry_flip(before.key, after.key):
            flip = forecast(before.key, after.fetched.date()).on
            if flip is not None and flip <= (after.observed or after.fetched).date():
                return datetime.combine(flip, time(), UTC)
        return happened_at(None, after.posted or after.submitted, after.fetched)


@dataclass(frozen=True, slots=True)
class EventDifference:
    """One difference between the stored and the derived events.

    `is_level_only` if only level and rule differ: other rules or thresholds applied when the event
    was stored. `is_wording_only` if it only has the wording of an earlier version of the rules.
    """

    version: int
    path: str
    says: str
    is_level_only: bool = False
    is_wording_only: bool = False


@dataclass(frozen=True, slots=True)
class RederivedTrial:
    """One trial whose stored events differ from the derived ones.

    `unreadable` says why the events cannot be derived; `steps` is then empty.
    """

    nct_id: NctId
    differences: tuple[EventDifference, ...] = ()
    steps: tuple[DerivedStep, ...] = ()
    flags: DerivedFlags | None = None
    unreadable: str = ""


def rederive_events(
    store: Store, thresholds: Thresholds, ids: Sequence[NctId] | None = None
) -> Iterator[RederivedTrial]:
    """Derive all events under the current rules, and yield the trials with differences.

    `ids` limits the trials. Holds one trial in memory at a time. A trial that cannot be read does
    not stop the others.
    """
    mirrors = store.runs.ids(MIRROR)
    flags = FlagDerivation(store, thresholds)
    for nct_id in store.trials.stored_ids() if ids is None else ids:
        try:
            stored, versions = _by_version(store, nct_id), store.versions.of(nct_id)
            known = {
                version.snapshot_id: [one.event for one in stored.get(version.version, ())]
                for version in versions
            }
            if taken_over := _taken_over(store, versions, known, thresholds):
                known[versions[-1].snapshot_id].append(taken_over)
            read = partial(stored_record, store)
            steps = tuple(derive(versions, known, read, thresholds, mirrors=mirrors))
            of_flags = flags.derive(nct_id, versions)
        except (CorruptBody, ValueError) as error:
            # a stored body, enum word or JSON value is damaged
            yield RederivedTrial(nct_id, unreadable=str(error))
            continue
        differences = tuple(
            difference
            for step in steps
            for difference in _compare(step, stored.get(step.after.version, ()))
        )
        if of_flags is not None:
            differences += tuple(_flag_differences(of_flags))
        if differences:
            yield RederivedTrial(nct_id, differences, steps, of_flags)


def _flag_differences(flags: DerivedFlags) -> Iterator[EventDifference]:
    for version, events, stored in flags.by_version():
        yield from _compare(DerivedStep(version, version, events), stored)


def _taken_over(
    store: Store, versions: Sequence[Version], known: Known, thresholds: Thresholds
) -> Event | None:
    """Return the MOVED event of a trial that is still moved, if that event is not stored."""
    if not versions or versions[-1].state is not State.MOVED:
        return None
    last = versions[-1]
    if any(event.kind is Kind.MOVED for event in known[last.snapshot_id]):
        return None
    head = store.trials.heads([last.nct_id]).get(last.nct_id)
    if head is None or head.moved_to is None:
        return None
    return classify.moved(head.moved_to, thresholds=thresholds)


def rewrite(unit: Unit, rebuilt: RederivedTrial) -> None:
    """Store a trial's events as derived; deliveries already sent or planned are not changed."""
    if rebuilt.flags is not None:
        rewrite_flags(unit, rebuilt.flags)
    for step in rebuilt.steps:
        unit.event_rewrites.rewrite(
            from_snapshot=step.before.snapshot_id if step.before else None,
            to_snapshot=step.after.snapshot_id,
            events=step.events,
            leave=NOT_DERIVED,
            rules_version=RULES_VERSION,
            happened=step.happened,
        )


def known_facts(store: Store, nct_id: NctId, versions: Sequence[Version]) -> Known:
    """Return the stored events that versions alone do not imply, by the snapshot they lead to."""
    kinds = (*ARRIVALS, Kind.MOVED)
    known: dict[int, list[Event]] = {}
    for one in store.events.find(EventFilter(nct_ids=(nct_id,), kinds=kinds)):
        known.setdefault(versions[one.to_version - 1].snapshot_id, []).append(one.event)
    return known


def derive(
    versions: Sequence[Version],
    known: Known,
    read: Callable[[Version], Record],
    thresholds: Thresholds,
    *,
    mirrors: Container[int],
    first: int = 0,
) -> Iterator[DerivedStep]:
    """Yield the events of each step of one trial, whose versions come oldest first.

    `known` are the stored events, by the snapshot they lead to. `read` returns a version's record
    in the form of its source. `mirrors` are the runs that stored trials nobody followed.

    Steps to versions before the one at `first` are not yielded; only the last of their records is
    read. Raises CorruptBody and BadRecord.
    """
    arrived = any(event.kind in ARRIVALS for events in known.values() for event in events)
    derivation = _Derivation(read=read, thresholds=thresholds, mirrors=mirrors, has_arrived=arrived)
    for index, version in enumerate(versions):
        if index < first:
            derivation.pass_over(version)
        else:
            yield derivation.step_to(version, known.get(version.snapshot_id, ()))


@dataclass(slots=True, kw_only=True)
class _Derivation:
    """The progress of a derivation through a trial's versions."""

    read: Callable[[Version], Record]
    thresholds: Thresholds
    mirrors: Container[int]
    has_arrived: bool
    with_record: list[Version] = field(default_factory=list)
    older: Version | None = None
    is_away: bool = False
    record: Record | None = None

    def pass_over(self, version: Version) -> None:
        """Advance past a version without deriving the step to it."""
        self._advance(version)
        self.record = None

    def step_to(self, version: Version, known: Sequence[Event]) -> DerivedStep:
        """Derive the step to the next version."""
        older, record = self.older, None
        if version.digest is None:
            last = self.with_record[-1].key if self.with_record else KeyFields()
            events = _away(version, last, known, self.thresholds)
        else:
            record = self.read(version)
            events = list(self._present(version, record, known))
        self._advance(version)
        self.record = record or self.record
        return DerivedStep(older, version, tuple(events))

    def _present(self, version: Version, record: Record, known: Sequence[Event]) -> Iterator[Event]:
        is_live = version.source is not Source.HISTORY
        is_due = is_live and not self.has_arrived and self._is_followed(version)
        yield from _arrival(record, known, is_due=is_due, thresholds=self.thresholds)
        if not self.with_record:
            return
        if is_live and self.is_away:
            yield classify.returned(record, thresholds=self.thresholds)
        before = self.with_record[-1]
        old, new = aligned(before, self.record or self.read(before), version, record)
        yield from classify.classify(
            diff.diff(old, new),
            old,
            new,
            past=[one.key for one in self.with_record],
            stood_from=stands_from([*self.with_record, version]),
            registry_versions=[one.registry_version for one in (*self.with_record, version)],
            thresholds=self.thresholds,
        )

    def _is_followed(self, version: Version) -> bool:
        is_asked_for = version.run_id is not None and version.run_id not in self.mirrors
        return is_asked_for or version.snapshot_id == UNSTORED

    def _advance(self, version: Version) -> None:
        if version.source is not Source.HISTORY:
            self.has_arrived = True
            self.is_away = version.state is not State.PRESENT
        if version.digest is not None:
            self.with_record.append(version)
        self.older = version


def _arrival(
    record: Record, known: Sequence[Event], *, is_due: bool, thresholds: Thresholds
) -> Iterator[Event]:
    """Yield the events of the trial's arrival, if it arrived with this version."""
    arrivals = [event for event in known if event.kind in ARRIVALS]
    for event in arrivals:
        if event.kind is Kind.REGISTERED:
            is_new = event.inputs.get("newly_registered", True)
            yield classify.registered(record, is_new=is_new, thresholds=thresholds)
        else:
            yield classify.first_seen(record, thresholds=thresholds)
    if is_due and not arrivals:
        yield classify.first_seen(record, thresholds=thresholds)


def _away(
    version: Version, last: KeyFields, known: Sequence[Event], thresholds: Thresholds
) -> list[Event]:
    if version.state is State.GONE:
        return [classify.gone(last, thresholds=thresholds)]
    to = next((event.after for event in known if event.kind is Kind.MOVED), None)
    return [] if to is None else [classify.moved(NctId(str(to)), thresholds=thresholds)]


def _by_version(store: Store, nct_id: NctId) -> dict[int, list[StoredEvent]]:
    found: dict[int, list[StoredEvent]] = {}
    for stored in store.events.find(EventFilter(nct_ids=(nct_id,))):
        if stored.event.kind not in NOT_DERIVED:
            found.setdefault(stored.to_version, []).append(stored)
    return found


def _compare(step: DerivedStep, stored: Sequence[StoredEvent]) -> Iterator[EventDifference]:
    version = step.after.version
    there = {one.event.path: one for one in stored}
    for event in step.events:
        found = there.pop(event.path, None)
        if found is None:
            yield EventDifference(version, event.path, f"not stored: {event.summary}")
        elif names := _differing_fields(found.event, event):
            yield _difference(version, found, event, names)
    for path, surplus in there.items():
        yield EventDifference(version, path, f"cannot be derived from it: {surplus.event.summary}")


def _differing_fields(stored: Event, derived: Event) -> list[str]:
    """Return the fields that differ after both events pass through the database's JSON."""
    return [
        name
        for name in _COMPARED
        if _as_stored(getattr(stored, name)) != _as_stored(getattr(derived, name))
    ]


def _as_stored(value: object) -> object:
    return load_json(dump_json(dict(value) if isinstance(value, Mapping) else value))


def _difference(
    version: int, stored: StoredEvent, derived: Event, names: Sequence[str]
) -> EventDifference:
    is_older = stored.rules_version is not None and stored.rules_version < RULES_VERSION
    others = [name for name in names if not is_older or name not in _WORDS]
    if not others:
        says = f"stored with other wording: {derived.summary}"
        return EventDifference(version, derived.path, says, is_wording_only=True)
    if _LEVELLED.issuperset(others):
        was = stored.event
        is_now = f"the current rules give {derived.level} ({derived.rule})"
        says = f"stored as {was.level} ({was.rule}), {is_now}"
        return EventDifference(version, derived.path, says, is_level_only=True)
    says = f"differs in {', '.join(others)}: {derived.summary}"
    return EventDifference(version, derived.path, says)
