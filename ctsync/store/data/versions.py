"""Trials and their versions: snapshots, the bodies they point to, heads; knows no events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update

from ctsync.errors import CorruptBody, StoreConflict, UnknownVersion
from ctsync.model import Head, KeyFields, NctId, Record, Source, State, Version
from ctsync.store.bodies import codec
from ctsync.store.database.access import BATCH, Reads, Writes, batches
from ctsync.store.database.tables import BODIES, DICTIONARIES, SNAPSHOTS, TRIALS

POSITION_STEP = 2**20
"""The distance of neighbouring versions: room between them for older ones found later."""

_RENAMED = {"posted": "last_update_posted", "submitted": "last_update_submitted"}

KEY_COLUMNS: Mapping[str, str] = {
    field.name: _RENAMED.get(field.name, field.name) for field in fields(KeyFields)
}
"""Which column of snapshots holds which key field; a snapshot's own dates come first."""


@cache
def version_number() -> Any:
    """The rank of a snapshot within its trial, from 1, as a column."""
    older = SNAPSHOTS.alias("older")
    return (
        select(func.count())
        .select_from(older)
        .where(older.c.nct_id == SNAPSHOTS.c.nct_id, older.c.position <= SNAPSHOTS.c.position)
        .scalar_subquery()
    )


_read_key = attrgetter(*KEY_COLUMNS.values())


def key_of(row: Row[Any]) -> KeyFields:
    """The key fields in a row of snapshots."""
    return KeyFields(*_read_key(row))


def newest_body(nct_id: NctId) -> Select[str]:
    """The digest of the newest version that has a record."""
    return (
        select(BODIES.c.digest)
        .join(SNAPSHOTS, SNAPSHOTS.c.digest == BODIES.c.digest)
        .where(SNAPSHOTS.c.nct_id == nct_id)
        .order_by(SNAPSHOTS.c.position.desc())
        .limit(1)
    )


@dataclass(frozen=True, slots=True)
class Sighting:
    """The last load that showed a trial, and the first that lacked it since."""

    last_load: datetime | None
    absent_since: datetime | None
    is_stored: bool


@dataclass(frozen=True, slots=True)
class HeadState:
    """How a trial stands: its newest version, None where nothing was ever seen of it.

    `raw_mark` names the archive's bytes that the head was made from. A trial `is_awaited` of
    which nothing is stored but that a load denied knowing it.
    """

    head: Head | None
    raw_mark: bytes | None
    is_awaited: bool


