"""A sync pass over trials: fetch, decide, store. Formats and sends nothing, and contains no SQL.

config.loading.load                  Settings
| sync.watches.resolve               which trials: NCT ids, org study ids, queries
| registry.api.RegistryApi           Observation | Absent | Failed, one per trial
| record.compare.canonical           Record(body, digest): one canonical byte form
| sync.decide                        First | Same | Changed | Moved | Gone | Returned (pure)
| record.compare.diff                [FieldChange(path, before, after)]
| record.events.classify             [Event(kind, category, level, rule, before, after, ...)]
| store.store.Store.unit             version + events + outbox rows in ONE transaction
| deliver.outbox.drain               log | e-mail | other channels: at least once

Versions are the source of truth; events are derived from them. The difference is computed *before*
the write, so that version, events and outbox rows are committed together.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ctsync.dates import Clock, format_timestamp, parse_timestamp
from ctsync.errors import RegistryError, Stopped
from ctsync.model import NctId, RegistryVersion, Verdict
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.interface import Registry
from ctsync.registry.load_checks import refuse_older_load
from ctsync.route import Route
from ctsync.store.data.runs import SYNC
from ctsync.store.store import Store
from ctsync.sync.assessment.assess import assess_answers
from ctsync.sync.assessment.assessed_trial import AssessedTrial
from ctsync.sync.batch_writer import BatchWriter
from ctsync.sync.decide import (
    Gone,
    StillAway,
    most_at_once,
)
from ctsync.sync.flags.flag_pass import FlagPass
from ctsync.sync.observations import PassObservations, conclude_pass
from ctsync.sync.result import RunCallbacks, SyncResult
from ctsync.sync.run_log import RunCounts, RunLogEntry, recorded_run
from ctsync.sync.watches.listings import (
    QueryListing,
    QueryWatch,
    list_queries,
    query_watches,
    with_entering,
)
from ctsync.sync.watches.membership import SHOWN, Membership, news_since

log = logging.getLogger(__name__)

SEEN_BATCH = 500

ABSENT_IDS_EVERY = timedelta(days=7)
ABSENT_IDS_REQUESTED = "absent_ids_requested"
"""The mark that holds when ids that no load ever contained were last requested one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPass:
    """The settings and services of a pass.

    `accept_gone` accepts that many trials vanish at once. `aliases` are ids that other trials have
    taken over; they are requested too, in case one of their trials returned.
    """

    store: Store
    registry: Registry
    clock: Clock
    thresholds: Thresholds = field(default_factory=Thresholds)
    routes: Sequence[Route] = ()
    watcher: RunCallbacks = field(default_factory=RunCallbacks)
    accept_gone: bool = False
    aliases: Collection[NctId] = ()

    def run(
        self, ids: Sequence[NctId], *, kind: str = SYNC, with_queries: bool = False
    ) -> SyncResult:
        """Update the stored versions of `ids` to the registry's current load.

        `kind` is the kind of run in the run log, which distinguishes a run over some watched trials
        from a complete one. `with_queries` lists the queries of the stored watches first, and
        requests the trials that enter them together with `ids`.

        1. Request the current load; raise StaleRegistry if it is older than a load already seen.
        2. List the queries; an incomplete listing changes nothing in its watch.
        3. Request every trial, in batches. Trials that cannot be checked are counted and
           quarantined.
        4. Decide each answer, and commit the results in batches with their events and deliveries.
           If the run is interrupted, committed batches stay; the next run processes the rest.
        5. Request the load again. If the registry reloaded meanwhile, the pass is repeated once; if
           it reloads again, the verdict is MIXED.
        6. Store the flags that became true or were cleared by time alone, in a complete run.
        7. Conclude: a change that the registry made to most trials is reported once (see
           `observations`).

        Raises RegistryError if the load cannot be requested, and Stopped if the run is cancelled.
        """
        newest, sights = self.store.runs.newest_load(), PassObservations()
        with recorded_run(self.store, kind, self.clock) as entry:
            try:
                load = self._current_load(newest)
                with self.store.unit() as unit:
                    unit.runs.set_load(entry.run_id, load)
                absent = self._absent_ids(kind)
                result = self._settle(
                    ids, load, entry, sights, absent=absent, with_queries=with_queries
                )
                self._note_absent_ids(absent, result.unknown)
                if kind == SYNC and result.verdict is not Verdict.MIXED:
                    self._flags(entry.run_id, result.load).run()
                notices = conclude_pass(
                    self.store,
                    entry.run_id,
                    sights,
                    fetched=result.tally.answered,
                    thresholds=self.thresholds,
                )
            finally:
                entry.tally.requests = self.registry.counts.requests
                entry.tally.retries = self.registry.counts.retries
            entry.tally.asked -= result.aliases
            entry.tally.answered -= result.aliases
            entry.verdict, entry.load_after = result.verdict, result.load
            entry.reason = "; ".join(result.reasons) or None
        return replace(
            result,
            refreshed=newest is None or result.load.data_timestamp > newest,
            events=tuple(self.store.events.of_run(entry.run_id)),
            notices=notices,
        )

    def preview(
        self, ids: Sequence[NctId], *, queries: Sequence[QueryWatch] = ()
    ) -> tuple[RegistryVersion, list[AssessedTrial], tuple[QueryListing, ...]]:
        """Return what `run` would decide and store, and the listing of each query.

        Writes nothing.
        """
        load = self._current_load(self.store.runs.newest_load())
        load, listed = list_queries(self.registry, queries, load)
        found = assess_answers(
            self.store,
            self.registry,
            with_entering(ids, listed),
            load=load,
            thresholds=self.thresholds,
            news_since=news_since(listed, self.store.failures.last_good_loads()),
        )
        return load, list(found), listed

    def membership(self, *, run_id: int, observed: datetime) -> Membership:
        """Return the step that writes or previews which trials enter and leave queries."""
        return Membership(
            store=self.store,
            clock=self.clock,
            routes=self.routes,
            thresholds=self.thresholds,
            run_id=run_id,
            observed=observed,
        )

    def _flags(self, run_id: int, load: RegistryVersion) -> FlagPass:
        """Return the step that stores the flags that time alone changed."""
        return FlagPass(
            store=self.store,
            clock=self.clock,
            routes=self.routes,
            thresholds=self.thresholds,
            run_id=run_id,
            observed=load.data_timestamp,
        )

    def _current_load(self, newest: datetime | None) -> RegistryVersion:
        load = self.registry.version()
        refuse_older_load(load.data_timestamp, newest, self.clock.now())
        return load

    def _settle(
        self,
        ids: Sequence[NctId],
        load: RegistryVersion,
        entry: RunLogEntry,
        sights: PassObservations,
        *,
        absent: _AbsentIds,
        with_queries: bool,
    ) -> SyncResult:
        """Run passes over `ids` until the load is the same before and after, at most twice.

        Trials stored by the first pass are unchanged in the second, so the counts of both are
        added.
        """
        newest, earlier = load, RunCounts()
        unknown: tuple[NctId, ...] = ()
        for _ in range(2):
            queries = query_watches(self.store.watches.all()) if with_queries else []
            load, listed = list_queries(self.registry, queries, newest)
            this_pass = _Pass(self, load, entry, sights, absent=absent, listed=listed)
            result = this_pass.over(ids)
            result.tally.add_kept(earlier)
            earlier = result.tally
            unknown = tuple(dict.fromkeys((*unknown, *result.unknown)))
            result = replace(result, unknown=self._never_found(unknown))
            after = self._load_after()
            if after is None:
                return replace(result, verdict=Verdict.PARTIAL)
            if after.data_timestamp == load.data_timestamp and not self._saw_two_loads(result):
                return result
            newest = after
        return replace(result, verdict=Verdict.MIXED, load=newest)

    def _never_found(self, ids: tuple[NctId, ...]) -> tuple[NctId, ...]:
        still = self.store.trials.never_found(ids) if ids else ()
        return tuple(nct_id for nct_id in ids if nct_id in still)

    def _absent_ids(self, kind: str) -> _AbsentIds:
        """Return how this run treats ids that no load has ever contained."""
        if kind != SYNC:
            return _AbsentIds(are_requested=True, are_named=True)
        last = self.store.marks.get(ABSENT_IDS_REQUESTED)
        since = None if last is None else self.clock.now() - parse_timestamp(last)
        # a time in the future, written by a clock that was ahead, counts as long ago
        is_due = since is None or not timedelta() <= since < ABSENT_IDS_EVERY
        return _AbsentIds(are_requested=is_due, is_first=last is None)

    def _note_absent_ids(self, absent: _AbsentIds, found: Sequence[NctId]) -> None:
        """Record when ids that no load has ever contained were requested one by one."""
        if absent.are_named or not absent.are_requested or (absent.is_first and not found):
            return
        with self.store.unit() as unit:
            unit.marks.set(ABSENT_IDS_REQUESTED, format_timestamp(self.clock.now()))

    def _load_after(self) -> RegistryVersion | None:
        """Return the load after a pass; None if the registry became unreachable."""
        try:
            return self.registry.version()
        except RegistryError as error:
            log.warning("the load could not be confirmed after the run: %s", error)
            return None

    def _saw_two_loads(self, result: SyncResult) -> bool:
        """Whether the records of one pass came from different loads (versionHolder).

        If all records name the same load, no reload is in progress, even if they name another load
        than the registry does.
        """
        others = self.registry.other_loads
        return bool(others) and sum(others.values()) < result.tally.answered


