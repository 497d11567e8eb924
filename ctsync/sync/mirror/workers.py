"""Worker processes that prepare the raw bytes of studies for deciding and storing.

They do the expensive pure work on every core: unpacking, parsing, the canonical form, its digest,
packing. They open no database. The main process decides what a record means for its trial, with the
same code as for a trial requested alone.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from ctsync.errors import BadRecord, IdentityMismatch
from ctsync.model import Failed, KeyFields, Prepared
from ctsync.record.compare.canonical import CANONICAL_VERSION, canonicalize, key_fields
from ctsync.record.registry.schema_drift import unknown_paths
from ctsync.registry.archive import Member, read_member
from ctsync.registry.identity import at
from ctsync.store.bodies import codec

_Sent = tuple[list[Any], Counter[str]]
_KEYS = attrgetter(*(field.name for field in fields(KeyFields)))

_DAY = b'"versionHolder":"'

LOOKED_AT_FOR_DRIFT = 64
"""One in this many new records is searched for undeclared fields."""

IN_FLIGHT = 3
"""The number of jobs per process that are queued, running or not yet collected."""


@dataclass(frozen=True, slots=True)
class ArchiveJob:
    """Some members of an archive, each with the stored digest and mark of its trial, if any."""

    members: Sequence[Member]
    known: Sequence[tuple[str | None, bytes | None]]


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """The results of a job's members, in their order, and the loads that the records name."""

    answers: Sequence[Prepared | Failed]
    days: Counter[str] = field(default_factory=Counter)


class RecordReader:
    """Prepares the members of one archive, in this process."""

    def __init__(self, file: Path, dictionary: bytes | None) -> None:
        self._stream: IO[bytes] = file.open("rb")
        self._pack = codec.pack if dictionary is None else codec.Dictionary(dictionary).packer()

    def close(self) -> None:
        """Close the archive."""
        self._stream.close()

    def prepare(self, job: ArchiveJob) -> FinishedJob:
        """Prepare a job's members; an unreadable member becomes a Failed with its raw bytes."""
        days: Counter[str] = Counter()
        unpacked: dict[int, bytes] = {}
        answers = [
            self._read(member, known, days, unpacked)
            for member, known in zip(job.members, job.known, strict=True)
        ]
        # read all, then pack all: alternating would evict the data of each from the CPU cache
        ready = [
            self._packed(answer, unpacked.pop(member.number, None))
            for member, answer in zip(job.members, answers, strict=True)
        ]
        return FinishedJob(ready, days)

    def canonical(self, members: Sequence[Member]) -> list[bytes]:
        """Return the canonical forms of the readable members, to train a dictionary on."""
        found = []
        for member in members:
            try:
                study = orjson.loads(read_member(self._stream, member))
                found.append(canonicalize(study, own=True).canonical)
            except ValueError:
                continue
        return found

    def _packed(self, answer: Prepared | Failed, body: bytes | None) -> Prepared | Failed:
        if body is None or isinstance(answer, Failed):
            return answer
        return replace(answer, keyframe=self._pack(body))

    def _read(
        self,
        member: Member,
        known: tuple[str | None, bytes | None],
        days: Counter[str],
        unpacked: dict[int, bytes],
    ) -> Prepared | Failed:
        """Prepare a member without packing it; its canonical bytes go to `unpacked`, by number.

        A record with the stored digest or mark is returned with only its digest.
        """
        raw = b""
        try:
            raw = read_member(self._stream, member)
            digest, known_mark = known
            if digest is not None and _is_as_before(raw, digest, known_mark):
                days[day_in(raw)] += 1
                return Prepared(member.nct_id, digest, 0)
            study = orjson.loads(raw)
            days[str(at(study, "derivedSection", "miscInfoModule", "versionHolder"))] += 1
            record = canonicalize(study, own=True)
            if record.nct_id != member.nct_id:
                text = f"the member of {member.nct_id} is the study {record.nct_id}"
                return Failed(member.nct_id, IdentityMismatch(text), raw)
            size = len(record.canonical)
            if record.digest == digest:
                return Prepared(record.nct_id, record.digest, size)
            looked_at = member.number % LOOKED_AT_FOR_DRIFT == 0
            made = Prepared(
                record.nct_id,
                record.digest,
                size,
                key=key_fields(record.body),
                unknown=tuple(sorted(unknown_paths(record.body))) if looked_at else (),
                mark=mark_of(raw, record.digest),
            )
        except (
            ValueError,
            TypeError,
            RecursionError,
        ) as error:  # includes BadRecord and orjson's errors
            reason = error if isinstance(error, BadRecord) else BadRecord(f"unreadable: {error}")
            return Failed(member.nct_id, reason, raw)
        unpacked[member.number] = record.canonical
        return made


