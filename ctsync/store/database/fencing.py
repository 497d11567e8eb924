"""Fencing: a writer that lost its lock without noticing can no longer write. Takes no lock itself.

An advisory lock belongs to a connection, and a connection can be lost while its process lives on.
So every writer gets a token, one higher than the last. Each of its units reads the newest token in
its own transaction and keeps that row locked until the commit. A new writer's token waits for the
units under way. A later unit of the old writer is refused.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, Text, cast
from sqlalchemy.exc import OperationalError

from ctsync.errors import LockLost
from ctsync.store.database.marks import WRITER, add_mark, read_mark
from ctsync.store.database.tables import MARKS


def new_token(connection: Connection) -> int | None:
    """Return a new writer's token, which refuses all writers before it. PostgreSQL only.

    Returns None if a unit of the last writer is still under way when the statement times out.
    """
    following = cast(cast(MARKS.c.value, BigInteger) + 1, Text)
    try:
        return int(add_mark(connection, WRITER, "1", if_there=following))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_timeout
            return None
        raise


def require_token(connection: Connection, token: int, name: str) -> None:
    """Raise LockLost unless `token` is the newest, and let no newer one in before the commit."""
    if read_mark(connection, WRITER, lock=True) != str(token):
        raise LockLost(
            f"{name} was taken over by another writer after this one lost its connection; "
            "nothing more was written, run again"
        )
