"""Makes a database smaller. Deletes no version, event or delivery.

1. Delete bodies that no version points to and no other body is packed against.
2. Repack a trial's bodies if they have more keyframes than needed and repacking saves enough.
3. Run VACUUM, and refresh the statistics of the query planner.

Each batch or trial is one transaction, and VACUUM is atomic. The process may be killed at any time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import delete, func, select, text, update

from ctsync.errors import CorruptBody, StoreUnavailable
from ctsync.model import NctId
from ctsync.store.bodies import codec
from ctsync.store.bodies.reader import is_unused
from ctsync.store.bodies.writer import BodyRow, body_row
from ctsync.store.database.access import BATCH
from ctsync.store.database.tables import BODIES, SNAPSHOTS
from ctsync.store.store import Store

WORTH_SHARE = 0.1
WORTH_BYTES = 1024
"""A trial is repacked if that saves at least a tenth of its bytes and at least this many."""


@dataclass(frozen=True, slots=True)
class CompactResult:
    """The size of the database in bytes, with SQLite's log, and the number of changes.

    `dropped` counts bodies, `repacked` counts trials.
    """

    before: int
    after: int
    dropped: int
    repacked: int


def compact(store: Store, *, progress: Callable[[str], None] = lambda _step: None) -> CompactResult:
    """Make a database as small as possible without losing anything. Holds the writer lock.

    Raises LockHeld, or StoreUnavailable if the disk has no room for VACUUM, before it changes
    anything.
    """
    with store.writer(holder="ctsync db compact"):
        require_room(store)
        before = size_of(store)
        progress("deleting unused bodies")
        dropped = drop_unused(store)
        progress("repacking bodies")
        learned = store.bodies.newest_dictionary()
        dictionary = None if learned is None else codec.Dictionary(learned)
        repacked = sum(repack(store, nct_id, dictionary) for nct_id in list(_wasteful(store)))
        progress("compacting the database")
        store.vacuum()
        return CompactResult(before, size_of(store), dropped, repacked)


def size_of(store: Store) -> int:
    """Return the size of the database on disk in bytes, with SQLite's log."""
    file = store.file
    if file is None:
        with store.view() as connection:
            asked = text("SELECT pg_database_size(current_database())")
            return int(connection.scalar(asked) or 0)
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


def require_room(store: Store) -> None:
    """Raise StoreUnavailable unless a copy of the file and an equally large log fit on the disk."""
    file = store.file
    if file is None:
        return
    needed, free = 2 * file.stat().st_size, shutil.disk_usage(file.parent).free
    if free < needed:
        raise StoreUnavailable(
            f"compacting {file} needs {needed:,} bytes of free disk space, and only {free:,} are "
            "free; make room and run again"
        )


def drop_unused(store: Store) -> int:
    """Delete unused bodies and return their number."""
    unused = select(BODIES.c.digest).where(is_unused()).limit(BATCH)
    dropped = 0
    while True:
        with store.unit() as unit:
            digests = unit.connection.scalars(unused).all()
            unit.connection.execute(delete(BODIES).where(BODIES.c.digest.in_(digests)))
        dropped += len(digests)
        if not digests:  # not earlier: a deleted body may have left its base unused
            return dropped


def _wasteful(store: Store) -> Iterator[NctId]:
    """Iterate over the trials with more keyframes than one per 32 bodies, rounded up."""
    keyframes = func.count(BODIES.c.digest.distinct()).filter(BODIES.c.encoding == "keyframe")
    bodies = func.count(BODIES.c.digest.distinct())
    length = codec.MAX_DEPTH + 1
    asked = (
        select(SNAPSHOTS.c.nct_id)
        .join(BODIES, BODIES.c.digest == SNAPSHOTS.c.digest)
        .group_by(SNAPSHOTS.c.nct_id)
        .having(keyframes > (bodies + length - 1) / length)
        .order_by(SNAPSHOTS.c.nct_id)
    )
    with store.view() as connection:
        yield from (NctId(nct_id) for nct_id in connection.scalars(asked))


def repack(store: Store, nct_id: NctId, dictionary: codec.Dictionary | None) -> bool:
    """Repack a trial's bodies in the order of its versions, and return whether that was done.

    Keyframes are packed with `dictionary`. A trial is left unchanged if repacking saves too little,
    a body of another trial is packed against its bodies, or a body cannot be read. `ctsync check`
    reports unreadable bodies.
    """
    digests = list(dict.fromkeys(v.digest for v in store.versions.of(nct_id) if v.digest))
    try:
        packed = list(_chain(store, digests, dictionary))
    except CorruptBody:
        return False
    own = BODIES.c.digest.in_(digests)
    with store.unit() as unit:
        stored = (
            unit.connection.scalar(select(func.sum(func.length(BODIES.c.data))).where(own)) or 0
        )
        # the bodies of another trial may be packed against these: their depths would be wrong
        foreign = unit.connection.scalar(
            select(func.count()).where(
                BODIES.c.base_digest.in_(digests), BODIES.c.digest.not_in(digests)
            )
        )
        gain = stored - sum(len(one.data) for one in packed)
        if foreign or gain < max(WORTH_BYTES, stored * WORTH_SHARE):
            return False
        for one in packed:
            unit.connection.execute(
                update(BODIES)
                .where(BODIES.c.digest == one.digest)
                .values(
                    encoding=one.encoding,
                    base_digest=one.base_digest,
                    depth=one.depth,
                    data=one.data,
                )
            )
    return True


@dataclass(frozen=True, slots=True)
class _Packed:
    """A body and the frames to read it from: a keyframe and deltas, its own last."""

    digest: str
    depth: int
    raw: bytes
    frames: list[bytes]


def _chain(
    store: Store, digests: list[str], dictionary: codec.Dictionary | None
) -> Iterator[BodyRow]:
    """Pack each body as if it were stored now, and check that it can be read back."""
    below: list[_Packed] = []  # the last body, after those it is packed against
    for digest in digests:
        raw = store.bodies.read(digest)
        depth = below[-1].depth + 1 if below else 0
        if depth > codec.MAX_DEPTH:
            depth, below = 0, []
        while below and below[-1].depth > codec.base_depth(depth):
            below.pop()
        base = below[-1] if below else None
        data = codec.pack(raw, base.raw if base else None, dictionary=dictionary)
        frames = [*(base.frames if base else ()), data]
        codec.unpack(frames, digest, dictionary)
        yield body_row(
            digest, len(raw), data, base_digest=base.digest if base else None, depth=depth
        )
        below.append(_Packed(digest, depth, raw, frames))