def mark_of(raw: bytes, digest: str) -> bytes:
    """Return a 16-byte hash of a study's digest and raw bytes, without the day of its load.

    The load day (versionHolder) changes in every record with every load. A record with no other
    change keeps its mark and need not be parsed.

    The field is found by a search of the raw JSON from the end, where the registry writes it. A
    quote inside a JSON string is escaped, so no string value can look like the field. If there were
    a second such field, or spaces around the colon, the day would be hashed: the mark would then
    change with every load and the record would be parsed each time. This costs time but misses no
    change.
    """
    start = raw.rfind(_DAY)
    end = raw.find(b'"', start + len(_DAY)) + 1 if start >= 0 else 0
    view = memoryview(raw)
    seen = hashlib.sha256(view[:start] if end > 0 else b"")
    seen.update(view[max(0, end) :])
    seen.update(digest.encode())
    return seen.digest()[:16]


def _is_as_before(raw: bytes, digest: str, mark: bytes | None) -> bool:
    is_of_this_form = digest.startswith(f"{CANONICAL_VERSION}:")
    return mark is not None and is_of_this_form and mark == mark_of(raw, digest)


def day_in(raw: bytes) -> str:
    """Return the load day (versionHolder) in the raw bytes of a study; "None" if there is none.

    Used for records that are not parsed; searches the raw JSON as `mark_of` does. If the registry
    writes the field in another form, the day is "None", which the check for different loads in one
    archive ignores.
    """
    start = raw.rfind(_DAY) + len(_DAY)
    end = raw.find(b'"', start)
    return raw[start:end].decode() if start >= len(_DAY) and end >= 0 else "None"


# --- worker processes ----------------------------------------------------------------------------


class WorkerPool:
    """Prepares jobs in `processes` worker processes, or in the current process if that is 0.

    A context manager. The number of jobs in flight is bounded. Records are packed with
    `dictionary` once it is set.
    """

    def __init__(self, file: Path, *, processes: int) -> None:
        self.dictionary: bytes | None = None
        self._file = file
        self._processes = processes
        self._here: RecordReader | None = None
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Start the processes."""
        if self._processes > 0:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes; jobs not started are dropped."""
        if self._here is not None:
            self._here.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(self, jobs: Iterable[ArchiveJob]) -> Iterator[tuple[ArchiveJob, FinishedJob]]:
        """Yield every job with its result, in the order of the jobs."""
        if self._pool is None:
            self._here = RecordReader(self._file, self.dictionary)
            for job in jobs:
                yield job, self._here.prepare(job)
            return
        waiting: deque[tuple[ArchiveJob, Future[_Sent]]] = deque()
        for job in jobs:
            waiting.append((job, self._pool.submit(_prepare, self._file, self.dictionary, job)))
            if len(waiting) >= IN_FLIGHT * self._processes:
                first, future = waiting.popleft()
                yield first, _received(future.result())
        for first, future in waiting:
            yield first, _received(future.result())

    def learn(self, members: Sequence[Member]) -> bytes | None:
        """Return a dictionary trained on these members; None if there are too few."""
        if self._pool is None:
            return _learn(self._file, members)
        return self._pool.submit(_learn, self._file, members).result()


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start() -> None:
    # Ctrl-C reaches every process of the terminal; only the main process may handle it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # records are trees without reference cycles


@lru_cache(maxsize=1)
def _preparer(file: Path, dictionary: bytes | None) -> RecordReader:
    """Return the reader of a worker process; opened once, because a pool reads one archive."""
    return RecordReader(file, dictionary)


def _end_with_parent() -> None:
    """End this process if the main process is killed; otherwise it would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare(file: Path, dictionary: bytes | None, job: ArchiveJob) -> _Sent:
    """Prepare a job; return plain tuples, because dataclasses take ten times as long to send."""
    done = _preparer(file, dictionary).prepare(job)
    return [
        answer if isinstance(answer, Failed) else _flat(answer) for answer in done.answers
    ], done.days


def _flat(made: Prepared) -> tuple[Any, ...]:
    key = None if made.key is None else _KEYS(made.key)
    return (
        made.nct_id, made.digest, made.raw_size, made.keyframe, key, made.unknown, made.mark,
    )  # fmt: skip


def _received(sent: _Sent) -> FinishedJob:
    answers, days = sent
    return FinishedJob([one if isinstance(one, Failed) else _made(*one) for one in answers], days)


def _made(*flat: Any) -> Prepared:
    nct_id, digest, raw_size, keyframe, key, unknown, mark = flat
    named = None if key is None else KeyFields(*key)
    return Prepared(nct_id, digest, raw_size, keyframe, named, unknown, mark)


def _learn(file: Path, members: Sequence[Member]) -> bytes | None:
    preparer = RecordReader(file, None)
    try:
        return codec.train(preparer.canonical(members))
    finally:
        preparer.close()
