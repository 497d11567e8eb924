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
    Event,
    Failed,
    Head,
    KeyFields,
    NctId,
    Observation,
    Prepared,
    Record,
    RegistryVersion,
    Source,
    State,
    StoredEvent,
    Version,
)
from ctsync.questions.trial.stored_records import stored_record
from ctsync.questions.trial.version_dates import stands_from_next
from ctsync.record.compare import diff
from ctsync.record.compare.canonical import canonicalize, key_fields, restore
from ctsync.record.events import classify
from ctsync.record.history_form.normalize import HistoryForm, align_forms, form_of, is_same_content
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.interface import Registry
from ctsync.store.data.events import EventFilter
from ctsync.store.data.runs import MIRROR
from ctsync.store.store import Store
from ctsync.sync.assessed_trial import AssessedTrial, HistoryLink, PendingVersion
from ctsync.sync.decide import (
    Changed,
    Confirmed,
    Decision,
    First,
    Gone,
    Moved,
    NotChecked,
    Returned,
    Seen,
    decide,
)
from ctsync.sync.flags.version_flags import version_flag_events
from ctsync.sync.history.rederive_events import UNSTORED, derive, known_facts


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
    first = PartialDate.parse(_key_of(seen.record).first_posted)
    return first is not None and first.first > day


