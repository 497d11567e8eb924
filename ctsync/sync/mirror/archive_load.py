"""One pass over a bulk archive: compares it with the stored versions. Sends no requests.

Worker processes prepare the members on every core (`workers`). This process decides and stores
them, as in a sync. The position in the archive is committed together with the records before it. If
interrupted, the next pass over the same archive resumes there.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice

from ctsync.errors import BadAnswer, BadArchive, BadRecord
from ctsync.model import Failed, Head, NctId, Observation, Prepared, RegistryVersion
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.archive import Archive, Member, read_member
from ctsync.registry.http.response import as_object, parse_json
from ctsync.registry.identity import load_day_of
from ctsync.store.bodies import codec
from ctsync.store.store import Store
from ctsync.store.unit import Unit
from ctsync.sync.assessment.assess import Assessor, first_load, is_known_live
from ctsync.sync.batch_writer import BatchWriter
from ctsync.sync.decide import Seen
from ctsync.sync.mirror.workers import ArchiveJob, WorkerPool, cores
from ctsync.sync.result import RunCallbacks

log = logging.getLogger(__name__)

BULK = "bulk"
JOB_MEMBERS = 200
JOB_BYTES = 4 * 2**20
STEP_MEMBERS = 1000
SAMPLES = 1000
SAMPLE_LARGEST = 32_000
SAMPLE_BYTES = 9_000_000
"""Limits for training a dictionary: a thousand records of limited size, spread over the archive.

