"""Fencing: who lost the writer lock without knowing can write no more; takes no lock itself.

An advisory lock belongs to a connection, and a connection can be lost while its process goes
on. So every writer is given a token, one higher than the one before, and each of its units
reads the newest token in its own transaction and keeps it locked until the commit. A new
writer's token waits for the units under way; a unit that comes after it is refused.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, String, Text, cast, select
from sqlalchemy.exc import OperationalError

from ctsync.errors import LockLost
from ctsync.store.database.tables import MARKS

_KEY = "writer"


def new_token(connection: Connection) -> int | None:
    """Depose whoever wrote before, and give the new writer's token; PostgreSQL only.

    None where a unit of the one before is still under way after as long as a statement waits.
    """
    from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - slow to import

    value = MARKS.c.value
    following = cast(cast(value, BigInteger) + 1, Text)
    raised = (
        insert(MARKS)
        .values(key=_KEY, value="1")
        .on_conflict_do_update(index_elements=["key"], set_={"value": following})
        .returning(cast(value, String))
    )
    try:
        return int(connection.execute(raised).scalar_one())
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # waited for long enough
            return None
        raise


def require_token(connection: Connection, token: int, name: str) -> None:
    """Raise LockLost unless `token` is the newest, and let none follow before the commit."""
    newest = select(MARKS.c.value).where(MARKS.c.key == _KEY).with_for_update(read=True)
    found = connection.scalar(newest)
    if found != str(token):
        raise LockLost(
            f"{name} was taken over by another writer after this one lost its connection; "
            "nothing more was written, run again"
        )
