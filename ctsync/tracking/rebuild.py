"""Derives every event anew from the stored versions, and says where what is stored differs.

Versions are the truth. The events of a step follow from its two records, the key fields and
days of all versions before, and the rules: events == classify(diff(before, after), past). Two
facts stand in the events alone and are taken from there: whether a first version was news or a
baseline, and which trial took over one that moved. That a trial entered or left a query is no
matter of its versions, and is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from ctsync.errors import CorruptBody
from ctsync.model import Event, KeyFields, Kind, NctId, Record, State, StoredEvent, Version
from ctsync.record import classify, diff
from ctsync.record.canonical import restore
from ctsync.record.rules import RULES_VERSION, Thresholds
from ctsync.store.columns import dump_json, load_json
from ctsync.store.store import EventFilter, Store, Unit
from ctsync.tracking.past import stands_from

NOT_DERIVED = (Kind.ENTERED, Kind.LEFT)
_ARRIVALS = (Kind.FIRST_SEEN, Kind.REGISTERED)
_LEVELLED = {"level", "rule"}
_COMPARED = [field.name for field in fields(Event) if field.compare]


@dataclass(frozen=True, slots=True)
class Step:
    """The events that lead to a version from the one before, as they are derived."""

    before: Version | None
    after: Version
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One event that is not stored as it is derived.

    `is_level_only` where nothing but level and rule differ: the rules or thresholds were
    others when it was stored.
    """

    version: int
    path: str
    says: str
    is_level_only: bool = False


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One trial whose events are not stored as they are derived.

    `unreadable` says why they could not be derived; then there are no steps.
    """

    nct_id: NctId
    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    unreadable: str = ""


def rebuild(store: Store, thresholds: Thresholds) -> Iterator[Rebuilt]:
    """Derive all events under the rules in force, and give the trials where any differ.

    One trial is held at a time. A trial that cannot be read stops no other.
    """
    for nct_id in store.trials_known():
        try:
            stored = _by_version(store, nct_id)
            steps = tuple(derive(store, store.versions(nct_id), stored, thresholds))
        except (CorruptBody, ValueError) as error:
            # a body, a word or a JSON value that somebody damaged
            yield Rebuilt(nct_id, unreadable=str(error))
            continue
        differences = tuple(
            difference
            for step in steps
            for difference in _compare(step, stored.get(step.after.version, ()))
        )
        if differences:
            yield Rebuilt(nct_id, differences, steps)


def rewrite(unit: Unit, rebuilt: Rebuilt) -> None:
    """Store a trial's events as they were derived; what was told of them stays told."""
    for step in rebuilt.steps:
        unit.rewrite_events(
            from_snapshot=step.before.snapshot_id if step.before else None,
            to_snapshot=step.after.snapshot_id,
            events=step.events,
            leave=NOT_DERIVED,
            rules_version=RULES_VERSION,
        )


def derive(
    store: Store,
    versions: Sequence[Version],
    stored: Mapping[int, Sequence[StoredEvent]],
    thresholds: Thresholds,
) -> Iterator[Step]:
    """The events of each step of one trial, whose versions come oldest first.

    `stored` are the events stored, by the number of the version they lead to. Raises
    CorruptBody and BadRecord.
    """
    arrived = any(one.event.kind in _ARRIVALS for of in stored.values() for one in of)
    with_record: list[Version] = []
    record: Record | None = None
    older: Version | None = None
    for version in versions:
        known = [one.event for one in stored.get(version.version, ())]
        if version.digest is None:
            last = with_record[-1].key if with_record else KeyFields()
            events = _away(version, last, known, thresholds)
        else:
            newer = restore(store.body(version.digest), version.digest)
            events = list(_arrival(newer, known, is_due=not arrived, thresholds=thresholds))
            arrived = True
            if record is not None:
                if older is not None and older.state is not State.PRESENT:
                    events.append(classify.returned(newer, thresholds=thresholds))
                events += classify.classify(
                    diff.diff(record, newer),
                    record,
                    newer,
                    past=[one.key for one in with_record],
                    stood_from=stands_from([*with_record, version]),
                    thresholds=thresholds,
                )
            with_record.append(version)
            record = newer
        yield Step(older, version, tuple(events))
        older = version


def _arrival(
    record: Record, known: Sequence[Event], *, is_due: bool, thresholds: Thresholds
) -> Iterator[Event]:
    """How the trial came to be followed, where it did so with this version."""
    kinds = [event.kind for event in known if event.kind in _ARRIVALS]
    for kind in kinds or ([Kind.FIRST_SEEN] if is_due else []):
        arrive = classify.registered if kind is Kind.REGISTERED else classify.first_seen
        yield arrive(record, thresholds=thresholds)


def _away(
    version: Version, last: KeyFields, known: Sequence[Event], thresholds: Thresholds
) -> list[Event]:
    if version.state is State.GONE:
        return [classify.gone(last, thresholds=thresholds)]
    to = next((event.after for event in known if event.kind is Kind.MOVED), None)
    return [] if to is None else [classify.moved(NctId(str(to)), thresholds=thresholds)]


def _by_version(store: Store, nct_id: NctId) -> dict[int, list[StoredEvent]]:
    found: dict[int, list[StoredEvent]] = {}
    for stored in store.events(EventFilter(nct_ids=(nct_id,))):
        if stored.event.kind not in NOT_DERIVED:
            found.setdefault(stored.to_version, []).append(stored)
    return found


def _compare(step: Step, stored: Sequence[StoredEvent]) -> Iterator[Difference]:
    version = step.after.version
    there = {one.event.path: one for one in stored}
    for event in step.events:
        found = there.pop(event.path, None)
        if found is None:
            yield Difference(version, event.path, f"not stored: {event.summary}")
        elif unlike := _unlike(found.event, event):
            yield Difference(version, event.path, *_told(found.event, event, unlike))
    for path, surplus in there.items():
        yield Difference(version, path, f"does not follow from it: {surplus.event.summary}")


def _unlike(stored: Event, derived: Event) -> list[str]:
    """The fields that differ once both have been through the database's JSON."""
    return [
        name
        for name in _COMPARED
        if _as_stored(getattr(stored, name)) != _as_stored(getattr(derived, name))
    ]


def _as_stored(value: object) -> object:
    return load_json(dump_json(dict(value) if isinstance(value, Mapping) else value))


def _told(stored: Event, derived: Event, unlike: Sequence[str]) -> tuple[str, bool]:
    if _LEVELLED.issuperset(unlike):
        is_now = f"by the rules in force {derived.level} ({derived.rule})"
        return f"stored as {stored.level} ({stored.rule}), {is_now}", True
    return f"differs in {', '.join(unlike)}: {derived.summary}", False
