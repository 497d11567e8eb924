"""The steps of one mirror run (bulk, pages, delta, sweep) and their checks.

Sends no messages.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time
from itertools import islice

from ctsync.dates import format_minute
from ctsync.errors import BadArchive, RegistryError, StaleRegistry
from ctsync.model import NctId, RegistryVersion, Verdict
from ctsync.record.registry.notices import NoticeKind, read_notices
from ctsync.registry.archive import Archive
from ctsync.registry.load_checks import advice_on_newest
from ctsync.sync.batch_writer import BatchWriter
from ctsync.sync.decide import most_at_once
from ctsync.sync.mirror.archive_load import BULK, ArchivePass, SeenTrials, load_of
from ctsync.sync.mirror.result import MirrorResult, MirrorSetup
from ctsync.sync.mirror.scan import DELTA, PAGES, SWEEP, FullScan
from ctsync.sync.observations import PassObservations
from ctsync.sync.run_log import RunLogEntry

ARCHIVE_NAME = "ctsync-registry.zip"


class MirrorRun:
    """One run in progress: `current` is the registry's load, None if it is unreachable."""

    def __init__(
        self,
        mirror: MirrorSetup,
        entry: RunLogEntry,
        result: MirrorResult,
        *,
        current: RegistryVersion | None,
        sights: PassObservations,
    ) -> None:
        self.mirror, self.entry, self.result = mirror, entry, result
        self.current, self.sights = current, sights
        self._writers: list[BatchWriter] = []
        self._followed = frozenset(mirror.store.watched.ids())
        self._marked = {*self._followed, *(one.nct_id for one in mirror.store.failures.find())}

    def bulk(self, archive: Archive) -> None:
        """Compare an archive; if it is of the current load, request the stored trials it lacks.

        Raises BadArchive, and StaleRegistry for an archive older than a load already seen.
        """
        day = load_of(archive)
        load = self._load_on(day)
        is_current = self.current is not None and load == self.current
        self.result.load = load
        self._note_load(load)
        counted = self._counted()
        loaded = ArchivePass(
            store=self.mirror.store,
            archive=archive,
            load=load,
            keeping=self._writer(load),
            thresholds=self.mirror.thresholds,
            watcher=self.mirror.watcher,
            complete_load=self.whole_load(),
            followed=self._followed,
            processes=self.mirror.processes,
        ).run()
        self.result.steps.append(BULK)
        is_whole = True
        if counted is None:
            self.result.doubt(
                f"the archive lists {archive.count:,} studies; this number is unverified, because "
                "the registry did not report its own"
            )
        elif is_current and counted != archive.count:
            is_whole = False
            self.result.doubt(
                f"the archive lists {archive.count:,} studies, but the registry counts {counted:,}"
            )
        elif not is_current:
            self.result.said.append(f"the archive contains the load of {day.isoformat()}")
        days = sorted(said for said in loaded.days if said != "None")
        if len(days) > 1:
            is_whole = False
            self.result.doubt(f"the archive contains different loads: {', '.join(days)}", _MIXED)
        if is_whole and is_current:
            self._look_for_missing(loaded.sighted)
        self._end(BULK, load if is_whole else None)

    def pages(self) -> None:
        """Compare every trial of the registry's full listing."""
        walked = self._sweep().pages()
        self.result.steps.append(PAGES)
        self._judge(PAGES, walked.problem, walked.ids)

    def delta(self) -> None:
        """Fetch the trials posted since the last load, and the failed trials that are due."""
        mirror, last = self.mirror, self.last_load()
        sweep = self._sweep()
        due = [one.nct_id for one in mirror.store.failures.find(due=mirror.clock.now())]
        self.entry.tally.asked += len(due)
        sweep.fetch(due)
        if last is not None:
            walked = sweep.delta(last.date() - mirror.overlap, recent=last.date())
            self.result.steps.append(DELTA)
            self._judge(DELTA, walked.problem, None)

    def sweep(self) -> None:
        """Find changes that updated no date, and trials that are gone."""
        walked = self._sweep().sweep()
        self.result.steps.append(SWEEP)
        self._judge(SWEEP, walked.problem, walked.ids)

    def close(self) -> None:
        """Sum up the results of the steps."""
        failed = [one for keeping in self._writers for one in keeping.failed]
        missing = [one for keeping in self._writers for one in keeping.missing]
        tally = self.entry.tally
        tally.failed = len(failed)
        tally.answered = max(0, tally.asked - tally.failed)
        self.result.failed, self.result.missing = tuple(failed), tuple(missing)
        if (failed or missing) and self.result.verdict is Verdict.OK:
            self.result.verdict = Verdict.PARTIAL

    # --- earlier runs ------------------------------------------------------------------------

    def whole_load(self) -> datetime | None:
        """Return the last load whose records were all compared; None before the first is done."""
        return self._done(BULK, PAGES)

    def last_load(self) -> datetime | None:
        """Return the last load that the mirror was updated to."""
        return self._done(BULK, PAGES, DELTA)

    def is_sweep_due(self) -> bool:
        """Whether a sweep is due.

        It is due `sweep_every` after the last complete pass, on the first load of a month, and
        after a run that found a reprocessing.
        """
        swept = self._done(BULK, PAGES, SWEEP)
        if self.current is None or swept is None:
            return False
        now = self.current.data_timestamp
        if now - swept >= self.mirror.sweep_every or (now.year, now.month) != (
            swept.year,
            swept.month,
        ):
            return True
        return any(
            notice.kind is NoticeKind.REPROCESSING
            for run in self.mirror.store.runs.with_notices(since=swept)
            for notice in read_notices(run.notices)
            if run.load_before is not None and run.load_before > swept
        )

    def _done(self, *names: str) -> datetime | None:
        walks = [self.mirror.store.cursors.get(name).done_load for name in names]
        return max((load for load in walks if load is not None), default=None)

    # --- checks ------------------------------------------------------------------------------

    def _load_on(self, day: date) -> RegistryVersion:
        """Return the load of a day; if it was never seen, only its day is known."""
        self.mirror.registry.check_load(datetime.combine(day, time(), UTC))
        newest = self.mirror.store.runs.newest_load()
        if newest is not None and day < newest.date():
            raise StaleRegistry(
                f"the archive contains the load of {day}, older than the load of "
                f"{format_minute(newest)} already seen; nothing was compared, "
                f"{advice_on_newest(newest, self.mirror.clock.now())}"
            )
        if self.current is not None and self.current.data_timestamp.date() == day:
            return self.current
        if newest is not None and newest.date() == day:
            return RegistryVersion("", newest)
        return RegistryVersion("", datetime.combine(day, time(), UTC))

    def _counted(self) -> int | None:
        if self.current is None:
            return None
        try:
            return self.mirror.bulk.total()
        except RegistryError:
            return None

    def _judge(self, name: str, problem: str | None, ids: Collection[NctId] | None) -> None:
        """End a scan if it showed all trials of one load; otherwise add the problem."""
        current = self._online()
        if problem is None:
            problem = self._moved_on(current)
        if problem is not None:
            self.result.doubt(f"{name}: {problem}", _MIXED if "load" in problem else _PARTIAL)
            return
        if ids is not None:
            self._look_for_missing(ids)
        self._end(name, current)

    def _moved_on(self, before: RegistryVersion) -> str | None:
        try:
            after = self.mirror.registry.version()
        except RegistryError as error:
            return f"could not be confirmed: {error}"
        if after.data_timestamp != before.data_timestamp:
            return "the registry loaded new data meanwhile; run again"
        return None

    def _look_for_missing(self, ids: Collection[NctId] | SeenTrials) -> None:
        """Request each stored trial that is not in `ids`; none if there are too many.

        If a large part of the registry disappears, that is an error of the registry or of ctsync.
        """
        store = self.mirror.store
        limit = most_at_once(store.trials.count_present())
        away = (nct_id for nct_id in store.trials.present_ids() if nct_id not in ids)
        missing = list(islice(away, limit + 1))
        if len(missing) > limit:
            self.result.doubt(
                f"more than {limit:,} stored trials are missing from the registry; none of them is "
                "marked as gone"
            )
            return
        self.entry.tally.asked += len(missing)
        self._sweep().fetch(missing)

    # --- the store ---------------------------------------------------------------------------

    def _writer(self, load: RegistryVersion) -> BatchWriter:
        for known in self._writers:
            if known.observed == load.data_timestamp:
                return known
        keeping = BatchWriter(
            store=self.mirror.store,
            clock=self.mirror.clock,
            routes=self.mirror.routes,
            entry=self.entry,
            observed=load.data_timestamp,
            sights=self.sights,
            marked=self._marked,
        )
        self._writers.append(keeping)
        return keeping

    def _sweep(self) -> FullScan:
        current, mirror = self._online(), self.mirror
        if self.result.load != current:
            self.result.load = current
            self._note_load(current)
        return FullScan(
            store=mirror.store,
            registry=mirror.registry,
            clock=mirror.clock,
            load=current,
            keeping=self._writer(current),
            thresholds=mirror.thresholds,
            watcher=mirror.watcher,
            complete_load=self.whole_load(),
            followed=self._followed,
        )

    def _online(self) -> RegistryVersion:
        if self.current is None:
            raise BadArchive("the registry cannot be reached")
        return self.current

    def _note_load(self, load: RegistryVersion) -> None:
        with self.mirror.store.unit() as unit:
            unit.runs.set_load(self.entry.run_id, load)

    def _end(self, name: str, load: RegistryVersion | None) -> None:
        with self.mirror.store.unit() as unit:
            unit.cursors.end(name, load=None if load is None else load.data_timestamp)


_PARTIAL, _MIXED = Verdict.PARTIAL, Verdict.MIXED