Training time grows with the number of bytes. Twice as many bytes make packed records half a percent
smaller. Large records repeat themselves and train the dictionary less well than small ones.
"""
_NOTHING: tuple[str | None, bytes | None] = (None, None)
WORTH_PROCESSES = 2000
"""With at least this many members, worker processes save more time than they take to start."""


class SeenTrials:
    """A set of NCT ids that always takes 12 MB."""

    def __init__(self) -> None:
        self._bits = bytearray(10**8 // 8)

    def add(self, nct_id: NctId) -> bool:
        """Add an id; return whether it is new."""
        at, bit = divmod(int(nct_id[3:]), 8)
        is_new = not self._bits[at] >> bit & 1
        self._bits[at] |= 1 << bit
        return is_new

    def __contains__(self, nct_id: NctId) -> bool:
        at, bit = divmod(int(nct_id[3:]), 8)
        return bool(self._bits[at] >> bit & 1)


@dataclass(slots=True)
class ArchiveContents:
    """The contents of an archive; `days` counts the loads that its studies name."""

    sighted: SeenTrials
    listed: int
    days: Counter[str] = field(default_factory=Counter)


def load_of(archive: Archive) -> date:
    """Return the day of an archive's load, as named by its first readable study.

    Reads at most 100 members. Raises BadArchive if none names a load.
    """
    with archive.file.open("rb") as stream:
        for member in islice(archive.members(), 100):
            try:
                study = as_object(parse_json(read_member(stream, member)))
            except (BadRecord, BadAnswer):
                continue
            day = load_day_of(study)
            if day is not None:
                return day
    raise BadArchive(f"{archive.file} contains no study that names its load (versionHolder)")


@dataclass(slots=True, kw_only=True)
class ArchivePass:
    """One pass over an archive, under one load.

    `complete_load` is the last load of which every trial was stored. `followed` are the followed
    trials.
    """

    store: Store
    archive: Archive
    load: RegistryVersion
    keeping: BatchWriter
    thresholds: Thresholds
    watcher: RunCallbacks
    complete_load: datetime | None
    followed: Container[NctId]
    processes: int | None = None
    _sighted: SeenTrials = field(default_factory=SeenTrials)
    _heads: dict[NctId, Head] = field(default_factory=dict)
    _never_found: dict[NctId, datetime] = field(default_factory=dict)

    def run(self) -> ArchiveContents:
        """Compare every member not yet compared; raises Stopped if the run is cancelled."""
        start = self._start()
        loaded = ArchiveContents(self._sighted, self.archive.count)
        self.keeping.entry.tally.asked += self.archive.count
        done, kept = start, start
        with self._workers() as workers:
            workers.dictionary = self._dictionary(workers)
            for job, answers in workers.each(self._jobs(start)):
                self.watcher.check()
                loaded.days.update(answers.days)
                now = self.keeping.clock.now()
                for member, answer in zip(job.members, answers.answers, strict=True):
                    self._take(member.nct_id, answer, now)
                done = job.members[-1].number + 1
                if done - kept >= STEP_MEMBERS:
                    self._keep(done)
                    kept = done
                self.watcher.progress(done, self.archive.count)
        self._keep(done)
        return loaded

    def _start(self) -> int:
        """Return the number of the first member not yet compared by an interrupted pass, or 0."""
        walk = self.store.cursors.get(BULK)
        source = self.archive.identity[:64]
        if walk.source == source:
            return walk.position
        with self.store.unit() as unit:
            unit.cursors.begin(BULK, source=source, load=self.load.data_timestamp)
        return 0

    def _keep(self, done: int) -> None:
        def advance(unit: Unit) -> None:
            unit.cursors.advance(BULK, done, total=self.archive.count)

        self.keeping.flush(advance)

    def _take(self, nct_id: NctId, answer: Prepared | Failed, now: datetime) -> None:
        head = self._heads.pop(nct_id, None)
        seen: Seen | Failed
        if isinstance(answer, Failed):
            seen = answer
        else:
            observed = self.load.data_timestamp
            seen = Seen(Observation(nct_id, nct_id, {}, now, observed), answer)
        lacked = first_load(self.complete_load, self._never_found.get(nct_id))
        assessor = Assessor(self.store, self.load, self.thresholds, self.followed)
        self.keeping.take(
            assessor.assess(nct_id, head, seen, awaited=lacked is not None, lacked=lacked)
        )

    # --- jobs --------------------------------------------------------------------------------

    def _jobs(self, start: int) -> Iterator[ArchiveJob]:
        """Yield the members from `start` on, in jobs, with the stored digests of their trials."""
        some: list[Member] = []
        size = 0
        for member in self.archive.members():
            if not self._sighted.add(member.nct_id):
                log.warning("member ignored reason=listed_twice nct_id=%s", member.nct_id)
                continue
            if member.number < start:
                continue
            some.append(member)
            size += member.size
            if len(some) == JOB_MEMBERS or size >= JOB_BYTES:
                yield self._job(some)
                some, size = [], 0
        if some:
            yield self._job(some)

    def _job(self, members: list[Member]) -> ArchiveJob:
        ids = [member.nct_id for member in members]
        known = {}
        for nct_id, standing in self.store.trials.head_states(ids).items():
            if standing.never_found is not None:
                self._never_found[nct_id] = standing.never_found
            if (head := standing.head) is not None:
                self._heads[nct_id] = head
                if is_known_live(head):
                    known[nct_id] = (head.digest, standing.raw_mark)
        return ArchiveJob(members, [known.get(nct_id, _NOTHING) for nct_id in ids])

    def _workers(self) -> WorkerPool:
        processes = self.processes
        if processes is None:
            processes = 0 if self.archive.count < WORTH_PROCESSES else cores()
        return WorkerPool(self.archive.file, processes=processes)

    def _dictionary(self, workers: WorkerPool) -> bytes | None:
        """Return the dictionary for packing bodies; trained once, on a sample of the archive."""
        known = self.store.bodies.newest_dictionary()
        if known is not None or self.archive.count < codec.LEAST_SAMPLES:
            return known
        step = max(1, self.archive.count // SAMPLES)
        sample, size = [], 0
        for member in self.archive.members():
            is_chosen = member.number % step == 0 and member.size <= SAMPLE_LARGEST
            if is_chosen and size + member.size <= SAMPLE_BYTES:
                sample.append(member)
                size += member.size
        learned = workers.learn(sample)
        if learned is not None:
            with self.store.unit() as unit:
                unit.bodies.add_dictionary(learned)
        return learned
