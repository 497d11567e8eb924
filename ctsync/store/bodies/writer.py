"""Writes bodies and the dictionaries they are packed with. Knows no trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, delete, select

from ctsync.dates import Clock
from ctsync.errors import CorruptBody
from ctsync.model import Record
from ctsync.store.bodies import codec
from ctsync.store.bodies.page_order import fill_pages
from ctsync.store.bodies.reader import Dictionaries, is_unused
from ctsync.store.database.access import Writes, insert_rows
from ctsync.store.database.tables import BODIES, DICTIONARIES

if TYPE_CHECKING:  # readers of versions import this module, and need no text index
    from ctsync.store.derived.text_index import TextIndexWrites

_DIGEST_BYTES = 33
_BODY_BYTES = _DIGEST_BYTES + 22
"""Bytes of a body's row in SQLite besides the packed record, with the row's header."""


class BodyRow(NamedTuple):
    """One row of `bodies`, in the order of its columns."""

    digest: str
    raw_size: int
    encoding: str
    base_digest: str | None
    depth: int
    data: bytes


def body_row(
    digest: str, raw_size: int, data: bytes, *, base_digest: str | None = None, depth: int = 0
) -> BodyRow:
    """Make the row of a packed body: a delta if `base_digest` is given, else a keyframe."""
    encoding = "keyframe" if base_digest is None else "delta"
    return BodyRow(digest, raw_size, encoding, base_digest, depth, data)


class BodyWrites(Writes):
    """Writes bodies and dictionaries, and keeps the text index up to date if there is one."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        dictionaries: Dictionaries,
        texts: TextIndexWrites,
    ) -> None:
        super().__init__(connection)
        self._clock = clock
        self._dictionaries = dictionaries
        self._texts = texts

    def add(self, record: Record, *, beside: str | None) -> None:
        """Store a record's body if it is not stored yet, packed against the body `beside`.

        Raises CorruptBody if the record's digest is not that of its canonical bytes.
        """
        if not self.stored([record.digest]):
            self.insert([self.pack(record.digest, record.canonical, beside=beside)])

    def stored(self, digests: Sequence[str]) -> frozenset[str]:
        """Return which of these bodies are stored."""
        statement = select(BODIES.c.digest).where(BODIES.c.digest.in_(digests))
        return frozenset(self._connection.scalars(statement))

    def pack(self, digest: str, canonical: bytes, *, beside: str | None = None) -> BodyRow:
        """Pack a body against the stored body `beside`, or as a keyframe if that is not possible.

        Raises CorruptBody if `digest` is not that of `canonical`.
        """
        codec.verify(canonical, digest)
        base_digest, depth, base = self._base_of(beside)
        dictionary = self._dictionaries.newest(self._connection) if base is None else None
        packed = codec.pack(canonical, base, dictionary=dictionary)
        return body_row(digest, len(canonical), packed, base_digest=base_digest, depth=depth)

    def _base_of(self, beside: str | None) -> tuple[str | None, int, bytes | None]:
        """Return the base's digest, the new body's depth and the base's bytes.

        Returns (None, 0, None) if the body must be a keyframe.
        """
        if beside is None:
            return None, 0, None
        try:
            chain = self._dictionaries.chain(self._connection, beside)
            depth = chain[-1].depth + 1 if chain else 0
            if not 0 < depth <= codec.MAX_DEPTH:
                return None, 0, None
            below = [link for link in chain if link.depth <= codec.base_depth(depth)]
            digest = below[-1].digest
            return digest, depth, self._dictionaries.unpack(self._connection, below, digest)
        except CorruptBody:
            # `ctsync check` reports the damage; the new body must not depend on it
            return None, 0, None

    def insert(self, rows: Iterable[BodyRow]) -> None:
        """Insert bodies that are not stored yet, on SQLite in the order that fills its pages."""
        # always in the same order, so that two writers cannot deadlock
        ordered = sorted(rows)
        if self._connection.dialect.name == "sqlite" and len(ordered) > 1:
            ordered = [ordered[index] for index in fill_pages(list(map(_payload, ordered)))]
        insert_rows(self._connection, BODIES, BodyRow._fields, ordered, unless_there=True)
        self._texts.keep_up([row.digest for row in ordered])

    def index(self, digest: str) -> None:
        """Add a body that can be read again to the text index, if that is in use."""
        self._texts.keep_up([digest])

    def drop_unused(self, digest: str) -> None:
        """Delete a body if no version points to it and no other body is packed against it."""
        self._connection.execute(delete(BODIES).where(BODIES.c.digest == digest, is_unused()))

    def add_dictionary(self, data: bytes) -> None:
        """Store a dictionary. Keyframes are packed with it from now on."""
        row = (codec.Dictionary(data).number, self._clock.now(), data)
        columns = ("id", "created", "data")
        insert_rows(self._connection, DICTIONARIES, columns, [row], unless_there=True)


def _payload(row: BodyRow) -> int:
    """Return the approximate size of a body's row in SQLite in bytes."""
    return len(row.data) + _BODY_BYTES + (_DIGEST_BYTES if row.base_digest else 0)