class VersionReads(Reads):
    """What is stored of trials."""

    def heads(self, ids: Iterable[NctId]) -> dict[NctId, Head]:
        """The newest version of each trial of which any is stored."""
        standing = self.standings(ids)
        return {nct_id: one.head for nct_id, one in standing.items() if one.head is not None}

    def standings(self, ids: Iterable[NctId]) -> dict[NctId, HeadState]:
        """What is known of each trial that was ever heard of."""
        found: dict[NctId, HeadState] = {}
        statement = select(
            TRIALS.c.nct_id,
            TRIALS.c.absent_since,
            TRIALS.c.moved_to,
            TRIALS.c.raw_mark,
            SNAPSHOTS.c.id,
            SNAPSHOTS.c.digest,
            SNAPSHOTS.c.state,
            SNAPSHOTS.c.source,
            version_number().label("version"),
        ).outerjoin(SNAPSHOTS, SNAPSHOTS.c.id == TRIALS.c.head_snapshot_id)
        with self._reading() as connection:
            for batch in batches(list(ids)):
                for row in connection.execute(statement.where(TRIALS.c.nct_id.in_(batch))):
                    head = None if row.id is None else _head(row)
                    is_awaited = head is None and row.absent_since is not None
                    found[NctId(row.nct_id)] = HeadState(head, row.raw_mark, is_awaited)
        return found

    def newest_keys(self, ids: Iterable[NctId]) -> dict[NctId, KeyFields]:
        """The key fields of each trial that the registry shows, as its newest version has them."""
        found: dict[NctId, KeyFields] = {}
        statement = (
            select(TRIALS.c.nct_id, *(SNAPSHOTS.c[name] for name in KEY_COLUMNS.values()))
            .join(SNAPSHOTS, TRIALS.c.head_snapshot_id == SNAPSHOTS.c.id)
            .where(SNAPSHOTS.c.state == State.PRESENT)
        )
        with self._reading() as connection:
            for batch in batches(list(ids)):
                # by the trials' ids: by those of the snapshots SQLite reads every trial
                rows = connection.execute(statement.where(TRIALS.c.nct_id.in_(batch)))
                for nct_id, *key in rows:
                    found[NctId(nct_id)] = KeyFields(*key)
        return found

    def sightings(self, ids: Iterable[NctId]) -> dict[NctId, Sighting]:
        """When each trial was last seen; one never heard of has none."""
        statement = select(
            TRIALS.c.nct_id,
            TRIALS.c.last_seen_load,
            TRIALS.c.absent_since,
            TRIALS.c.head_snapshot_id,
        )
        with self._reading() as connection:
            return {
                NctId(row.nct_id): Sighting(
                    row.last_seen_load, row.absent_since, row.head_snapshot_id is not None
                )
                for batch in batches(list(ids))
                for row in connection.execute(statement.where(TRIALS.c.nct_id.in_(batch)))
            }

    def awaited(self, ids: Iterable[NctId]) -> frozenset[NctId]:
        """Those of which nothing is stored but that a load denied knowing."""
        statement = select(TRIALS.c.nct_id).where(
            TRIALS.c.head_snapshot_id.is_(None), TRIALS.c.absent_since.is_not(None)
        )
        with self._reading() as connection:
            return frozenset(
                NctId(nct_id)
                for batch in batches(list(ids))
                for nct_id in connection.scalars(statement.where(TRIALS.c.nct_id.in_(batch)))
            )

    def absent_ids(self, ids: Iterable[NctId]) -> frozenset[NctId]:
        """Those that a load lacked which no other load has confirmed or denied yet."""
        statement = select(TRIALS.c.nct_id).where(TRIALS.c.absent_since.is_not(None))
        with self._reading() as connection:
            return frozenset(
                NctId(nct_id)
                for batch in batches(list(ids))
                for nct_id in connection.scalars(statement.where(TRIALS.c.nct_id.in_(batch)))
            )

    def each_present(self) -> Iterator[NctId]:
        """Every trial that the registry showed last, in order, a few at a time."""
        last = ""
        while True:
            page = (
                select(TRIALS.c.nct_id)
                .where(TRIALS.c.nct_id > last, TRIALS.c.state == State.PRESENT)
                .order_by(TRIALS.c.nct_id)
                .limit(BATCH)
            )
            with self._reading() as connection:
                found = connection.scalars(page).all()
            yield from map(NctId, found)
            if len(found) < BATCH:
                return
            last = found[-1]

    def count_present(self) -> int:
        """How many trials the registry showed last."""
        statement = select(func.count()).where(TRIALS.c.state == State.PRESENT)
        with self._reading() as connection:
            return int(connection.scalar(statement) or 0)

    def trials_known(self) -> tuple[NctId, ...]:
        """Every trial of which a version is stored, in order."""
        statement = (
            select(TRIALS.c.nct_id)
            .where(TRIALS.c.head_snapshot_id.is_not(None))
            .order_by(TRIALS.c.nct_id)
        )
        with self._reading() as connection:
            return tuple(NctId(nct_id) for nct_id in connection.scalars(statement))

    def body(self, digest: str) -> bytes:
        """The canonical bytes that `digest` names, checked against it.

        Raises CorruptBody where they are missing or do not match.
        """
        with self._reading() as connection:
            return self._dictionaries.read_body(connection, digest)[0]

    def read_keyframe(self, packed: bytes, digest: str) -> bytes:
        """The canonical bytes of a body that was packed alone and is not stored.

        Raises CorruptBody where they are not those that `digest` names.
        """
        with self._reading() as connection:
            dictionary = self._dictionaries.find(connection, codec.dictionary_of(packed))
        return codec.unpack([packed], digest, dictionary)

    def newest_dictionary(self) -> bytes | None:
        """What bodies that stand alone are packed with; None where nothing was learned yet."""
        with self._reading() as connection:
            found = self._dictionaries.newest(connection)
        return None if found is None else found.data

    def newest_digest(self, nct_id: NctId) -> str:
        """The digest of the newest version that has a record.

        Raises UnknownVersion where there is none.
        """
        with self._reading() as connection:
            digest: str | None = connection.scalar(newest_body(nct_id))
        if digest is None:
            raise UnknownVersion(f"no record of {nct_id} is stored; run: ctsync sync")
        return digest

    def versions(self, nct_id: NctId) -> list[Version]:
        """Every stored version of a trial, oldest first; empty where none is."""
        statement = (
            select(SNAPSHOTS).where(SNAPSHOTS.c.nct_id == nct_id).order_by(SNAPSHOTS.c.position)
        )
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        return [version_of(row, number) for number, row in enumerate(rows, start=1)]

    def versions_of(self, ids: Sequence[NctId]) -> dict[NctId, list[Version]]:
        """Every stored version of each of these trials, oldest first, in the order of the ids."""
        found: dict[NctId, list[Version]] = {nct_id: [] for nct_id in ids}
        statement = select(SNAPSHOTS).order_by(SNAPSHOTS.c.nct_id, SNAPSHOTS.c.position)
        with self._reading() as connection:
            for batch in batches(ids):
                for row in connection.execute(statement.where(SNAPSHOTS.c.nct_id.in_(batch))):
                    versions = found[row.nct_id]
                    versions.append(version_of(row, len(versions) + 1))
        return found

    def past(self, nct_id: NctId) -> list[KeyFields]:
        """The key fields of every version that had a record, oldest first."""
        return [v.key for v in self.versions(nct_id) if v.digest is not None]


