"""Scan cursors: the progress of a scan of the registry, so that it can resume."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from ctsync.model import NctId
from ctsync.nct_id import parse_nct_id
from ctsync.store.bodies import codec
from ctsync.store.database.access import Reads, Writes, insert_rows
from ctsync.store.database.tables import CURSOR_PAGES, CURSORS


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """The progress of one named scan.

    `source` names the archive or request that is being scanned, or is None if no scan is in
    progress. `position` is the next member or page. `done_load` is the load of the last completed
    scan.
    """

    name: str
    source: str | None = None
    load: datetime | None = None
    position: int = 0
    token: str | None = None
    total: int | None = None
    done_load: datetime | None = None


class CursorReads(Reads):
    """Reads scan cursors."""

    def get(self, name: str) -> ScanCursor:
        """Return the cursor with this name, or an empty one if no such scan has begun."""
        statement = select(CURSORS).where(CURSORS.c.name == name)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
        return ScanCursor(name) if row is None else ScanCursor(**row._mapping)

    def seen_ids(self, name: str) -> Iterator[NctId]:
        """Iterate over the trials that the scan in progress has seen, in the order of its pages."""
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


class CursorWrites(Writes):
    """Writes scan cursors."""

    def begin(self, name: str, *, source: str, load: datetime) -> None:
        """Begin a scan at its first member or page, and delete the trials of an earlier scan."""
        self._add(name)
        self._set(name, source=source, load=load, position=0, token=None, total=None)
        self._connection.execute(delete(CURSOR_PAGES).where(CURSOR_PAGES.c.name == name))

    def advance(
        self,
        name: str,
        position: int,
        *,
        token: str | None = None,
        total: int | None = None,
        seen: Iterable[NctId] = (),
    ) -> None:
        """Record that everything before `position` is stored, and which trials this step saw."""
        self._set(name, position=position, token=token, total=total)
        numbers = [int(nct_id[3:]) for nct_id in seen]
        if numbers:
            packed = codec.pack(struct.pack(f"<{len(numbers)}I", *numbers))
            # a page is recorded once, even if its unit is repeated
            columns, row = ("name", "number", "ids"), (name, position, packed)
            insert_rows(self._connection, CURSOR_PAGES, columns, [row], unless_there=True)

    def end(self, name: str, *, load: datetime | None) -> None:
        """End a scan. `load` is the load that it covered completely, None if it was abandoned."""
        self._add(name)
        self._set(name, source=None, load=None, position=0, token=None, total=None)
        if load is not None:
            self._set(name, done_load=load)
        self._connection.execute(delete(CURSOR_PAGES).where(CURSOR_PAGES.c.name == name))

    def _add(self, name: str) -> None:
        insert_rows(self._connection, CURSORS, ("name",), [(name,)], unless_there=True)

    def _set(self, name: str, **values: object) -> None:
        self._connection.execute(update(CURSORS).where(CURSORS.c.name == name).values(**values))
