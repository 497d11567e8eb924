"""From the registry's answers to what is to be kept of them; reads the store, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from ctsync.errors import BadRecord, CorruptBody
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
from ctsync.tracking.past import stands_from_next


@dataclass(frozen=True, slots=True)
class Finding:
    """A version to be stored after `head`, and the events that lead to it.

    `record` is None where the version says that the trial is gone or has moved; `before` is
    the record it was compared with, where there was one.
    """

    nct_id: NctId
    head: Head | None
    state: State
    record: Record | None
    key: KeyFields
    events: tuple[Event, ...]
    moved_to: NctId | None = None
    before: Record | None = None


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

    An id that was taken over gives two: its own, and one of the trial that has it now, unless
    that was asked for itself. A trial whose answer cannot be worked out is Unchecked, with the
    reason, and stops no other.
    """
    heads, awaited = store.heads(ids), store.awaited(ids)
    away = {nct_id for nct_id, head in heads.items() if head.state is not State.PRESENT}
    examiner = _Examiner(store, load, thresholds)
    asked = set(ids)
    for answer in registry.studies(ids, load, known_absent=awaited | away):
        seen = read(answer)
        name = answer.asked_as if isinstance(answer, Observation) else answer.nct_id
        examined = examiner.examine(name, heads.get(name), seen, awaited=name in awaited)
        yield examined
        if isinstance(seen, Seen) and (to := seen.observation.nct_id) not in asked:
            # the trial that took this id over, newly or long ago
            asked.add(to)
            own = Seen(replace(seen.observation, asked_as=to), seen.record)
            yield examiner.examine(to, store.heads([to]).get(to), own)


def read(answer: Answer) -> Seen | Absent | Failed:
    """Make an observation's record canonical; one that cannot be read fails with its raw text."""
    if not isinstance(answer, Observation):
        return answer
    try:
        return Seen(answer, canonicalize(answer.study))
    except BadRecord as error:
        return Failed(answer.asked_as, error, orjson.dumps(answer.study))


@dataclass(frozen=True, slots=True)
class _Examiner:
    """Works out answers seen in one load, under one set of thresholds."""

    store: Store
    load: RegistryVersion
    thresholds: Thresholds

    def examine(
        self,
        asked: NctId,
        head: Head | None,
        seen: Seen | Absent | Failed,
        *,
        awaited: bool = False,
    ) -> Examined:
        """Decide one answer and find what is to be kept of it; never raises for a record."""
        decision = decide(head, seen, awaited=awaited)
        try:
            return Examined(asked, decision, _fetched_at(seen), self._find(asked, decision))
        except CorruptBody as error:
            damaged = CorruptBody(f"what is stored of it is damaged, see: ctsync check ({error})")
            return _unchecked(asked, seen, damaged)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            # a record of a shape nobody foresaw is that trial's failure, never the run's
            return _unchecked(asked, seen, BadRecord(f"{type(error).__name__}: {error}"))

    def _find(self, nct_id: NctId, decision: Decision) -> Finding | None:
        thresholds = self.thresholds
        match decision:
            case First(record, awaited):
                arrive = classify.registered if awaited else classify.first_seen
                event = arrive(record, thresholds=thresholds)
                key = key_fields(record.body)
                return Finding(nct_id, None, State.PRESENT, record, key, (event,))
            case Changed(head, record):
                return self._compare(head, record)
            case Returned(head, record):
                changed = self._compare(head, record)
                back = classify.returned(record, thresholds=thresholds)
                return replace(changed, events=(back, *changed.events))
            case Gone(head):
                last = self.store.past(nct_id)[-1]
                event = classify.gone(last, thresholds=thresholds)
                return Finding(nct_id, head, State.GONE, None, last, (event,))
            case Moved(head, to):
                last = self.store.past(nct_id)[-1] if head else KeyFields()
                event = classify.moved(to, thresholds=thresholds)
                return Finding(nct_id, head, State.MOVED, None, last, (event,), moved_to=to)
            case _:
                return None

    def _compare(self, head: Head, record: Record) -> Finding:
        """Compare with the newest version that has a record; those without one changed nothing."""
        versions = [v for v in self.store.versions(head.nct_id) if v.digest is not None]
        digest, key = versions[-1].digest or "", key_fields(record.body)
        before = restore(self.store.body(digest), digest)
        events = classify.classify(
            diff.diff(before, record),
            before,
            record,
            past=[version.key for version in versions],
            stood_from=stands_from_next(versions, key.posted, self.load.data_timestamp),
            thresholds=self.thresholds,
        )
        return Finding(head.nct_id, head, State.PRESENT, record, key, tuple(events), before=before)


def _unchecked(
    asked: NctId, seen: Seen | Absent | Failed, error: BadRecord | CorruptBody
) -> Examined:
    raw = seen.record.canonical if isinstance(seen, Seen) else b""
    return Examined(asked, Unchecked(Failed(asked, error, raw)), _fetched_at(seen))


def _fetched_at(seen: Seen | Absent | Failed) -> datetime | None:
    match seen:
        case Seen(observation):
            return observation.fetched_at
        case Absent():
            return seen.fetched_at
        case Failed():
            return None
