"""What a unit does to a database that a check found damaged; drops only what can be made anew.

Nothing here looks at what a record says. What is derived from versions is put where they say
(heads, places of events, sizes); what belongs to nothing any more is dropped; a body is put
back where someone has its bytes again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Update, delete, exists, func, insert, literal, select, text, update

from ctsync.errors import CorruptBody
from ctsync.model import NctId, Record
from ctsync.store.bodies import codec
from ctsync.store.data.events import path_key
from ctsync.store.database.access import Reads, Writes
from ctsync.store.database.tables import BODIES, DELIVERIES, EVENTS, SNAPSHOTS, TRIALS

Mended = tuple[str, str, str]
"""What was mended, as a check calls it: its kind, where it was, and what became of it."""


class DamageReads(Reads):
    """Which records would mend a damage."""

    def bodies_to_refetch(self, corrupt: Collection[str]) -> dict[NctId, str]:
        """The trials whose newest version has a body that is missing or among `corrupt`."""
        statement = (
            select(TRIALS.c.nct_id, SNAPSHOTS.c.digest)
            .join(SNAPSHOTS, SNAPSHOTS.c.id == TRIALS.c.head_snapshot_id)
            .outerjoin(BODIES, BODIES.c.digest == SNAPSHOTS.c.digest)
            .where(SNAPSHOTS.c.digest.is_not(None))
            .where(SNAPSHOTS.c.digest.in_(list(corrupt)) | BODIES.c.digest.is_(None))
        )
        with self._reading() as connection:
            return {NctId(row.nct_id): row.digest for row in connection.execute(statement)}


class Mends(Writes):
    """What a unit mends; each repeats without harm."""

    def mend_indexes(self) -> None:
        """Build the indexes of a SQLite file anew."""
        self._connection.execute(text("REINDEX"))

    def mend_heads(self) -> Iterator[Mended]:
        """Let every trial that has a version be there, and its head be the newest."""
        lost = select(SNAPSHOTS.c.nct_id).where(
            ~exists().where(TRIALS.c.nct_id == SNAPSHOTS.c.nct_id)
        )
        for nct_id in self._connection.scalars(lost.distinct()).all():
            self._connection.execute(insert(TRIALS).values(nct_id=nct_id))
            yield "broken reference", nct_id, "known again: it has versions"
        newest = (
            select(SNAPSHOTS.c.nct_id, func.max(SNAPSHOTS.c.position).label("position"))
            .group_by(SNAPSHOTS.c.nct_id)
            .subquery()
        )
        heads = (
            select(TRIALS.c.nct_id, TRIALS.c.head_snapshot_id, TRIALS.c.state.label("stated"))
            .add_columns(SNAPSHOTS.c.id, SNAPSHOTS.c.state)
            .outerjoin(newest, newest.c.nct_id == TRIALS.c.nct_id)
            .outerjoin(
                SNAPSHOTS,
                (SNAPSHOTS.c.nct_id == TRIALS.c.nct_id)
                & (SNAPSHOTS.c.position == newest.c.position),
            )
            .where(
                TRIALS.c.head_snapshot_id.is_distinct_from(SNAPSHOTS.c.id)
                | TRIALS.c.state.is_distinct_from(SNAPSHOTS.c.state)
            )
        )
        for row in self._connection.execute(heads).all():
            self._connection.execute(
                update(TRIALS)
                .where(TRIALS.c.nct_id == row.nct_id)
                .values(head_snapshot_id=row.id, state=row.state)
            )
            yield "wrong head", row.nct_id, "its newest version is its head again"

    def mend_events(self) -> Iterator[Mended]:
        """Put every event into the step that leads to its version, and drop what has none.

        A delivery of an event that is no more goes with it.
        """
        yield from self._drop_orphans()
        newer, older = SNAPSHOTS.alias(), SNAPSHOTS.alias()
        before = (
            select(older.c.id)
            .where(older.c.nct_id == newer.c.nct_id, older.c.position < newer.c.position)
            .order_by(older.c.position.desc())
            .limit(1)
            .correlate(newer)
            .scalar_subquery()
        )
        steps = (
            select(EVENTS.c.id, newer.c.nct_id, before.label("before"))
            .join(newer, newer.c.id == EVENTS.c.to_snapshot_id)
            .where(
                (EVENTS.c.nct_id != newer.c.nct_id)
                | EVENTS.c.from_snapshot_id.is_distinct_from(before)
            )
        )
        for row in self._connection.execute(steps).all():
            place = {"nct_id": row.nct_id, "from_snapshot_id": row.before}
            self._connection.execute(update(EVENTS).where(EVENTS.c.id == row.id).values(place))
            yield "misplaced event", f"event {row.id}", f"put into its step of {row.nct_id}"
        yield from self._mend_paths()

    def _drop_orphans(self) -> Iterator[Mended]:
        lost = select(EVENTS.c.id).where(~exists().where(SNAPSHOTS.c.id == EVENTS.c.to_snapshot_id))
        for event_id in self._connection.scalars(lost).all():
            self._connection.execute(delete(DELIVERIES).where(DELIVERIES.c.event_id == event_id))
            self._connection.execute(delete(EVENTS).where(EVENTS.c.id == event_id))
            yield (
                "orphan",
                f"event {event_id}",
                "dropped with its deliveries: it leads to no version",
            )
        undeliverable = select(DELIVERIES.c.id).where(
            ~exists().where(EVENTS.c.id == DELIVERIES.c.event_id)
        )
        for delivery_id in self._connection.scalars(undeliverable).all():
            self._connection.execute(delete(DELIVERIES).where(DELIVERIES.c.id == delivery_id))
            yield "orphan", f"delivery {delivery_id}", "dropped: its event is no more"

    def _mend_paths(self) -> Iterator[Mended]:
        rows = self._connection.execute(
            select(EVENTS.c.id, EVENTS.c.path, EVENTS.c.path_key, EVENTS.c.to_snapshot_id)
        ).all()
        taken = {(row.to_snapshot_id, bytes(row.path_key)) for row in rows}
        for row in rows:
            key = path_key(row.path)
            # one whose place is taken is made anew with the others of its step
            if key != bytes(row.path_key) and (row.to_snapshot_id, key) not in taken:
                taken.add((row.to_snapshot_id, key))
                self._connection.execute(
                    update(EVENTS).where(EVENTS.c.id == row.id).values(path_key=key)
                )
                yield "wrong path", f"event {row.id}", "indexed by its path again"

    def mend_bodies(self, wrong: Collection[str]) -> Iterator[Mended]:
        """Note the true size and depth of these bodies, and drop those that nothing leans on."""
        for digest in wrong:
            try:
                raw, links = self._dictionaries.read_body(self._connection, digest)
            except CorruptBody:
                continue  # not a matter of its size
            true = {"raw_size": len(raw), "depth": links - 1}
            self._connection.execute(update(BODIES).where(BODIES.c.digest == digest).values(true))
            yield "wrong size or depth", digest, f"{len(raw)} B, {links} links"
        upon = BODIES.alias()
        unused = select(BODIES.c.digest).where(
            ~exists().where(SNAPSHOTS.c.digest == BODIES.c.digest),
            ~exists().where(upon.c.base_digest == BODIES.c.digest),
        )
        while digests := self._connection.scalars(unused).all():
            for digest in digests:  # dropping one may leave the one below it unused
                self._connection.execute(delete(BODIES).where(BODIES.c.digest == digest))
                yield "unused body", digest, "dropped: no version points to it"

    def restore_body(self, record: Record) -> None:
        """Put the body of a record back, standing alone; raises CorruptBody for a false digest."""
        codec.verify(record.canonical, record.digest)
        whole = {
            "raw_size": len(record.canonical),
            "encoding": "keyframe",
            "base_digest": None,
            "depth": 0,
            "data": codec.pack(
                record.canonical, dictionary=self._dictionaries.newest(self._connection)
            ),
        }
        is_there = self._connection.execute(
            update(BODIES).where(BODIES.c.digest == record.digest).values(whole)
        ).rowcount
        if not is_there:
            self._connection.execute(insert(BODIES).values(digest=record.digest, **whole))
        self._connection.execute(_depths_upon(record.digest))


def _depths_upon(digest: str) -> Update:
    """Set the depth of all that leans on a body which has become a keyframe."""
    upon = (
        select(BODIES.c.digest, literal(1).label("depth"))
        .where(BODIES.c.base_digest == digest)
        .cte("upon", recursive=True)
    )
    further = select(BODIES.c.digest, upon.c.depth + 1).join(
        upon, BODIES.c.base_digest == upon.c.digest
    )
    # the bound ends the walk over a damaged chain that bites its tail
    upon = upon.union_all(further.where(upon.c.depth < codec.MAX_DEPTH))
    depth = select(func.max(upon.c.depth)).where(upon.c.digest == BODIES.c.digest)
    return (
        update(BODIES)
        .where(BODIES.c.digest.in_(select(upon.c.digest)))
        .values(depth=depth.scalar_subquery())
    )
