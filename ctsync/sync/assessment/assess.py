"""Assessment: turns registry answers into versions and events to store. Writes nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType

import orjson

from ctsync.dates import PartialDate
from ctsync.errors import BadRecord, CorruptBody
from ctsync.model import (
    Absent,
    Answer,
    Failed,
    Head,
    NctId,
    Observation,
    Prepared,
    Record,
    RegistryVersion,
    Source,
    State,
)
from ctsync.record.compare.canonical import canonicalize, restore
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.interface import Registry
from ctsync.store.store import Store
from ctsync.sync.assessment.assessed_trial import AssessedTrial, PendingVersion, key_of
from ctsync.sync.decide import STORED, Decision, NotChecked, Seen, decide


def assess_answers(
    store: Store,
    registry: Registry,
    ids: Sequence[NctId],
    *,
    load: RegistryVersion,
    thresholds: Thresholds,
    news_since: Mapping[NctId, date] = MappingProxyType({}),
    complete_load: datetime | None = None,
    followed: Container[NctId] | None = None,
    asks_absent: bool = False,
    names_absent: bool = False,
) -> Iterator[AssessedTrial]:
    """Request `ids` and yield an assessment of each answer as it arrives.

    - `complete_load`: the last load of which every trial was stored. A trial without stored
      versions was not in it.
    - `followed`: the followed trials; None if all trials are followed.
    - `asks_absent`: request an id alone if its batch lacks it, even if no load ever contained it.
    - `names_absent`: report these ids again, although an earlier run reported them.
    - `news_since`: one day per trial. A trial without stored versions that was first posted after
      its day is new in the registry.

    An id that another trial took over yields two results: its own, and one for that trial, unless
    that trial was requested too. An answer that cannot be assessed yields NotChecked with the
    reason, and the other answers are still assessed.
    """
    states = store.trials.head_states(ids)
    heads = {nct_id: one.head for nct_id, one in states.items() if one.head is not None}
    never_found = {
        nct_id: one.never_found for nct_id, one in states.items() if one.never_found is not None
    }
    away = {nct_id for nct_id, head in heads.items() if head.state is not State.PRESENT}
    known_absent = away if asks_absent else never_found.keys() | away
    assessor = Assessor(store, load, thresholds, followed)
    asked = set(ids)
    for answer in registry.studies(ids, load, known_absent=known_absent):
        name = answer.asked_as if isinstance(answer, Observation) else answer.nct_id
        seen = read(answer, heads.get(name))
        lacked = first_load(complete_load, never_found.get(name))
        is_news = lacked is not None or _posted_after(seen, news_since.get(name))
        assessed = assessor.assess(
            name,
            heads.get(name),
            seen,
            awaited=is_news,
            lacked=lacked,
            moved_to=states[name].moved_to if name in states else None,
            is_known_absent=name in never_found and not names_absent,
        )
        yield assessed
        if isinstance(seen, Seen) and (to := seen.observation.nct_id) not in asked:
            # also assess the trial that took this id over, now or long ago
            asked.add(to)
            own = Seen(replace(seen.observation, asked_as=to), seen.record)
            yield assessor.assess(to, store.trials.heads([to]).get(to), own)


def first_load(*loads: datetime | None) -> datetime | None:
    """Return the earliest of these loads; None if there is none."""
    return min((load for load in loads if load is not None), default=None)


def _posted_after(seen: Seen | Absent | Failed, day: date | None) -> bool:
    if day is None or not isinstance(seen, Seen):
        return False
    first = PartialDate.parse(key_of(seen.record).first_posted)
    return first is not None and first.first > day


def read(answer: Answer, head: Head | None) -> Seen | Absent | Failed:
    """Canonicalize an observation's record; return Failed with its JSON if it is unreadable.

    Modifies `answer.study`. `head` is the newest version of the requested trial.
    """
    if not isinstance(answer, Observation):
        return answer
    try:
        # a record that equals its head is only counted; measured: a fifth of a day of 600 trials
        record = canonicalize(answer.study, own=True)
        if head is None or not is_known_live(head) or head.digest != record.digest:
            record = restore(record.canonical, record.digest)
        return Seen(answer, record)
    except BadRecord as error:
        return Failed(answer.asked_as, error, orjson.dumps(answer.study))


@dataclass(frozen=True, slots=True)
class Assessor:
    """Assesses the answers of one load under one set of thresholds.

    `followed` are the followed trials; None if all requested trials are followed.
    """

    store: Store
    load: RegistryVersion
    thresholds: Thresholds
    followed: Container[NctId] | None = None

    def assess(
        self,
        asked: NctId,
        head: Head | None,
        seen: Seen | Absent | Failed,
        *,
        awaited: bool = False,
        lacked: datetime | None = None,
        moved_to: NctId | None = None,
        is_known_absent: bool = False,
    ) -> AssessedTrial:
        """Decide one answer and derive the version and events to store.

        Never raises for a bad record. `lacked` is a load without the trial, if one is known and no
        version is stored.
        """
        try:
            seen = self._in_full(head, seen)
            known = self._says_the_same(head, seen)
            decision = decide(
                head,
                seen,
                awaited=awaited,
                says_the_same=known,
                moved_to=moved_to,
                is_known_absent=is_known_absent,
            )
            fetched_at = _fetched_at(seen)
            found = self._found(asked, decision, fetched_at, lacked)
            return AssessedTrial(asked, decision, fetched_at, found)
        except CorruptBody as error:
            damaged = CorruptBody(f"its stored record is damaged, see: ctsync check ({error})")
            return _unchecked(asked, seen, damaged)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            # a record of an unexpected shape must fail its trial, not the run
            return _unchecked(asked, seen, BadRecord(f"{type(error).__name__}: {error}"))

    def _in_full(self, head: Head | None, seen: Seen | Absent | Failed) -> Seen | Absent | Failed:
        """Return the answer, with the full record if it must be compared with a stored one."""
        if not isinstance(seen, Seen) or isinstance(seen.record, Record) or head is None:
            return seen
        if is_known_live(head) and head.digest == seen.record.digest:
            return seen
        return replace(seen, record=self._unpack(seen.record))

    def _says_the_same(self, head: Head | None, seen: Seen | Absent | Failed) -> bool:
        """Whether a record has the same content as a head from the registry's history."""
        if head is None or head.source is not Source.HISTORY or not isinstance(seen, Seen):
            return False
        if not isinstance(seen.record, Record):
            return False
        from ctsync.sync.assessment.new_versions import repeats_history  # noqa: PLC0415 - see `_found`

        return repeats_history(self.store, head, seen.record)

    def _found(
        self,
        nct_id: NctId,
        decision: Decision,
        fetched_at: datetime | None,
        lacked: datetime | None,
    ) -> PendingVersion | None:
        if not isinstance(decision, STORED):
            return None
        # measured: 4 % of a sync that found no change
        from ctsync.sync.assessment.new_versions import NewVersions  # noqa: PLC0415 - see above

        versions = NewVersions(self.store, self.load, self.thresholds, self.followed)
        return versions.find(nct_id, decision, fetched_at, lacked)

    def _unpack(self, prepared: Prepared) -> Record:
        if prepared.keyframe is None:
            raise ValueError(f"{prepared.nct_id} was not prepared completely")
        canonical = self.store.bodies.read_keyframe(prepared.keyframe, prepared.digest)
        return restore(canonical, prepared.digest)


def is_known_live(head: Head) -> bool:
    """Whether the trial is present and its head was seen in a load, not only in the history."""
    return head.state is State.PRESENT and head.source is not Source.HISTORY


def _unchecked(
    asked: NctId, seen: Seen | Absent | Failed, error: BadRecord | CorruptBody
) -> AssessedTrial:
    record = seen.record if isinstance(seen, Seen) else None
    raw = record.canonical if isinstance(record, Record) else b""
    return AssessedTrial(asked, NotChecked(Failed(asked, error, raw)), _fetched_at(seen))


def _fetched_at(seen: Seen | Absent | Failed) -> datetime | None:
    match seen:
        case Seen(observation):
            return observation.fetched_at
        case Absent():
            return seen.fetched_at
        case Failed():
            return None
