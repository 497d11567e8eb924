"""From the registry's answers to what is to be kept of them; reads the store, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from ctsync.errors import BadRecord
from ctsync.model import (
    Absent,
    Answer,
    Event,
    Failed,
    Head,
    KeyFields,
    NctId,
    Observation,
    Record,
    RegistryVersion,
    State,
)
from ctsync.record import classify, diff
from ctsync.record.canonical import canonicalize, key_fields, restore
from ctsync.record.rules import Thresholds
from ctsync.registry.api import Registry
from ctsync.store.store import Store
from ctsync.tracking.decide import (
    Changed,
    Decision,
    First,
    Gone,
    Moved,
    Returned,
    Seen,
    Unchecked,
    decide,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A version to be stored after `head`, and the events that lead to it.

    `record` is None where the version says that the trial is gone or has moved.
    """

    nct_id: NctId
    head: Head | None
    state: State
    record: Record | None
    key: KeyFields
    events: tuple[Event, ...]
    moved_to: NctId | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """One trial asked for: what its answer means, and what is to be kept of it."""

    asked: NctId
    decision: Decision
    fetched_at: datetime | None
    finding: Finding | None = None


def examine(
    store: Store,
    registry: Registry,
    ids: Sequence[NctId],
    *,
    load: RegistryVersion,
    thresholds: Thresholds,
) -> Iterator[Examined]:
    """Ask for `ids` and say of each what is to be kept, streaming as the answers come.

    A moved trial gives two: its own, and one of the trial that took it over, unless that was
    asked for itself. A trial whose answer cannot be worked out is Unchecked, with the reason,
    and stops no other.
    """
    heads = store.heads(ids)
    awaited = store.awaited(ids)
    asked = set(ids)
    away = {nct_id for nct_id, head in heads.items() if head.state is not State.PRESENT}
    for answer in registry.studies(ids, load, known_absent=awaited | away):
        seen = read(answer)
        name = answer.asked_as if isinstance(answer, Observation) else answer.nct_id
        examined = _examine_one(
            store, name, heads.get(name), seen, awaited=name in awaited, thresholds=thresholds
        )
        yield examined
        if isinstance(examined.decision, Moved) and isinstance(seen, Seen):
            to = examined.decision.to
            if to not in asked:
                asked.add(to)
                own = Seen(_under_own_name(seen.observation), seen.record)
                head = store.heads([to]).get(to)
                yield _examine_one(store, to, head, own, awaited=False, thresholds=thresholds)


def read(answer: Answer) -> Seen | Absent | Failed:
    """Make an observation's record canonical; one that cannot be read fails with its raw text."""
    if not isinstance(answer, Observation):
        return answer
    try:
        return Seen(answer, canonicalize(answer.study))
    except BadRecord as error:
        return Failed(answer.asked_as, error, orjson.dumps(answer.study))


def _examine_one(
    store: Store,
    asked: NctId,
    head: Head | None,
    seen: Seen | Absent | Failed,
    *,
    awaited: bool,
    thresholds: Thresholds,
) -> Examined:
    decision = decide(head, seen, awaited=awaited)
    fetched = _fetched_at(seen)
    try:
        return Examined(asked, decision, fetched, _find(store, asked, decision, thresholds))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # a record of a shape nobody foresaw is that trial's failure, never the run's
        raw = seen.record.canonical if isinstance(seen, Seen) else b""
        failed = Failed(asked, BadRecord(f"{type(error).__name__}: {error}"), raw)
        return Examined(asked, Unchecked(failed), fetched)


def _fetched_at(seen: Seen | Absent | Failed) -> datetime | None:
    match seen:
        case Seen(observation):
            return observation.fetched_at
        case Absent():
            return seen.fetched_at
        case Failed():
            return None


def _find(
    store: Store, nct_id: NctId, decision: Decision, thresholds: Thresholds
) -> Finding | None:
    match decision:
        case First(record, awaited):
            say = classify.registered if awaited else classify.first_seen
            events = (say(record, thresholds=thresholds),)
            return Finding(nct_id, None, State.PRESENT, record, key_fields(record.body), events)
        case Changed(head, record):
            return _changed(store, head, record, thresholds)
        case Returned(head, record):
            changed = _changed(store, head, record, thresholds)
            back = classify.returned(record, thresholds=thresholds)
            return Finding(
                nct_id, head, State.PRESENT, record, changed.key, (back, *changed.events)
            )
        case Gone(head):
            past = store.past(nct_id)
            event = classify.gone(past[-1], thresholds=thresholds)
            return Finding(nct_id, head, State.GONE, None, past[-1], (event,))
        case Moved(head, to):
            key = store.past(nct_id)[-1] if head else KeyFields()
            event = classify.moved(to, thresholds=thresholds)
            return Finding(nct_id, head, State.MOVED, None, key, (event,), moved_to=to)
        case _:
            return None


def _changed(store: Store, head: Head, record: Record, thresholds: Thresholds) -> Finding:
    """Compare with the newest version that has a body; versions without one changed nothing."""
    past = store.past(head.nct_id)
    digest = store.newest_digest(head.nct_id)
    before = restore(store.body(digest), digest)
    events = classify.classify(
        diff.diff(before, record), before, record, past=past, thresholds=thresholds
    )
    return Finding(head.nct_id, head, State.PRESENT, record, key_fields(record.body), tuple(events))


def _under_own_name(observation: Observation) -> Observation:
    return Observation(
        nct_id=observation.nct_id,
        asked_as=observation.nct_id,
        study=observation.study,
        fetched_at=observation.fetched_at,
        data_timestamp=observation.data_timestamp,
    )
