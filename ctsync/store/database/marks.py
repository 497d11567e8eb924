"""Marks: facts about the database itself, stored as one row of `ctsync_marks` each."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, String, cast, insert, select, update

from ctsync.store.database.access import Reads, Writes
from ctsync.store.database.tables import MARKS

APPLICATION = "application"
"""The key that marks a ctsync database. Its value is OURS."""

OURS = "ctsync"

WRITER = "writer"
"""The token of the newest writer: a number, a colon and a nonce. PostgreSQL only."""


def add_mark(
    connection: Connection, key: str, value: str, *, if_there: ColumnElement[str] | None = None
) -> str:
    """Insert a mark and return its value.

    If the mark is stored already, the same statement sets it to `if_there` (PostgreSQL only).
    """
    if if_there is None:
        connection.execute(insert(MARKS).values(key=key, value=value))
        return value
    from sqlalchemy.dialects.postgresql import insert as upsert  # noqa: PLC0415 - slow to import

    statement = (
        upsert(MARKS)
        .values(key=key, value=value)
        .on_conflict_do_update(index_elements=["key"], set_={"value": if_there})
        .returning(cast(MARKS.c.value, String))
    )
    return connection.execute(statement).scalar_one()


def read_mark(connection: Connection, key: str, *, lock: bool = False) -> str | None:
    """Return the value of a mark, or None. `lock` prevents changes to it until the commit."""
    statement = select(MARKS.c.value).where(MARKS.c.key == key)
    if lock:
        statement = statement.with_for_update(read=True)
    found: str | None = connection.scalar(statement)
    return found


class MarkReads(Reads):
    """Reads marks."""

    def get(self, key: str) -> str | None:
        """Return the value of a mark, or None."""
        with self._reading() as connection:
            return read_mark(connection, key)


class MarkWrites(Writes):
    """Writes marks."""

    def set(self, key: str, value: str) -> None:
        """Insert a mark or replace its value."""
        replaced = update(MARKS).where(MARKS.c.key == key).values(value=value)
        if not self._connection.execute(replaced).rowcount:
            add_mark(self._connection, key, value)
