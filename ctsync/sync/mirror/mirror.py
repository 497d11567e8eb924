"""The mirror run: loads the entire registry once, then updates it daily. Sends no messages.

1. First load: from the bulk archive, or from the registry's full listing if it offers no archive.
2. Every run: a delta fetches what was posted since the last run, with some days of overlap.
3. A full scan (sweep) compares eight fields of each trial. It finds changes that updated no date,
   and trials that are gone. It runs weekly, on the first load of a month, and after a load in which
   the registry reprocessed its records.

A mirrored trial is not watched: its versions and events are stored, but reported only to recipients
whose watch follows it. Answers are decided, compared and stored as in a sync.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ctsync.errors import BadArchive, FutureLoad, RegistryError
from ctsync.files import is_visible
from ctsync.model import RegistryVersion
from ctsync.registry.archive import Archive
from ctsync.registry.load_checks import refuse_older_load
from ctsync.store.data.runs import MIRROR
from ctsync.sync.mirror.archive_load import BULK, load_of
from ctsync.sync.mirror.result import MirrorResult, MirrorSetup
from ctsync.sync.mirror.steps import ARCHIVE_NAME, MirrorRun
from ctsync.sync.observations import PassObservations, conclude_pass
from ctsync.sync.run_log import recorded_run

_NO_LOAD = RegistryVersion("", datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(MirrorSetup):
    """Loads the registry once, then updates the copy with each run."""

    def run(
        self,
        *,
        archive: Path | None = None,
        sweep: bool = False,
        is_unreachable: bool = False,
    ) -> MirrorResult:
        """Update the mirror to the registry's current load.

        With `archive`, a bulk file on disk, its records are compared first. The run then succeeds
        even if the registry cannot be reached: the later steps are skipped, and the verdict is
        PARTIAL, because the number of records in the archive is unverified. If `is_unreachable`,
        the caller has found this out, and nothing is requested. `sweep` forces a full scan that is
        not due.

        Raises RegistryError, StaleRegistry for an archive or registry older than a load already
        seen, and Stopped if the run is cancelled. A stopped run resumes when started again.
        """
        newest = self.store.runs.newest_load()
        with recorded_run(self.store, MIRROR, self.clock) as entry:
            try:
                is_needed = archive is None
                skips = is_unreachable and not is_needed
                current = None if skips else self._current(newest, needed=is_needed)
                result = MirrorResult(entry.run_id, current or _NO_LOAD, entry.tally)
                sights = PassObservations()
                run = MirrorRun(self, entry, result, current=current, sights=sights)
                try:
                    self._take_steps(run, archive, sweep=sweep)
                finally:
                    run.close()
                result.notices = conclude_pass(
                    self.store,
                    entry.run_id,
                    sights,
                    fetched=entry.tally.answered,
                    thresholds=self.thresholds,
                    kinds=(MIRROR,),
                )
            finally:
                sent = (self.registry.counts, self.bulk.counts)
                entry.tally.requests = sum(counts.requests for counts in sent)
                entry.tally.retries = sum(counts.retries for counts in sent)
            entry.verdict, entry.load_after = result.verdict, result.load
        return result

    def _take_steps(self, run: MirrorRun, file: Path | None, *, sweep: bool) -> None:
        """Run the steps that are due."""
        if file is not None:
            run.bulk(Archive(file))
        elif run.whole_load() is None:
            archive = self._download(run)
            if archive is None:
                run.pages()
            else:
                run.bulk(archive)
                if run.whole_load() is not None:
                    archive.file.unlink()
        current, last = run.current, run.last_load()
        if current is None:
            run.result.is_online = False
            run.result.said.append("the registry cannot be reached: run again to fetch new data")
            return
        if run.whole_load() is None or last is None:
            return
        if last < current.data_timestamp or self.store.failures.find(due=self.clock.now()):
            run.delta()
        if sweep or run.is_sweep_due():
            run.sweep()

    def _download(self, run: MirrorRun) -> Archive | None:
        """Return the archive: a usable file of an interrupted run, or else a new download.

        None if the registry offers no archive.
        """
        file = self.folder / ARCHIVE_NAME
        if is_visible(file):
            with suppress(BadArchive):
                left = Archive(file)
                is_current = run.current and load_of(left) == run.current.data_timestamp.date()
                if is_current or self.store.cursors.get(BULK).source == left.identity[:64]:
                    return left
            file.unlink()
        return self.bulk.fetch(file)

    def _current(self, newest: datetime | None, *, needed: bool) -> RegistryVersion | None:
        """Return the registry's current load; None if it cannot be reached and is not `needed`.

        If it is not needed, it is requested once, without retries.
        """
        try:
            load = self.registry.version(retry=needed)
        except RegistryError as error:
            if needed or isinstance(error, FutureLoad):
                raise
            return None
        refuse_older_load(load.data_timestamp, newest, self.clock.now())
        return load
