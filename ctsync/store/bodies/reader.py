"""Reads bodies and the dictionaries they are packed with. Knows no trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
)

from ctsync.errors import CorruptBody
from ctsync.store.bodies import codec
from ctsync.store.database.access import Database, Reads, batches
from ctsync.store.database.tables import BODIES, DICTIONARIES, SNAPSHOTS
from ctsync.store.database.types import Digest, is_digest, pack_digest


def body_chain(digest: str | BindParameter[str]) -> Select[int, bytes]:
    """Select a body and the bodies below it, down to the keyframe, which comes first."""
    chain = (
        select(BODIES.c.digest, BODIES.c.base_digest, BODIES.c.data, literal(0).label("step"))
        .where(BODIES.c.digest == digest)
        .cte("chain", recursive=True)
    )
    base = select(BODIES.c.digest, BODIES.c.base_digest, BODIES.c.data, chain.c.step + 1).join(
        chain, BODIES.c.digest == chain.c.base_digest
    )
    # without the bound, a damaged chain that leads back to itself would never end
    chain_down = chain.union_all(base.where(chain.c.step < codec.MAX_DEPTH))
    return select(chain_down.c.step, chain_down.c.data).order_by(chain_down.c.step.desc())


def is_unused() -> ColumnElement[bool]:
    """Return the condition that no version points to a body and no body is packed against it."""
    upper = BODIES.alias()
    return and_(
        ~exists().where(SNAPSHOTS.c.digest == BODIES.c.digest),
        ~exists().where(upper.c.base_digest == BODIES.c.digest),
    )


class Dictionaries:
    """The dictionaries of one database. Each is read once."""

    def __init__(self) -> None:
        self._read: dict[int, codec.Dictionary] = {}

    @cached_property
    def _chain(self) -> Select[int, bytes]:
        """The statement for one body: built once, and only if a body is read."""
        return body_chain(bindparam("digest", type_=Digest))

    def find(self, connection: Connection, number: int | None) -> codec.Dictionary | None:
        """Return the dictionary with this number, or None if `number` is None or not stored.

        Raises CorruptBody if it is damaged.
        """
        if number is None:
            return None
        if number not in self._read:
            data = connection.scalar(select(DICTIONARIES.c.data).where(DICTIONARIES.c.id == number))
            if data is None:
                return None
            self._read[number] = codec.Dictionary(bytes(data))
        return self._read[number]

    def newest(self, connection: Connection) -> codec.Dictionary | None:
        """Return the dictionary to pack with, or None if none is stored."""
        newest = select(func.max(DICTIONARIES.c.created)).scalar_subquery()
        number = connection.scalar(
            select(func.max(DICTIONARIES.c.id)).where(DICTIONARIES.c.created == newest)
        )
        return self.find(connection, number)

    def read_body(self, connection: Connection, digest: str) -> tuple[bytes, int]:
        """Return the canonical bytes of a body and the number of links in its chain.

        Raises CorruptBody if the body is missing or does not match its digest.
        """
        try:
            pack_digest(digest)
        except ValueError as error:  # another program wrote the digest
            raise CorruptBody(str(error)) from None
        chain = [row.data for row in connection.execute(self._chain, {"digest": digest})]
        number = codec.dictionary_of(chain[0]) if chain else None
        return codec.unpack(chain, digest, self.find(connection, number)), len(chain)

    def read_bodies(self, connection: Connection, digests: Collection[str]) -> dict[str, bytes]:
        """Return the canonical bytes of bodies by digest, with a few statements for all of them.

        A body that is missing or does not match its digest is left out.
        """
        stored: dict[str, Row[str, str | None, bytes]] = {}
        wanted = set(filter(is_digest, digests))
        # without the bound, a damaged chain that leads back to itself would never end
        for _ in range(codec.MAX_DEPTH + 1):
            for batch in batches(sorted(wanted)):
                statement = select(BODIES.c.digest, BODIES.c.base_digest, BODIES.c.data)
                rows = connection.execute(statement.where(BODIES.c.digest.in_(batch)))
                stored |= {row.digest: row for row in rows}
            bases = {row.base_digest for row in stored.values() if row.base_digest is not None}
            wanted = set(filter(is_digest, bases - stored.keys()))
            if not wanted:
                break
        found: dict[str, bytes] = {}
        for digest in digests:
            chain = _chain(stored, digest)
            number = codec.dictionary_of(chain[0]) if chain else None
            with suppress(CorruptBody):
                found[digest] = codec.unpack(chain, digest, self.find(connection, number))
        return found


def _chain(stored: Mapping[str, Any], digest: str) -> list[bytes]:
    """Return a body and those below it, the keyframe first; nothing if one is missing."""
    chain: list[bytes] = []
    step: str | None = digest
    while step is not None and len(chain) <= codec.MAX_DEPTH:
        if step not in stored:
            return []
        chain.append(bytes(stored[step].data))
        step = stored[step].base_digest
    return chain[::-1]


class BodyReads(Reads):
    """Reads bodies and dictionaries."""

    def __init__(self, database: Database, dictionaries: Dictionaries) -> None:
        super().__init__(database)
        self._dictionaries = dictionaries

    def read(self, digest: str) -> bytes:
        """Return the canonical bytes of a body, checked against its digest.

        Raises CorruptBody if the body is missing or does not match its digest.
        """
        with self._reading() as connection:
            return self._dictionaries.read_body(connection, digest)[0]

    def read_many(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the canonical bytes of bodies by digest. A damaged one is left out."""
        with self._reading() as connection:
            return self._dictionaries.read_bodies(connection, digests)

    def read_keyframe(self, packed: bytes, digest: str) -> bytes:
        """Return the canonical bytes of a keyframe that is not stored.

        Raises CorruptBody if they do not match `digest`.
        """
        with self._reading() as connection:
            dictionary = self._dictionaries.find(connection, codec.dictionary_of(packed))
        return codec.unpack([packed], digest, dictionary)

    def newest_dictionary(self) -> bytes | None:
        """Return the dictionary that new keyframes are packed with, or None if none is stored."""
        with self._reading() as connection:
            found = self._dictionaries.newest(connection)
        return None if found is None else found.data
