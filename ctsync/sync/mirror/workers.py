"""From the raw bytes of studies to what deciding and storing need of them, on every core.

What is pure and costs most is done here, in processes of their own: unpacking, parsing, the
canonical form, its digest, packing. They know no database. What it means for a trial is decided
where the database is, by the same code as for a trial that was asked for singly.
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
"""One in how many new records is looked through for fields that nobody declared."""

IN_FLIGHT = 3
"""How many jobs each process may have before it or behind it."""


@dataclass(frozen=True, slots=True)
class ArchiveJob:
    """Some members of an archive, each with the digest and mark its trial is known to have."""

    members: Sequence[Member]
    known: Sequence[tuple[str | None, bytes | None]]


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job's members made ready, in their order, and the loads they say they are of."""

    answers: Sequence[Prepared | Failed]
    days: Counter[str] = field(default_factory=Counter)


class RecordReader:
    """Makes the members of one archive ready, in this process."""

    def __init__(self, file: Path, dictionary: bytes | None) -> None:
        self._stream: IO[bytes] = file.open("rb")
        self._pack = codec.pack if dictionary is None else codec.Dictionary(dictionary).packer()

    def close(self) -> None:
        """Close the archive."""
        self._stream.close()

    def prepare(self, job: ArchiveJob) -> FinishedJob:
        """Make a job's members ready; one that cannot be read is a Failed, with what there is."""
        days: Counter[str] = Counter()
        unpacked: dict[int, bytes] = {}
        answers = [
            self._read(member, known, days, unpacked)
            for member, known in zip(job.members, job.known, strict=True)
        ]
        # all are read before any is packed: in turn they take the core's cache from each other
        ready = [
            self._packed(answer, unpacked.pop(member.number, None))
            for member, answer in zip(job.members, answers, strict=True)
        ]
        return FinishedJob(ready, days)

    def canonical(self, members: Sequence[Member]) -> list[bytes]:
        """The canonical forms of those members that have one, for a dictionary to learn from."""
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
        """Make a member ready but for packing: what is to be packed is put to its number."""
        raw = b""
        try:
            raw = read_member(self._stream, member)
            digest, known_mark = known
            if digest is not None and _is_as_before(raw, digest, known_mark):
                days[_day_in(raw)] += 1
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
        except (ValueError, TypeError, RecursionError) as error:  # BadRecord and orjson's are such
            reason = error if isinstance(error, BadRecord) else BadRecord(f"unreadable: {error}")
            return Failed(member.nct_id, reason, raw)
        unpacked[member.number] = record.canonical
        return made


def mark_of(raw: bytes, digest: str) -> bytes:
    """What names a study's bytes but for the day of its load, and the digest they gave.

    A quote within a text has a backslash before it: nothing but the field itself looks like this.
    It is looked for from the end, where the registry writes it; a second one would be hashed.
    """
    start = raw.rfind(_DAY)
    end = raw.find(b'"', start + len(_DAY)) + 1 if start >= 0 else 0
    whole = memoryview(raw)
    seen = hashlib.sha256(whole[:start] if end > 0 else b"")
    seen.update(whole[max(0, end) :])
    seen.update(digest.encode())
    return seen.digest()[:16]


def _is_as_before(raw: bytes, digest: str, mark: bytes | None) -> bool:
    is_of_this_form = digest.startswith(f"{CANONICAL_VERSION}:")
    return mark is not None and is_of_this_form and mark == mark_of(raw, digest)


def _day_in(raw: bytes) -> str:
    start = raw.rfind(_DAY) + len(_DAY)
    end = raw.find(b'"', start)
    return raw[start:end].decode() if start >= len(_DAY) and end >= 0 else "None"


# --- in processes of their own -------------------------------------------------------------------


class WorkerPool:
    """Makes jobs ready in `processes` processes, or in this one where that is 0.

    A context manager. What is under way at any time is bounded, whatever is to come. Records
    are packed with `dictionary` once it is given.
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
        """End them; jobs not begun are dropped."""
        if self._here is not None:
            self._here.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(self, jobs: Iterable[ArchiveJob]) -> Iterator[tuple[ArchiveJob, FinishedJob]]:
        """Every job when it is done, in the order they came."""
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
        """A dictionary for records like these, None where they are too few."""
        if self._pool is None:
            return _learn(self._file, members)
        return self._pool.submit(_learn, self._file, members).result()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start() -> None:
    # a Ctrl-C reaches every process of the terminal: the main one ends us in good order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # records are trees: without rings there is nothing to collect


@lru_cache(maxsize=1)
def _preparer(file: Path, dictionary: bytes | None) -> RecordReader:
    """What a process of ours works with: opened once, as it has one archive."""
    return RecordReader(file, dictionary)


def _end_with_parent() -> None:
    """End this process when the main one is killed: a pool's own would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare(file: Path, dictionary: bytes | None, job: ArchiveJob) -> _Sent:
    """A job done, as plain tuples: dataclasses take ten times as long to send."""
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
