"""The whole registry kept: loaded once, then brought up to date daily. Sends nothing.

1. First load: the bulk archive, or the registry's listing in full where it offers none.
2. Every run: what was posted since the last, with some days of overlap, is fetched.
3. Weekly, on the first load of a month, and after a day on which the registry reprocessed its
   records: a sweep by eight leaves finds what moved no date, and what is gone.

A mirrored trial is not watched: its versions and events are kept, and told to those whose watch
follows it. Whatever comes, it is decided on, compared and stored as in a sync.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ctsync.errors import BadArchive, RegistryError, StaleRegistry
from ctsync.model import RegistryVersion
from ctsync.registry.archive import Archive
from ctsync.store.data.runs import MIRROR
from ctsync.sync.mirror.archive_load import BULK, load_of
from ctsync.sync.mirror.result import MirrorResult, MirrorSetup
from ctsync.sync.mirror.steps import ARCHIVE_NAME, MirrorRun
from ctsync.sync.observations import PassObservations, conclude_pass
from ctsync.sync.run_log import recorded_run

_NO_LOAD = RegistryVersion("", datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(MirrorSetup):
    """Loads the registry once, then brings it up to date with each run."""

    def run(self, *, archive: Path | None = None, sweep: bool = False) -> MirrorResult:
        """Bring the mirror up to the load the registry shows.

        With `archive`, a bulk file that is there already, its records are compared first; then
        a registry that cannot be reached ends nothing but the rest. `sweep` asks for a sweep
        whether it is due or not. Raises RegistryError, StaleRegistry for an archive or registry
        older than what was seen, Stopped when told to stop: begun again, it goes on.
        """
        newest = self.store.runs.newest_load()
        with recorded_run(self.store, MIRROR, self.clock) as entry:
            try:
                current = self._current(newest, needed=archive is None)
                result = MirrorResult(entry.run_id, current or _NO_LOAD, entry.tally)
                sights = PassObservations()
                course = MirrorRun(self, entry, result, current=current, sights=sights)
                try:
                    self._go(course, archive, sweep=sweep)
                finally:
                    course.close()
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

    def _go(self, course: MirrorRun, file: Path | None, *, sweep: bool) -> None:
        """Take the steps that are due."""
        if file is not None:
            course.bulk(Archive(file))
        elif course.whole_load() is None:
            archive = self._download(course)
            if archive is None:
                course.pages()
            else:
                course.bulk(archive)
                if course.whole_load() is not None:
                    archive.file.unlink()
        current, last = course.current, course.last_load()
        if current is None:
            course.result.is_online = False
            course.result.said.append("the registry cannot be reached: run again for what is new")
            return
        if course.whole_load() is None or last is None:
            return
        if last < current.data_timestamp or self.store.failures.find(due=self.clock.now()):
            course.delta()
        if sweep or course.is_sweep_due():
            course.sweep()

    def _download(self, course: MirrorRun) -> Archive | None:
        """The archive: one that a run cut off has left, where it is of use, else a new one."""
        file = self.folder / ARCHIVE_NAME
        if file.exists():
            with suppress(BadArchive):
                left = Archive(file)
                is_current = (
                    course.current and load_of(left) == course.current.data_timestamp.date()
                )
                if is_current or self.store.cursors.get(BULK).source == left.identity[:64]:
                    return left
            file.unlink()
        return self.bulk.fetch(file)

    def _current(self, newest: datetime | None, *, needed: bool) -> RegistryVersion | None:
        """The load the registry shows; None where it cannot be asked and need not be."""
        try:
            load = self.registry.version()
        except RegistryError:
            if needed:
                raise
            return None
        if newest is not None and load.data_timestamp < newest:
            raise StaleRegistry(
                f"the registry shows its load of {load.data_timestamp:%Y-%m-%d %H:%M}Z, older "
                f"than that of {newest:%Y-%m-%d %H:%M}Z already seen; try again later"
            )
        return load
