"""Bodies as they lie in the database, and the dictionaries they are packed with; no trials."""

from __future__ import annotations

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, literal, select

from ctsync.errors import CorruptBody
from ctsync.store.bodies import codec
from ctsync.store.database.tables import BODIES, DICTIONARIES
from ctsync.store.database.types import Digest, pack_digest


def body_chain(digest: str | BindParameter[str]) -> Select[int, bytes]:
    """A body and what it is packed against, down to the keyframe; a parameter serves many."""
    chain = (
        select(BODIES.c.digest, BODIES.c.base_digest, BODIES.c.data, literal(0).label("step"))
        .where(BODIES.c.digest == digest)
        .cte("chain", recursive=True)
    )
    base = select(BODIES.c.digest, BODIES.c.base_digest, BODIES.c.data, chain.c.step + 1).join(
        chain, BODIES.c.digest == chain.c.base_digest
    )
    # the bound ends the walk over a damaged chain that bites its tail
    whole = chain.union_all(base.where(chain.c.step < codec.MAX_DEPTH))
    return select(whole.c.step, whole.c.data).order_by(whole.c.step.desc())


class Dictionaries:
    """The dictionaries of one database, each read from it once."""

    def __init__(self) -> None:
        self._read: dict[int, codec.Dictionary] = {}
        self._chain = body_chain(bindparam("digest", type_=Digest))

    def find(self, connection: Connection, number: int | None) -> codec.Dictionary | None:
        """The dictionary of that number; None where none is named, or it is not there.

        Raises CorruptBody where it is damaged.
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
        """The one to pack with; None where none was made yet."""
        newest = select(func.max(DICTIONARIES.c.created)).scalar_subquery()
        number = connection.scalar(
            select(func.max(DICTIONARIES.c.id)).where(DICTIONARIES.c.created == newest)
        )
        return self.find(connection, number)

    def read_body(self, connection: Connection, digest: str) -> tuple[bytes, int]:
        """The canonical bytes that `digest` names, and of how many links they were unpacked.

        Raises CorruptBody where they are missing or do not match.
        """
        try:
            pack_digest(digest)
        except ValueError as error:  # a name that somebody else wrote
            raise CorruptBody(str(error)) from None
        chain = [row.data for row in connection.execute(self._chain, {"digest": digest})]
        number = codec.dictionary_of(chain[0]) if chain else None
        return codec.unpack(chain, digest, self.find(connection, number)), len(chain)