@dataclass(frozen=True, slots=True)
class _AbsentIds:
    """How a run treats ids that no load has ever contained.

    - `are_requested`: request them one by one if their batch lacks them.
    - `are_named`: report them again, although an earlier run reported them.
    - `is_first`: no earlier run requested such ids one by one again.
    """

    are_requested: bool = False
    are_named: bool = False
    is_first: bool = False


class _Pass:
    """One pass over the trials in one load: stores and counts the results of `assess_answers`."""

    def __init__(
        self,
        sync: TrialPass,
        load: RegistryVersion,
        entry: RunLogEntry,
        sights: PassObservations,
        *,
        absent: _AbsentIds,
        listed: Sequence[QueryListing] = (),
    ) -> None:
        self.sync, self.load, self.entry = sync, load, entry
        self.absent, self.listed = absent, listed
        self.membership = sync.membership(run_id=entry.run_id, observed=load.data_timestamp)
        self.gone: list[AssessedTrial] = []
        self.keeping = BatchWriter(
            store=sync.store,
            clock=sync.clock,
            routes=sync.routes,
            entry=entry,
            observed=load.data_timestamp,
            sights=sights,
        )

    def over(self, ids: Sequence[NctId]) -> SyncResult:
        """Assess all trials, including trials that enter a query, and store the results."""
        self.membership.begin(self.listed)
        ids = with_entering(ids, self.listed)
        sync, tally = self.sync, RunCounts(asked=len(ids))
        self.entry.tally = tally
        found = assess_answers(
            sync.store,
            sync.registry,
            ids,
            load=self.load,
            thresholds=sync.thresholds,
            news_since=news_since(self.listed, sync.store.failures.last_good_loads()),
            asks_absent=self.absent.are_requested,
            names_absent=self.absent.are_named,
        )
        asked = set(ids)
        moving = {n for one in self.listed for n in (*one.entering, *one.leaving)}
        present: set[NctId] = set()
        still_aliases: set[NctId] = set()
        keeping = self.keeping
        try:
            for done, examined in enumerate(found, start=1):
                sync.watcher.check()
                if isinstance(examined.decision, Gone):
                    self.gone.append(examined)
                else:
                    keeping.take(examined)
                if isinstance(examined.decision, SHOWN):
                    present.update(moving & {examined.asked})
                if isinstance(examined.decision, StillAway) and examined.asked in sync.aliases:
                    still_aliases.add(examined.asked)
                elif isinstance(examined.decision, StillAway):
                    # if its successor was not requested itself, it was assessed and counts for both
                    tally.same += examined.decision.to in asked
                sync.watcher.progress(min(done, len(ids)), len(ids))
        except Stopped:
            keeping.flush()
            raise
        held = self._take_gone(len(ids))
        keeping.flush()
        refused = {failed.nct_id for failed in keeping.failed}
        present -= refused
        held += self.membership.settle(self.listed, present, accept_gone=sync.accept_gone)
        tally.failed = len(keeping.failed)
        tally.answered = tally.asked - tally.failed
        result = SyncResult(
            run_id=self.entry.run_id,
            load=self.load,
            verdict=Verdict.OK,
            tally=tally,
            failed=tuple(keeping.failed),
            unknown=tuple(keeping.unknown),
            missing=tuple(keeping.missing),
            listed=tuple(self.listed),
            held=tuple(held),
            aliases=len(still_aliases),
        )
        return result if result.is_whole else replace(result, verdict=Verdict.PARTIAL)

    def _take_gone(self, of: int) -> list[str]:
        """Store as gone the trials that two loads lack.

        If too many are missing at once, store none of them as gone, and return the reason.
        """
        lacking = len(self.gone) + len(self.keeping.missing)
        if self.gone and lacking > most_at_once(of) and not self.sync.accept_gone:
            self.keeping.missing += [examined.asked for examined in self.gone]
            reason = (
                f"the registry lacks {lacking:,} of {of:,} trials at once, probably by mistake; "
                f"{len(self.gone):,} of them were not marked as gone. If it is no mistake: "
                "ctsync sync --accept-gone"
            )
            return [reason]
        for examined in self.gone:
            self.keeping.take(examined)
        return []
