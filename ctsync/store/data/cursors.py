"""How far a walk through the whole registry has come, kept across a crash."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from ctsync.model import NctId, parse_nct_id
from ctsync.store.bodies import codec
from ctsync.store.database.access import Reads, Writes
from ctsync.store.database.tables import CURSOR_PAGES, CURSORS


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """A walk of one name: the one under way, if there is any, and the last that was ended.

    `source` says of what archive or question it is, and is None where none is under way;
    `position` is the next member or page; `done_load` the load that was last walked through.
    """

    name: str
    source: str | None = None
    load: datetime | None = None
    position: int = 0
    token: str | None = None
    total: int | None = None
    done_load: datetime | None = None


class WalkReads(Reads):
    """What is stored of walks."""

    def walk(self, name: str) -> ScanCursor:
        """The walk of that name; one never begun has nothing in it."""
        statement = select(CURSORS).where(CURSORS.c.name == name)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        return ScanCursor(name) if row is None else ScanCursor(**row._mapping)

    def walked_ids(self, name: str) -> Iterator[NctId]:
        """The trials seen by the walk under way, in the order they came."""
        statement = (
            select(CURSOR_PAGES.c.ids)
            .where(CURSOR_PAGES.c.name == name)
            .order_by(CURSOR_PAGES.c.number)
        )
        with self._reading() as connection:
            pages = connection.scalars(statement).all()
        for packed in pages:
            numbers = codec.decompress(packed)
            for (number,) in struct.iter_unpack("<I", numbers):
                yield parse_nct_id(f"NCT{number:08d}")


class WalkWrites(Writes):
    """What a unit does to walks."""

    def begin_walk(self, name: str, *, source: str, load: datetime) -> None:
        """Begin a walk at its first member or page; what one before it saw is forgotten."""
        self._insert_new(CURSORS, [{"name": name}])
        self._set(name, source=source, load=load, position=0, token=None, total=None)
        self._connection.execute(delete(CURSOR_PAGES).where(CURSOR_PAGES.c.name == name))

    def advance_walk(
        self,
        name: str,
        position: int,
        *,
        token: str | None = None,
        total: int | None = None,
        seen: Iterable[NctId] = (),
    ) -> None:
        """Note that all before `position` is kept, and what the step to it saw."""
        self._set(name, position=position, token=token, total=total)
        numbers = [int(nct_id[3:]) for nct_id in seen]
        if numbers:
            packed = codec.pack(struct.pack(f"<{len(numbers)}I", *numbers))
            # a page is noted once, also where its unit is repeated
            row = {"name": name, "number": position, "ids": packed}
            self._insert_new(CURSOR_PAGES, [row])

    def end_walk(self, name: str, *, load: datetime | None) -> None:
        """End a walk; `load` is what it walked through, None where it came to no end."""
        self._insert_new(CURSORS, [{"name": name}])
        self._set(name, source=None, load=None, position=0, token=None, total=None)
        if load is not None:
            self._set(name, done_load=load)
        self._connection.execute(delete(CURSOR_PAGES).where(CURSOR_PAGES.c.name == name))

    def _set(self, name: str, **values: object) -> None:
        self._connection.execute(update(CURSORS).where(CURSORS.c.name == name).values(**values))
