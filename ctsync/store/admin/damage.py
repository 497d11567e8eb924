"""Queries for the damage that `check` reports and `repair` fixes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from ctsync.model import Kind, NctId
from ctsync.store.data.events import path_key
from ctsync.store.database.access import BATCH, Reads
from ctsync.store.database.tables import BODIES, EVENTS, SNAPSHOTS, TRIALS


class DamageReads(Reads):
    """Finds the trials whose records must be fetched to repair damage."""

    def bodies_to_refetch(self, corrupt: Collection[str]) -> dict[NctId, str]:
        """Return the trials whose newest version has a body that is missing or in `corrupt`."""
        statement = (
            select(TRIALS.c.nct_id, SNAPSHOTS.c.digest)
            .join(SNAPSHOTS, SNAPSHOTS.c.id == TRIALS.c.head_snapshot_id)
            .outerjoin(BODIES, BODIES.c.digest == SNAPSHOTS.c.digest)
            .where(SNAPSHOTS.c.digest.is_not(None))
            .where(SNAPSHOTS.c.digest.in_(list(corrupt)) | BODIES.c.digest.is_(None))
        )
        with self._reading() as connection:
            return {NctId(row.nct_id): row.digest for row in connection.execute(statement)}


def wrong_heads() -> Select[*tuple[Any, ...]]:
    """Select the trials whose head or state is not that of their newest version.

    Columns: nct_id, head_snapshot_id, and the id and state of the newest version.
    """
    newest = (
        select(SNAPSHOTS.c.nct_id, func.max(SNAPSHOTS.c.position).label("position"))
        .group_by(SNAPSHOTS.c.nct_id)
        .subquery()
    )
    return (
        select(TRIALS.c.nct_id, TRIALS.c.head_snapshot_id, SNAPSHOTS.c.id, SNAPSHOTS.c.state)
        .outerjoin(newest, newest.c.nct_id == TRIALS.c.nct_id)
        .outerjoin(
            SNAPSHOTS,
            (SNAPSHOTS.c.nct_id == TRIALS.c.nct_id) & (SNAPSHOTS.c.position == newest.c.position),
        )
        .where(
            TRIALS.c.head_snapshot_id.is_distinct_from(SNAPSHOTS.c.id)
            | TRIALS.c.state.is_distinct_from(SNAPSHOTS.c.state)
        )
    )


def misplaced_events() -> Select[*tuple[Any, ...]]:
    """Select the events whose trial or older version does not fit their newer version.

    Columns: id, the stored nct_id, and the correct values: trial and older. The event of a flag
    belongs to one version, so its older version is its newer one.
    """
    newer, older = SNAPSHOTS.alias(), SNAPSHOTS.alias()
    before = (
        select(older.c.id)
        .where(older.c.nct_id == newer.c.nct_id, older.c.position < newer.c.position)
        .order_by(older.c.position.desc())
        .limit(1)
        .correlate(newer)
        .scalar_subquery()
    )
    right = case((EVENTS.c.kind == Kind.FLAG, newer.c.id), else_=before)
    return (
        select(EVENTS.c.id, EVENTS.c.nct_id, newer.c.nct_id.label("trial"), right.label("older"))
        .join(newer, newer.c.id == EVENTS.c.to_snapshot_id)
        .where(
            (EVENTS.c.nct_id != newer.c.nct_id) | EVENTS.c.from_snapshot_id.is_distinct_from(right)
        )
    )


@dataclass(frozen=True, slots=True)
class WrongPathKey:
    """An event whose stored path key does not match its path. `key` is the correct one."""

    event_id: int
    to_snapshot_id: int
    key: bytes


def wrong_path_keys(connection: Connection) -> Iterator[WrongPathKey]:
    """Iterate over the events with a wrong path key, with a few rows at a time in memory."""
    columns = (EVENTS.c.id, EVENTS.c.to_snapshot_id, EVENTS.c.path, EVENTS.c.path_key)
    for event_id, snapshot, path, stored in streamed(connection, select(*columns)):
        if path is None:  # a damaged page; the integrity check of SQLite reports it
            continue
        key = path_key(path)
        if key != bytes(stored):
            yield WrongPathKey(event_id, snapshot, key)


def streamed(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Iterator[Any]:
    """Iterate over the rows of a result of any size, with a few at a time in memory."""
    with connection.execute(statement.execution_options(yield_per=BATCH)) as rows:
        yield from rows
