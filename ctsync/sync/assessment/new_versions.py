"""The version and the events to store after a decision that changes what is stored. Writes nothing.

`assess` imports this module for the first such decision: a sync without changes needs none of the
modules that compare records.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from ctsync.dates import PartialDate
from ctsync.model import (
    Event,
    Head,
    KeyFields,
    NctId,
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
from ctsync.record.compare.canonical import key_fields
from ctsync.record.events import classify
from ctsync.record.history_form.normalize import HistoryForm, align_forms, form_of, is_same_content
from ctsync.record.rules.rules import Thresholds
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.runs import MIRROR
from ctsync.store.store import Store
from ctsync.sync.assessment.assessed_trial import HistoryLink, PendingVersion, key_of
from ctsync.sync.decide import Changed, Confirmed, Decision, First, Gone, Moved, Returned
from ctsync.sync.flags.version_flags import version_flag_events
from ctsync.sync.history.rederive_events import UNSTORED, derive, known_facts


def repeats_history(store: Store, head: Head, record: Record) -> bool:
    """Whether a record has the same content as a head from the registry's history."""
    stored = stored_record(store, store.versions.of(head.nct_id)[-1])
    return is_same_content(stored, HistoryForm.HTML, record, HistoryForm.MARKDOWN)


def _is_posted_since(key: KeyFields, day: date) -> bool:
    """Whether a trial was first posted, or without that date first submitted, since a day."""
    first = PartialDate.parse(key.first_posted) or PartialDate.parse(key.first_submitted)
    return first is not None and first.last >= day


@dataclass(frozen=True, slots=True)
class NewVersions:
    """Finds the new versions of one load under one set of thresholds.

    `followed` are the followed trials; None if all requested trials are followed.
    """

    store: Store
    load: RegistryVersion
    thresholds: Thresholds
    followed: Container[NctId] | None = None

    def find(
        self,
        nct_id: NctId,
        decision: Decision,
        fetched_at: datetime | None,
        lacked: datetime | None,
    ) -> PendingVersion | None:
        """Return the version that a decision leads to, with its events; None if there is none.

        `lacked` is a load without the trial, if one is known and no version is stored. Raises
        CorruptBody, and ValueError, TypeError or KeyError for a record of an unexpected shape.
        """
        thresholds = self.thresholds
        match decision:
            case First(record, awaited):
                key = key_of(record)
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
