"""Versions: one row of `snapshots` each, with the key fields that plain SQL reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select, text

from ctsync.errors import StoreConflict, UnknownVersion
from ctsync.model import KeyFields, NctId, Record, Source, State, Version
from ctsync.store.bodies.writer import BodyWrites
from ctsync.store.data.trials import TrialWrites
from ctsync.store.database.access import Reads, Writes, batches, insert_row, insert_rows
from ctsync.store.database.tables import BODIES, SNAPSHOTS, TRIALS

POSITION_STEP = 2**20
"""The distance between the positions of consecutive versions.

What it does: leaves room for older versions that the registry's history adds later. Each gets a
position between two others, and no other version must be moved.
What it saves: 300 versions inserted between two take 1.2 s on SQLite. With positions one apart,
each insertion moves all versions of the trial, and the 300 take 20 s.
When it would be wrong: if no position is left between two versions, for example after 20
insertions that each halve the same gap. `HistoryWrites` then spaces all versions again.
"""

_RENAMED = {"posted": "last_update_posted", "submitted": "last_update_submitted"}

KEY_COLUMNS: Mapping[str, str] = {
    field.name: _RENAMED.get(field.name, field.name) for field in fields(KeyFields)
}
"""The column of `snapshots` for each key field. A snapshot also has its own dates."""

_OTHER_COLUMNS = (
    "id", "nct_id", "registry_version", "source", "state", "digest", "posted", "submitted",
    "observed", "fetched", "run_id",
)  # fmt: skip

key_values = attrgetter(*KEY_COLUMNS)
"""Returns the key fields in the order of their columns."""


def key_columns(key: KeyFields) -> dict[str, Any]:
    """Return the key fields by the names of their columns."""
    return dict(zip(KEY_COLUMNS.values(), key_values(key), strict=True))


def newest_digest(nct_id: NctId) -> Select[str]:
    """Select the digest of the newest version that has a record."""
    return (
        select(BODIES.c.digest)
        .join(SNAPSHOTS, SNAPSHOTS.c.digest == BODIES.c.digest)
        .where(SNAPSHOTS.c.nct_id == nct_id)
        .order_by(SNAPSHOTS.c.position.desc())
        .limit(1)
    )


class VersionPoint(NamedTuple):
    """A few values of a version: `digest` is None if it has no record."""

    digest: str | None
    state: State
    start_date: str | None


class VersionReads(Reads):
    """Reads versions."""

    def of(self, nct_id: NctId) -> list[Version]:
        """Return every stored version of a trial, oldest first."""
        statement = VERSIONS.where(SNAPSHOTS.c.nct_id == nct_id).order_by(SNAPSHOTS.c.position)
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        return [version_of(row, number) for number, row in enumerate(rows, start=1)]

    def of_many(self, ids: Sequence[NctId]) -> dict[NctId, list[Version]]:
        """Return every stored version of each trial, oldest first, in the order of the ids."""
        found: dict[NctId, list[Version]] = {nct_id: [] for nct_id in ids}
        statement = VERSIONS.order_by(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.position)
        with self._reading() as connection:
            for batch in batches(ids):
                rows = connection.execute(statement.where(SNAPSHOTS.c.nct_id.in_(batch))).all()
                for nct_id, of_trial in groupby(rows, key=trial_of):
                    found[nct_id] += [version_of(row, n) for n, row in enumerate(of_trial, start=1)]
        return found

    def points_of_many(self, ids: Sequence[NctId]) -> dict[NctId, list[VersionPoint]]:
        """Return the same versions of each trial as `of_many`, in a quarter of the time."""
        found: dict[NctId, list[VersionPoint]] = {nct_id: [] for nct_id in ids}
        columns = (SNAPSHOTS.c[name] for name in ("nct_id", *VersionPoint._fields))
        statement = select(*columns).order_by(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.position)
        with self._reading() as connection:
            for batch in batches(ids):
                rows = connection.execute(statement.where(SNAPSHOTS.c.nct_id.in_(batch))).all()
                for nct_id, digest, state, start in rows:
                    found[nct_id].append(VersionPoint(digest, State(state), start))
        return found

    def earlier_keys(self, nct_id: NctId) -> list[KeyFields]:
        """Return the key fields of every stored version that has a record, oldest first."""
        return [v.key for v in self.of(nct_id) if v.digest is not None]

    def newest_keys(self, ids: Iterable[NctId]) -> dict[NctId, KeyFields]:
        """Return the key fields of the newest version of each trial whose state is present."""
        found: dict[NctId, KeyFields] = {}
        statement = (
            select(TRIALS.c.nct_id, *(SNAPSHOTS.c[name] for name in KEY_COLUMNS.values()))
            .join(SNAPSHOTS, TRIALS.c.head_snapshot_id == SNAPSHOTS.c.id)
            .where(SNAPSHOTS.c.state == State.PRESENT)
        )
        with self._reading() as connection:
            for batch in batches(list(ids)):
                # by TRIALS.nct_id: by SNAPSHOTS.nct_id SQLite would read every trial
                rows = connection.execute(statement.where(TRIALS.c.nct_id.in_(batch))).all()
                for nct_id, *key in rows:
                    found[NctId(nct_id)] = KeyFields(*key)
        return found

    def newest_digests(self, ids: Iterable[NctId]) -> dict[NctId, str]:
        """Return the digest of the newest record of each trial that has one."""
        newest = SNAPSHOTS.alias("newest")
        position = (
            select(func.max(newest.c.position))
            .where(newest.c.nct_id == SNAPSHOTS.c.nct_id, newest.c.digest.is_not(None))
            .scalar_subquery()
        )
        statement = select(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.digest).where(
            SNAPSHOTS.c.position == position
        )
        found: dict[NctId, str] = {}
        with self._reading() as connection:
            for batch in batches(list(ids)):
                rows = connection.execute(statement.where(SNAPSHOTS.c.nct_id.in_(batch)))
                found |= {NctId(nct_id): digest for nct_id, digest in rows if digest is not None}
        return found

    def newest_digest(self, nct_id: NctId) -> str:
        """Return the digest of the newest version that has a record.

        Raises UnknownVersion if there is none.
        """
        with self._reading() as connection:
            digest: str | None = connection.scalar(newest_digest(nct_id))
        if digest is None:
            raise UnknownVersion(f"no record of {nct_id} is stored; run: ctsync sync")
        return digest


VERSIONS: Select[Any] = select(
    *(SNAPSHOTS.c[name] for name in KEY_COLUMNS.values()),
    *(SNAPSHOTS.c[name] for name in _OTHER_COLUMNS),
)
"""Selects what `version_of` reads, in its order."""

_NCT_ID = len(KEY_COLUMNS) + _OTHER_COLUMNS.index("nct_id")


def trial_of(row: Row[Any]) -> NctId:
    """Return the trial of a row of VERSIONS."""
    return NctId(row[_NCT_ID])


def version_of(row: Row[Any], number: int) -> Version:
    """Return the version in a row of VERSIONS. `number` is its place in the trial, from 1."""
    # by position: access by name takes three times as long for thousands of versions
    (
        snapshot_id, nct_id, registry_version, source, state, digest,
        posted, submitted, observed, fetched, run_id,
    ) = row[len(KEY_COLUMNS) :]  # fmt: skip
    return Version(
        snapshot_id=snapshot_id,
        nct_id=NctId(nct_id),
        version=number,
        registry_version=registry_version,
        source=Source(source),
        state=State(state),
        digest=digest,
        posted=posted,
        submitted=submitted,
        observed=observed,
        fetched=fetched,
        key=KeyFields(*row[: len(KEY_COLUMNS)]),
        run_id=run_id,
    )


_NEXT_IDS = text(
    "SELECT nextval(pg_get_serial_sequence('snapshots', 'id')) FROM generate_series(1, :count)"
)


class VersionWrites(Writes):
    """Writes versions."""

    def __init__(self, connection: Connection, *, trials: TrialWrites, bodies: BodyWrites) -> None:
        super().__init__(connection)
        self._trials = trials
        self._bodies = bodies

    def add(
        self,
        nct_id: NctId,
        *,
        after: int | None,
        record: Record | None,
        key: KeyFields,
        state: State,
        source: Source,
        posted: str | None,
        submitted: str | None,
        observed: datetime | None,
        fetched: datetime,
        run_id: int | None,
        registry_version: int | None = None,
    ) -> tuple[int, bool]:
        """Store a version as the new head. Return its snapshot id and whether it is new.

        `after` is the snapshot that the caller read as the head, None for a first version. Adds
        nothing if the head already is this version, because a unit is repeated if the answer to its
        commit was lost. Raises StoreConflict if the head is any other snapshot.
        """
        self._trials.add(nct_id)
        head = self._head_for_update(nct_id)
        digest = None if record is None else record.digest
        if head is not None and (head.digest, head.state) == (digest, state):
            return head.id, False
        if (None if head is None else head.id) != after:
            raise StoreConflict(f"{nct_id} was changed by another writer; run again")
        if record is not None:
            self._bodies.add(record, beside=self.newest_digest(nct_id))
        snapshot_id = self.insert_one(
            {
                "nct_id": nct_id,
                "position": POSITION_STEP if head is None else head.position + POSITION_STEP,
                "state": state,
                "digest": digest,
                "source": source,
                "registry_version": registry_version,
                "posted": posted,
                "submitted": submitted,
                "observed": observed,
                "fetched": fetched,
                "run_id": run_id,
            }
            | key_columns(key)
        )
        self._trials.move_head(nct_id, snapshot_id, state=state, run_id=run_id, load=observed)
        return snapshot_id, True

    def _head_for_update(self, nct_id: NctId) -> Any:
        # two statements: a join that waited for another writer would see its new head, but not
        # its new snapshots
        head_id = self._trials.lock(nct_id)
        head = select(
            SNAPSHOTS.c.id, SNAPSHOTS.c.digest, SNAPSHOTS.c.state, SNAPSHOTS.c.position
        ).where(SNAPSHOTS.c.id == head_id)
        return self._connection.execute(head).one_or_none()

    def newest_digest(self, nct_id: NctId) -> str | None:
        """Return the digest of the newest version that has a record, or None."""
        digest: str | None = self._connection.scalar(newest_digest(nct_id))
        return digest

    def next_ids(self, count: int) -> Sequence[int]:
        """Return ids for snapshots to insert in this unit. Some of them may stay unused."""
        if self._connection.dialect.name == "postgresql":
            return self._connection.scalars(_NEXT_IDS, {"count": count}).all()
        # the ids that SQLite would assign; no other writer can insert before the commit
        last = self._connection.scalar(select(func.max(SNAPSHOTS.c.id))) or 0
        return range(last + 1, last + 1 + count)

    def insert_one(self, values: Mapping[str, Any]) -> int:
        """Insert one row, given as values by column name. Return its id."""
        return self.insert(tuple(values), [tuple(values.values())])

    def insert(self, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> int:
        """Insert rows and return the id of the last one.

        Without "id" in `columns`, there must be exactly one row, and the database assigns its id.
        """
        if "id" in columns:
            insert_rows(self._connection, SNAPSHOTS, columns, rows)
            return int(rows[-1][columns.index("id")])
        (row,) = rows
        return insert_row(self._connection, SNAPSHOTS, dict(zip(columns, row, strict=True)))
