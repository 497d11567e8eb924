"""Gives back room that nothing needs; no version, event or delivery is ever deleted.

1. Bodies that no version points to and no other body leans on are dropped.
2. A trial whose bodies are more keyframes than its chain needs is packed anew where that pays.
3. The database itself is made compact: VACUUM, and on PostgreSQL fresh statistics.

Each step is a transaction or SQLite's own, so that it may be killed at any time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select, text, update

from ctsync.errors import CorruptBody, StoreUnavailable
from ctsync.model import NctId
from ctsync.store.bodies import codec
from ctsync.store.database.access import BATCH
from ctsync.store.database.tables import BODIES, SNAPSHOTS
from ctsync.store.store import Store

WORTH_SHARE = 0.1
WORTH_BYTES = 1024
"""A trial is packed anew where that saves a tenth of it and no less than this."""


@dataclass(frozen=True, slots=True)
class CompactResult:
    """What was done: sizes are of the whole database in bytes, the log of SQLite included."""

    before: int
    after: int
    dropped: int
    repacked: int


def compact(store: Store, *, progress: Callable[[str], None] = lambda _step: None) -> CompactResult:
    """Make a database as small as it can be without forgetting anything; under the writer lock.

    Raises LockHeld, and StoreUnavailable where the disk has no room for what VACUUM needs, then
    before anything was changed.
    """
    with store.writer(holder="ctsync db compact"):
        require_room(store)
        before = size_of(store)
        progress("dropping what nothing points to")
        dropped = drop_unused(store)
        progress("packing chains anew")
        learned = store.newest_dictionary()
        dictionary = None if learned is None else codec.Dictionary(learned)
        repacked = sum(repack(store, nct_id, dictionary) for nct_id in list(_wasteful(store)))
        progress("making the database compact")
        store.vacuum()
        return CompactResult(before, size_of(store), dropped, repacked)


def size_of(store: Store) -> int:
    """The bytes of the database on its disk."""
    file = store.file
    if file is None:
        with store.snapshot() as connection:
            asked = text("SELECT pg_database_size(current_database())")
            return int(connection.scalar(asked) or 0)
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


def require_room(store: Store) -> None:
    """Raise StoreUnavailable unless a copy of the file and a log as large fit on the disk."""
    file = store.file
    if file is None:
        return
    needed, free = 2 * file.stat().st_size, shutil.disk_usage(file.parent).free
    if free < needed:
        raise StoreUnavailable(
            f"{file} needs {needed:,} bytes of free disk to be made compact, and there are "
            f"{free:,}; make room and run again"
        )


def drop_unused(store: Store) -> int:
    """Drop bodies that no version points to and no other body is packed upon; how many."""
    upon = BODIES.alias()
    unused = (
        select(BODIES.c.digest)
        .where(
            ~exists().where(SNAPSHOTS.c.digest == BODIES.c.digest),
            ~exists().where(upon.c.base_digest == BODIES.c.digest),
        )
        .limit(BATCH)
    )
    dropped = 0
    while True:
        with store.unit() as unit:
            digests = unit.connection.scalars(unused).all()
            unit.connection.execute(delete(BODIES).where(BODIES.c.digest.in_(digests)))
        dropped += len(digests)
        if not digests:  # what those leaned on may be free only now
            return dropped


def _wasteful(store: Store) -> Iterator[NctId]:
    """The trials whose bodies stand alone more often than every sixteenth."""
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
    with store.snapshot() as connection:
        yield from (NctId(nct_id) for nct_id in connection.scalars(asked))


@dataclass(frozen=True, slots=True)
class _Packed:
    digest: str
    base: str | None
    depth: int
    data: bytes


def repack(store: Store, nct_id: NctId, dictionary: codec.Dictionary | None) -> bool:
    """Pack a trial's bodies one upon the other in the order of its versions, if that pays.

    Those that stand alone are packed with the dictionary, where there is one.
    A trial of which a body cannot be read is left as it is: that is for `check`.
    """
    digests = list(dict.fromkeys(v.digest for v in store.versions(nct_id) if v.digest))
    try:
        packed = list(_chain(store, digests, dictionary))
    except CorruptBody:
        return False
    own = BODIES.c.digest.in_(digests)
    with store.unit() as unit:
        stored = (
            unit.connection.scalar(select(func.sum(func.length(BODIES.c.data))).where(own)) or 0
        )
        # a body that another trial's leans on has a depth that others count on
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
                    encoding="keyframe" if one.base is None else "delta",
                    base_digest=one.base,
                    depth=one.depth,
                    data=one.data,
                )
            )
    return True


def _chain(
    store: Store, digests: list[str], dictionary: codec.Dictionary | None
) -> Iterator[_Packed]:
    """The bodies as they would be packed one after the other, each proved to come back."""
    base: tuple[str, bytes] | None = None
    depth = 0
    links: list[bytes] = []
    for digest in digests:
        raw = store.body(digest)
        alone = base is None or depth >= codec.MAX_DEPTH
        depth = 0 if alone else depth + 1
        upon = None if alone or base is None else base[1]
        data = codec.pack(raw, upon, dictionary=dictionary)
        links = [data] if alone else [*links, data]
        codec.unpack(links, digest, dictionary)
        yield _Packed(digest, None if alone or base is None else base[0], depth, data)
        base = (digest, raw)