def _head(row: Row[Any]) -> Head:
    return Head(
        nct_id=NctId(row.nct_id),
        snapshot_id=row.id,
        version=row.version,
        digest=row.digest,
        state=State(row.state),
        absent_since=row.absent_since,
        moved_to=None if row.moved_to is None else NctId(row.moved_to),
        source=Source(row.source),
    )


def version_of(row: Row[Any], number: int) -> Version:
    """The version in a row of snapshots, which is that number of its trial."""
    return Version(
        snapshot_id=row.id,
        nct_id=NctId(row.nct_id),
        version=number,
        registry_version=row.registry_version,
        source=Source(row.source),
        state=State(row.state),
        digest=row.digest,
        posted=row.posted,
        submitted=row.submitted,
        observed=row.observed,
        fetched=row.fetched,
        key=key_of(row),
        run_id=row.run_id,
    )


class VersionWrites(Writes):
    """What a unit does to trials and their versions."""

    def add_version(
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
        """Store a version as the new head, and say its snapshot id and whether it is new.

        `after` is the snapshot that the caller took for the head, None for a first version.
        Where the head already is this version, as in a unit repeated after a commit whose
        answer was lost, nothing is added. Raises StoreConflict where it is any other.
        """
        self._insert_new(TRIALS, [{"nct_id": nct_id}])
        head = self._head_for_update(nct_id)
        digest = None if record is None else record.digest
        if head is not None and (head.digest, head.state) == (digest, state):
            return head.id, False
        if (None if head is None else head.id) != after:
            raise StoreConflict(f"{nct_id} was changed by another writer; run again")
        if record is not None:
            newest = self._connection.scalar(newest_body(nct_id))
            self._add_body(record, newest)
        snapshot_id = self._connection.execute(
            insert(SNAPSHOTS).returning(SNAPSHOTS.c.id),
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
                **{column: getattr(key, name) for name, column in KEY_COLUMNS.items()},
            },
        ).scalar_one()
        self._move_head(nct_id, snapshot_id, state=state, run_id=run_id, load=observed)
        return snapshot_id, True

    def _head_for_update(self, nct_id: NctId) -> Any:
        # two statements: one that waited for a rival would join its new head to old snapshots
        head_id = self._connection.scalar(
            select(TRIALS.c.head_snapshot_id).where(TRIALS.c.nct_id == nct_id).with_for_update()
        )
        head = select(
            SNAPSHOTS.c.id, SNAPSHOTS.c.digest, SNAPSHOTS.c.state, SNAPSHOTS.c.position
        ).where(SNAPSHOTS.c.id == head_id)
        return self._connection.execute(head).one_or_none()

    def _move_head(
        self,
        nct_id: NctId,
        snapshot_id: int,
        *,
        state: State,
        run_id: int | None,
        load: datetime | None,
    ) -> None:
        values = self._values_of_head(state, run_id=run_id, load=load)
        self._connection.execute(
            update(TRIALS)
            .where(TRIALS.c.nct_id == nct_id)
            .values({**values, "head_snapshot_id": snapshot_id})
        )

    @staticmethod
    def _values_of_head(
        state: State, *, run_id: int | None, load: datetime | None
    ) -> dict[str, Any]:
        """What a new head says of its trial."""
        values: dict[str, Any] = {"state": state, "absent_since": None}
        if state is State.PRESENT:
            values |= {"last_seen_run_id": run_id, "last_seen_load": load}
        if state is not State.MOVED:
            values["moved_to"] = None
        return values

    def _add_body(self, record: Record, beside: str | None) -> None:
        """Store a body unless it is there, packed against the body `beside` where that helps."""
        stored = select(BODIES.c.digest).where(BODIES.c.digest == record.digest)
        if self._connection.execute(stored).first() is not None:
            return
        codec.verify(record.canonical, record.digest)
        base_digest, depth, base = self._base_of(beside)
        self._insert_new(
            BODIES,
            [
                {
                    "digest": record.digest,
                    "raw_size": len(record.canonical),
                    "encoding": "keyframe" if base is None else "delta",
                    "base_digest": base_digest,
                    "depth": depth,
                    "data": codec.pack(record.canonical, base, dictionary=self._dictionary(base)),
                }
            ],
        )

    def _dictionary(self, base: bytes | None) -> codec.Dictionary | None:
        """What a body is packed with that has no base."""
        return None if base is not None else self._dictionaries.newest(self._connection)

    def _base_of(self, beside: str | None) -> tuple[str | None, int, bytes | None]:
        """What a body is packed against, and its depth; nothing for a keyframe."""
        depth = self._connection.scalar(select(BODIES.c.depth).where(BODIES.c.digest == beside))
        if beside is None or depth is None or depth >= codec.MAX_DEPTH:
            return None, 0, None
        try:
            base, _ = self._dictionaries.read_body(self._connection, beside)
        except CorruptBody:
            # what is damaged is for `check` to tell; the new version does not lean on it
            return None, 0, None
        return beside, depth + 1, base

    def add_dictionary(self, data: bytes) -> None:
        """Pack what stands alone with this dictionary from here on."""
        row = {"id": codec.Dictionary(data).number, "created": self._clock.now(), "data": data}
        self._insert_new(DICTIONARIES, [row])

    def mark_seen(self, ids: Sequence[NctId], *, run_id: int | None, load: datetime | None) -> None:
        """Note that a load showed these trials as they are stored; an absence is forgotten."""
        seen = {"last_seen_run_id": run_id, "last_seen_load": load, "absent_since": None}
        for batch in batches(ids):
            self._connection.execute(update(TRIALS).where(TRIALS.c.nct_id.in_(batch)).values(seen))

    def mark_absent(self, nct_id: NctId, load: datetime) -> None:
        """Note the first load that lacked a trial; later ones leave that as it is."""
        self._insert_new(TRIALS, [{"nct_id": nct_id}])
        self._connection.execute(
            update(TRIALS)
            .where(TRIALS.c.nct_id == nct_id, TRIALS.c.absent_since.is_(None))
            .values(absent_since=load)
        )

    def set_moved(self, nct_id: NctId, to: NctId) -> None:
        """Note which trial took this id over."""
        self._insert_new(TRIALS, [{"nct_id": nct_id}])
        self._connection.execute(
            update(TRIALS).where(TRIALS.c.nct_id == nct_id).values(moved_to=to)
        )
