"""Marks: facts about the database itself, one row of `ctsync_marks` each."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, String, cast, insert, select

from ctsync.store.database.tables import MARKS

APPLICATION = "application"
"""Says that the database is one of ctsync. Its value is OURS."""

OURS = "ctsync"

WRITER = "writer"
"""The token of the newest writer: a number, a colon and a nonce. PostgreSQL only."""


def add_mark(
    connection: Connection, key: str, value: str, *, if_there: ColumnElement[str] | None = None
) -> str:
    """Insert a mark and return its value.

    `if_there` is the value that a stored mark gets instead, in one statement. PostgreSQL only.
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
    """Return the value of a mark, or None. `lock` keeps it from changing until the commit."""
    statement = select(MARKS.c.value).where(MARKS.c.key == key)
    if lock:
        statement = statement.with_for_update(read=True)
    found: str | None = connection.scalar(statement)
    return found
