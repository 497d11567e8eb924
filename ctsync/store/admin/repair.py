"""Repairs the damage that a check found. Reads no record.

Sets the values that follow from the versions: heads, trials of events, sizes. Deletes events
without a version, deliveries without an event, and unused bodies. Restores a body if its bytes are
given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, Update, delete, exists, func, literal, select, text, update

from ctsync.errors import CorruptBody
from ctsync.model import NctId, Record
from ctsync.store.admin.damage import misplaced_events, wrong_heads, wrong_path_keys
from ctsync.store.bodies import codec
from ctsync.store.bodies.reader import Dictionaries, is_unused, true_depths
from ctsync.store.bodies.writer import BodyWrites
from ctsync.store.data.trials import TrialWrites
from ctsync.store.database.access import Writes
from ctsync.store.database.tables import BODIES, DELIVERIES, EVENTS, SNAPSHOTS, TRIALS

Repaired = tuple[str, str, str]
"""One repair: the kind and place of the problem, as the check reports them, and the action."""


class RepairWrites(Writes):
    """Repairs damage. Each method can be repeated."""

    def __init__(
        self,
        connection: Connection,
        *,
        dictionaries: Dictionaries,
        trials: TrialWrites,
        bodies: BodyWrites,
    ) -> None:
        super().__init__(connection)
        self._dictionaries = dictionaries
        self._trials = trials
        self._bodies = bodies

    def rebuild_indexes(self) -> None:
        """Rebuild the indexes of a SQLite file."""
        self._connection.execute(text("REINDEX"))

    def repair_heads(self) -> Iterator[Repaired]:
        """Add the missing rows of trials with versions, and set each head to the newest version."""
        lost = select(SNAPSHOTS.c.nct_id).where(
            ~exists().where(TRIALS.c.nct_id == SNAPSHOTS.c.nct_id)
        )
        for nct_id in self._connection.scalars(lost.distinct()).all():
            self._trials.add(NctId(nct_id))
            yield "broken reference", nct_id, "added again: it has versions"
        for row in self._connection.execute(wrong_heads()).all():
            head = {"head_snapshot_id": row.id, "state": row.state}
            self._trials.set_columns(row.nct_id, head)
            yield "wrong head", row.nct_id, "its newest version is its head again"

    def repair_events(self) -> Iterator[Repaired]:
        """Correct the trial and older version of each event. Delete events without a version.

        The deliveries of a deleted event are deleted too. So are deliveries without an event.
        """
        yield from self._delete_orphans()
        for row in self._connection.execute(misplaced_events()).all():
            place = {"nct_id": row.trial, "from_snapshot_id": row.older}
            self._connection.execute(update(EVENTS).where(EVENTS.c.id == row.id).values(place))
            yield "misplaced event", f"event {row.id}", f"moved to its step of {row.trial}"
        yield from self._repair_path_keys()

    def _delete_orphans(self) -> Iterator[Repaired]:
        lost = select(EVENTS.c.id).where(~exists().where(SNAPSHOTS.c.id == EVENTS.c.to_snapshot_id))
        for event_id in self._connection.scalars(lost).all():
            self._connection.execute(delete(DELIVERIES).where(DELIVERIES.c.event_id == event_id))
            self._connection.execute(delete(EVENTS).where(EVENTS.c.id == event_id))
            yield (
                "orphan",
                f"event {event_id}",
                "deleted with its deliveries: it leads to no version",
            )
        undeliverable = select(DELIVERIES.c.id).where(
            ~exists().where(EVENTS.c.id == DELIVERIES.c.event_id)
        )
        for delivery_id in self._connection.scalars(undeliverable).all():
            self._connection.execute(delete(DELIVERIES).where(DELIVERIES.c.id == delivery_id))
            yield "orphan", f"delivery {delivery_id}", "deleted: its event does not exist"

    def _repair_path_keys(self) -> Iterator[Repaired]:
        for wrong in list(wrong_path_keys(self._connection)):
            same_step = EVENTS.c.to_snapshot_id == wrong.to_snapshot_id
            taken = select(EVENTS.c.id).where(same_step, EVENTS.c.path_key == wrong.key)
            if self._connection.scalar(taken) is not None:
                continue  # the caller derives all events of this step again
            self._connection.execute(
                update(EVENTS).where(EVENTS.c.id == wrong.event_id).values(path_key=wrong.key)
            )
            yield "wrong path", f"event {wrong.event_id}", "indexed by its path again"

    def repair_bodies(self, wrong: Collection[str]) -> Iterator[Repaired]:
        """Set the size and depth of these bodies, then delete every unused body."""
        for digest in wrong:
            try:
                chain = self._dictionaries.chain(self._connection, digest)
                raw = self._dictionaries.unpack(self._connection, chain, digest)
            except CorruptBody:
                continue  # a corrupt body has no size to set
            true = {"raw_size": len(raw), "depth": true_depths(chain)[-1]}
            self._connection.execute(update(BODIES).where(BODIES.c.digest == digest).values(true))
            yield "wrong size or depth", digest, f"{len(raw)} B, depth {true['depth']}"
        unused = select(BODIES.c.digest).where(is_unused())
        # in a loop: deleting a body may leave its base unused
        while digests := self._connection.scalars(unused).all():
            for digest in digests:
                self._connection.execute(delete(BODIES).where(BODIES.c.digest == digest))
                yield "unused body", digest, "deleted: no version points to it"

    def restore_body(self, record: Record) -> None:
        """Store the body of a record again, as a keyframe.

        Raises CorruptBody if the record's digest is not that of its canonical bytes.
        """
        row = self._bodies.pack(record.digest, record.canonical)
        packed = {name: value for name, value in row._asdict().items() if name != "digest"}
        is_there = self._connection.execute(
            update(BODIES).where(BODIES.c.digest == record.digest).values(packed)
        ).rowcount
        if not is_there:
            self._bodies.insert([row])
        self._bodies.index(record.digest)
        self._connection.execute(_depths_upon(record.digest))


def _depths_upon(digest: str) -> Update:
    """Set the depth of all bodies that depend on a body that has become a keyframe."""
    upper = (
        select(BODIES.c.digest, literal(1).label("depth"))
        .where(BODIES.c.base_digest == digest)
        .cte("upon", recursive=True)
    )
    further = select(BODIES.c.digest, upper.c.depth + 1).join(
        upper, BODIES.c.base_digest == upper.c.digest
    )
    # without the bound, a damaged chain that leads back to itself would never end
    upper = upper.union_all(further.where(upper.c.depth < codec.MAX_DEPTH))
    depth = select(func.max(upper.c.depth)).where(upper.c.digest == BODIES.c.digest)
    return (
        update(BODIES)
        .where(BODIES.c.digest.in_(select(upper.c.digest)))
        .values(depth=depth.scalar_subquery())
    )
