"""Reads bodies and the dictionaries they are packed with. Knows no trials."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from itertools import groupby
from operator import itemgetter

from sqlalchemy import (
    ColumnElement,
    Connection,
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


def body_chains(wanted: ColumnElement[bool]) -> Select[str, bytes]:
    """Select the `wanted` bodies, each with those below it, from its keyframe on.

    Each row has the digest of the body that it is needed for.
    """
    chain = (
        select(
            BODIES.c.digest.label("needed_for"),
            BODIES.c.base_digest,
            BODIES.c.data,
            literal(0).label("step"),
        )
        .where(wanted)
        .cte("chain", recursive=True)
    )
    base = select(chain.c.needed_for, BODIES.c.base_digest, BODIES.c.data, chain.c.step + 1).join(
        chain, BODIES.c.digest == chain.c.base_digest
    )
    # without the bound, a damaged chain that leads back to itself would never end
    chains = chain.union_all(base.where(chain.c.step < codec.MAX_DEPTH))
    return select(chains.c.needed_for, chains.c.data).order_by(
        chains.c.needed_for, chains.c.step.desc()
    )


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
        self._chain = body_chains(BODIES.c.digest == bindparam("digest", type_=Digest))
        several = bindparam("digests", type_=Digest, expanding=True)
        self._chains = body_chains(BODIES.c.digest.in_(several))

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
        found: dict[str, bytes] = {}
        for batch in batches(sorted(filter(is_digest, digests))):
            rows = connection.execute(self._chains, {"digests": batch}).all()
            for digest, of_body in groupby(rows, key=itemgetter(0)):
                chain = [data for _, data in of_body]
                number = codec.dictionary_of(chain[0])
                with suppress(CorruptBody):
                    found[digest] = codec.unpack(chain, digest, self.find(connection, number))
        return found


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
