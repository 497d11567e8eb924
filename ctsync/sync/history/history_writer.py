"""Inserts one version of a registry history in order, with the events before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ctsync.dates import Clock
from ctsync.model import JsonObject, NctId, Record, Source, State, Version
from ctsync.questions.trial.stored_records import stored_record
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.history_form.normalize import HistoryForm, is_same_content, readable
from ctsync.record.rules.rules import RULES_VERSION, Thresholds
from ctsync.registry.record_history import IndexEntry
from ctsync.store.data.history_versions import HistoryVersion
from ctsync.store.data.runs import MIRROR
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.history.insertion_point import KnownVersion, find_insertion_point
from ctsync.sync.history.rederive_events import (
    NOT_DERIVED,
    UNSTORED,
    DerivedStep,
    derive,
    known_facts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryWriter:
    """Writes versions of one trial's history, each in its own transaction."""

    store: Store
    clock: Clock
    thresholds: Thresholds
    nct_id: NctId
    run_id: int

    def keep(self, entry: IndexEntry, study: JsonObject, *, last: int) -> bool:
        """Insert and commit one version; return False if it was seen live and is only linked.

        `last` is the number of the last version in the same gap. Raises BadRecord or another
        ValueError if the version cannot be read or stored.
        """
        record = canonicalize(study)
        key = key_fields(readable(record, HistoryForm.HTML).body)
        versions = self.store.versions.of(self.nct_id)

        def is_same(seen: Version) -> bool:
            live = stored_record(self.store, seen)
            return is_same_content(record, HistoryForm.HTML, live, HistoryForm.MARKDOWN)

        found = find_insertion_point(versions, entry.number, key, is_same=is_same)
        if isinstance(found, KnownVersion):
            self._link(found.version, entry, versions)
            return False
        now = self.clock.now()
        new = HistoryVersion(entry.number, record, key, entry.date, now)
        self._insert(new, versions, found.index, room=last - entry.number + 1)
        return True

    def _link(self, seen: Version, entry: IndexEntry, versions: Sequence[Version]) -> None:
        """Link a version, and rewrite the events that depend on its number."""
        at = versions.index(seen)
        linked = replace(
            seen, registry_version=entry.number, submitted=entry.date, source=Source.BOTH
        )
        steps = self._derive([*versions[:at], linked, *versions[at + 1 :]], versions, at)
        with self.store.unit() as unit:
            seen_id = seen.snapshot_id
            if unit.histories.link(seen_id, number=entry.number, submitted=entry.date):
                self._rewrite(unit, steps, seen_id)

    def _derive(
        self,
        versions: Sequence[Version],
        stored: Sequence[Version],
        at: int,
        pending: HistoryVersion | None = None,
    ) -> list[DerivedStep]:
        """Derive the steps to the version at `at` and to all later ones.

        `pending` is the version to be stored, if it is among `versions`.
        """

        def read(version: Version) -> Record:
            if pending is not None and version.snapshot_id == UNSTORED:
                return pending.record
            return stored_record(self.store, version)

        facts = known_facts(self.store, self.nct_id, stored)
        mirrors = self.store.runs.ids(MIRROR)
        return list(derive(versions, facts, read, self.thresholds, mirrors=mirrors, first=at))

    def _insert(
        self, new: HistoryVersion, versions: Sequence[Version], at: int, *, room: int
    ) -> None:
        pending = _pending(self.nct_id, new)
        steps = self._derive([*versions[:at], pending, *versions[at:]], versions, at, new)
        follower = versions[at].snapshot_id if at < len(versions) else None
        with self.store.unit() as unit:
            snapshot_id, is_new = unit.histories.insert(
                self.nct_id, new, before=follower, room=room, run_id=self.run_id
            )
            if is_new:
                self._move_events(unit, steps, snapshot_id)
                self._rewrite(unit, steps, snapshot_id)

    def _move_events(self, unit: Unit, steps: Sequence[DerivedStep], snapshot_id: int) -> None:
        """Move the events of the next version that a new version explains to the new one."""
        if len(steps) > 1:
            theirs = {event.path for event in steps[1].events}
            moved = [event.path for event in steps[0].events if event.path not in theirs]
            follower = steps[1].after.snapshot_id
            unit.event_rewrites.move(of=follower, to=snapshot_id, paths=moved)

    def _rewrite(self, unit: Unit, steps: Sequence[DerivedStep], snapshot_id: int) -> None:
        """Store the events of the steps; `snapshot_id` is the version without an id in them."""
        for step in steps:
            before, after = (
                None if v is None else snapshot_id if v.snapshot_id == UNSTORED else v.snapshot_id
                for v in (step.before, step.after)
            )
            unit.event_rewrites.rewrite(
                from_snapshot=before,
                to_snapshot=after or snapshot_id,
                events=step.events,
                leave=NOT_DERIVED,
                rules_version=RULES_VERSION,
                happened=step.happened,
                run_id=self.run_id if step.happened else None,
            )


def _pending(nct_id: NctId, new: HistoryVersion) -> Version:
    """Return a version of the history as it will be stored."""
    return Version(
        snapshot_id=UNSTORED,
        nct_id=nct_id,
        version=0,
        registry_version=new.number,
        source=Source.HISTORY,
        state=State.PRESENT,
        digest=new.record.digest,
        posted=new.key.posted,
        submitted=new.submitted,
        observed=None,
        fetched=new.fetched,
        key=new.key,
    )