def _is_posted_since(key: KeyFields, day: date) -> bool:
    """Whether a trial was first posted, or without that date first submitted, since a day."""
    first = PartialDate.parse(key.first_posted) or PartialDate.parse(key.first_submitted)
    return first is not None and first.last >= day


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
            return AssessedTrial(
                asked, decision, fetched_at, self._find(asked, decision, fetched_at, lacked)
            )
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
        stored = stored_record(self.store, self.store.versions.of(head.nct_id)[-1])
        return is_same_content(stored, HistoryForm.HTML, seen.record, HistoryForm.MARKDOWN)

    def _find(
        self,
        nct_id: NctId,
        decision: Decision,
        fetched_at: datetime | None,
        lacked: datetime | None,
    ) -> PendingVersion | None:
        thresholds = self.thresholds
        match decision:
            case First(record, awaited):
                key = _key_of(record)
                events = tuple(self._arrival(nct_id, key, is_news=awaited, lacked=lacked))
                return PendingVersion(nct_id, None, State.PRESENT, record, key, events)
            case Changed(head, record) | Confirmed(head, record):
                if head.source is not Source.HISTORY:
                    return self._with_flags(self._compare(head, record), record, fetched_at)
                confirms = isinstance(decision, Confirmed)
                joined = self._join(head, record, confirms=confirms, fetched_at=fetched_at)
                return self._with_flags(joined, record, fetched_at)
            case Returned(head, record):
                changed = self._compare(head, record)
                back = classify.returned(changed.key, thresholds=thresholds)
                changed = replace(changed, events=(back, *changed.events))
                return self._with_flags(changed, record, fetched_at)
            case Gone() | Moved():
                return self._away(nct_id, decision)
            case _:
                return None

    def _arrival(
        self, nct_id: NctId, key: KeyFields, *, is_news: bool, lacked: datetime | None
    ) -> Iterator[Event]:
        """Yield the first event of a trial: new in the registry, or followed from now on.

        It is newly registered if it was first posted since the day of the load that lacked it.

        A mirrored trial that nobody follows has no event: a first load of the registry would store
        600,000 of them.
        """
        if is_news:
            is_new = lacked is None or _is_posted_since(key, lacked.date())
            yield classify.registered(key, is_new=is_new, thresholds=self.thresholds)
        elif self.followed is None or nct_id in self.followed:
            yield classify.first_seen(key, thresholds=self.thresholds)

    def _away(self, nct_id: NctId, decision: Gone | Moved) -> PendingVersion:
        """Build the version of a gone or moved trial, with the overdue events of its history."""
        versions = self.store.versions.of(nct_id) if decision.head else []
        last = next((v.key for v in reversed(versions) if v.digest is not None), KeyFields())
        overdue = self._overdue(versions)
        joining = HistoryLink(overdue=overdue) if overdue else None
        to: NctId | None = None
        if isinstance(decision, Moved):
            state, to = State.MOVED, decision.to
            event = classify.moved(to, thresholds=self.thresholds)
        else:
            state, event = State.GONE, classify.gone(last, thresholds=self.thresholds)
        return PendingVersion(
            nct_id, decision.head, state, None, last, (event,), moved_to=to, joining=joining
        )

    def _compare(self, head: Head, record: Record) -> PendingVersion:
        """Compare with the newest version that has a record, skipping versions without one."""
        versions = [v for v in self.store.versions.of(head.nct_id) if v.digest is not None]
        newest, key = versions[-1], key_fields(record.body)
        stored = stored_record(self.store, newest)
        before, after = align_forms(stored, form_of(newest.source), record, HistoryForm.MARKDOWN)
        events = classify.classify(
            diff.diff(before, after),
            before,
            after,
            past=[version.key for version in versions],
            stood_from=stands_from_next(versions, key.posted, self.load.data_timestamp),
            registry_versions=[*(version.registry_version for version in versions), None],
            thresholds=self.thresholds,
        )
        comparable = before if newest.source is not Source.HISTORY else None
        present = State.PRESENT
        return PendingVersion(
            head.nct_id, head, present, record, key, tuple(events), before=comparable
        )

    def _with_flags(
        self, finding: PendingVersion, record: Record, fetched_at: datetime | None
    ) -> PendingVersion:
        """Add the events of the flags that the version changes."""
        load = self.load.data_timestamp
        flags = version_flag_events(
            self.store,
            record,
            key=finding.key,
            observed=load,
            fetched=fetched_at or load,
            thresholds=self.thresholds,
        )
        return replace(finding, events=(*finding.events, *flags)) if flags else finding

    def _join(
        self, head: Head, record: Record, *, confirms: bool, fetched_at: datetime | None
    ) -> PendingVersion:
        """Add a live version after one from the registry's history, or confirm that they are equal.

        If no earlier version was seen live, the trial is followed from now on. Otherwise, the
        events from the history since it was last seen live are reported now.
        """
        versions = self.store.versions.of(head.nct_id)
        key, newest = key_fields(record.body), versions[-1]
        seen = replace(
            newest,
            snapshot_id=newest.snapshot_id if confirms else UNSTORED,
            source=Source.BOTH if confirms else Source.LIVE,
            digest=record.digest,
            posted=key.posted,
            observed=self.load.data_timestamp,
            fetched=fetched_at or self.load.data_timestamp,
            key=key,
        )
        versions_to_derive = [*(versions[:-1] if confirms else versions), seen]

        def read(version: Version) -> Record:
            return record if version is seen else stored_record(self.store, version)

        known = known_facts(self.store, head.nct_id, versions)
        mirrors, last = self.store.runs.ids(MIRROR), len(versions_to_derive) - 1
        (step,) = derive(
            versions_to_derive, known, read, self.thresholds, mirrors=mirrors, first=last
        )
        return PendingVersion(
            head.nct_id,
            head,
            State.PRESENT,
            record,
            key,
            step.events,
            joining=HistoryLink(
                confirms=confirms,
                is_baseline=all(version.source is Source.HISTORY for version in versions),
                overdue=self._overdue(versions[:-1] if confirms else versions),
                happened=step.happened,
            ),
        )

    def _overdue(self, versions: Sequence[Version]) -> tuple[StoredEvent, ...]:
        """Return the events from a trial's history since it was last seen live."""
        seen = [v.version for v in versions if v.source is not Source.HISTORY]
        if not seen or seen[-1] == len(versions):
            return ()
        stored = self.store.events.find(EventFilter(nct_ids=(versions[0].nct_id,)))
        return tuple(one for one in stored if one.to_version > seen[-1])

    def _unpack(self, prepared: Prepared) -> Record:
        if prepared.keyframe is None:
            raise ValueError(f"{prepared.nct_id} was not prepared completely")
        canonical = self.store.bodies.read_keyframe(prepared.keyframe, prepared.digest)
        return restore(canonical, prepared.digest)


def is_known_live(head: Head) -> bool:
    """Whether the trial is present and its head was seen in a load, not only in the history."""
    return head.state is State.PRESENT and head.source is not Source.HISTORY


def _key_of(record: Record | Prepared) -> KeyFields:
    if isinstance(record, Record):
        return key_fields(record.body)
    if record.key is None:
        raise ValueError(f"{record.nct_id} was not prepared completely")
    return record.key


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
