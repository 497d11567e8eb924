"""Reads bodies and the dictionaries they are packed with. Knows no trials."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import (
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


class Link(NamedTuple):
    """A packed body of a chain."""

    digest: str
    depth: int
    data: bytes


def body_chains(wanted: ColumnElement[bool]) -> Select[str, str, int, bytes]:
    """Select the `wanted` bodies, each with those below it, from its keyframe on.

    Each row has the digest of the body that it is needed for, then the values of a Link.
    """
    columns = (BODIES.c.digest, BODIES.c.base_digest, BODIES.c.depth, BODIES.c.data)
    chain = (
        select(BODIES.c.digest.label("needed_for"), *columns, literal(0).label("step"))
        .where(wanted)
        .cte("chain", recursive=True)
    )
    base = select(chain.c.needed_for, *columns, chain.c.step + 1).join(
        chain, BODIES.c.digest == chain.c.base_digest
    )
    # without the bound, a damaged chain that leads back to itself would never end
    chains = chain.union_all(base.where(chain.c.step < codec.MAX_DEPTH))
    return select(chains.c.needed_for, chains.c.digest, chains.c.depth, chains.c.data).order_by(
        chains.c.needed_for, chains.c.step.desc()
    )


def true_depths(chain: Sequence[Link]) -> list[int]:
    """Return the depth of each link: the stored one, unless that is impossible.

    A keyframe has depth 0. A delta is deeper than its base, by more than one if it is packed
    against a body several versions earlier.
    """
    depths = [0]
    for link in chain[1:]:
        is_possible = depths[-1] < link.depth <= codec.MAX_DEPTH
        depths.append(link.depth if is_possible else depths[-1] + 1)
    return depths


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
    def _chain(self) -> Select[str, str, int, bytes]:
        """The statement for one body: built once, and only if a body is read."""
        return body_chains(BODIES.c.digest == bindparam("digest", type_=Digest))

    @cached_property
    def _chains(self) -> Select[str, bytes]:
        """The statement for several bodies, with only what unpacking them needs."""
        several = bindparam("digests", type_=Digest, expanding=True)
        chains = body_chains(BODIES.c.digest.in_(several))
        needed_for, _, _, packed = chains.selected_columns
        return chains.with_only_columns(needed_for, packed)

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

    def read_body(self, connection: Connection, digest: str) -> bytes:
        """Return the canonical bytes of a body.

        Raises CorruptBody if the body is missing or does not match its digest.
        """
        return self.unpack(connection, self.chain(connection, digest), digest)

    def chain(self, connection: Connection, digest: str) -> list[Link]:
        """Return the links to unpack for a body: a keyframe, its deltas, and the body itself.

        Raises CorruptBody if `digest` does not have the form of one.
        """
        try:
            pack_digest(digest)
        except ValueError as error:  # another program wrote the digest
            raise CorruptBody(str(error)) from None
        return _links(connection.execute(self._chain, {"digest": digest}))

    def unpack(self, connection: Connection, chain: Sequence[Link], digest: str) -> bytes:
        """Return the canonical bytes of the last body of a chain, which has this digest.

        Raises CorruptBody if the chain is empty, incomplete or damaged.
        """
        return self._unpack(connection, [link.data for link in chain], digest)

    def _unpack(self, connection: Connection, packed: Sequence[bytes], digest: str) -> bytes:
        number = codec.dictionary_of(packed[0]) if packed else None
        return codec.unpack(packed, digest, self.find(connection, number))

    def read_bodies(self, connection: Connection, digests: Collection[str]) -> dict[str, bytes]:
        """Return the canonical bytes of bodies by digest, with a few statements for all of them.

        A body that is missing or does not match its digest is left out.
        """
        found: dict[str, bytes] = {}
        for batch in batches(sorted(filter(is_digest, digests))):
            rows = connection.execute(self._chains, {"digests": batch}).all()
            for digest, of_body in groupby(rows, key=itemgetter(0)):
                with suppress(CorruptBody):
                    packed = [data for _, data in of_body]
                    found[digest] = self._unpack(connection, packed, digest)
        return found


def _links(rows: Iterable[Row[str, str, int, bytes]]) -> list[Link]:
    return [Link(digest, depth, data) for _, digest, depth, data in rows]


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
            return self._dictionaries.read_body(connection, digest)

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
