"""Fencing: a writer that lost its lock without noticing can no longer write. Takes no lock itself.

An advisory lock belongs to a connection, and a process can lose its connection and keep running.
So every writer gets a token: a number, one higher than the last, and a nonce. Each of its units
reads the newest token in its own transaction and keeps that row locked until the commit. Creating
a new token waits for units in progress. A later unit of the old writer is refused.

A failover can lose the last commits, including a token. The next writer then gets the same number
again, but another nonce.
"""

from __future__ import annotations

import secrets

from sqlalchemy import BigInteger, Connection, Text, cast, func
from sqlalchemy.exc import OperationalError

from ctsync.errors import LockLost
from ctsync.store.database.marks import WRITER, add_mark, read_mark
from ctsync.store.database.tables import MARKS

NONCE_BYTES = 8


def new_token(connection: Connection) -> str | None:
    """Store and return a new writer's token, which invalidates all earlier ones. PostgreSQL only.

    Returns None if a unit of the last writer is still in progress when the statement times out.
    """
    nonce = secrets.token_hex(NONCE_BYTES)
    number = cast(func.split_part(MARKS.c.value, ":", 1), BigInteger)
    following = cast(number + 1, Text).concat(f":{nonce}")
    try:
        return add_mark(connection, WRITER, f"1:{nonce}", if_there=following)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_timeout
            return None
        raise


def require_token(connection: Connection, token: str, name: str) -> None:
    """Raise LockLost unless `token` is the newest, and prevent a newer one until the commit."""
    if read_mark(connection, WRITER, lock=True) != token:
        raise LockLost(
            f"{name} was taken over by another writer after this one lost its connection; "
            "nothing more was written, run again"
        )
