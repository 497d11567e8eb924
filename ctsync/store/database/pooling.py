"""Detection of a proxy that pools transactions, such as PgBouncer in transaction mode.

Behind such a proxy, each transaction of a connection may run in another session of the server. The
writer lock belongs to a session, so it would be lost after the first transaction. PostgreSQL only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event

from ctsync.errors import StoreUnavailable
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.engine import KEEPALIVE, name_of

ROUNDS = 25
"""Attempts: other programs may take the sessions of a busy proxy in between."""

CONNECT_SECONDS = 10


def refuse_transaction_pooling(engine: Engine) -> None:
    """Make the first connection of an engine raise StoreUnavailable behind such a proxy.

    Accepts a proxy that pools sessions. Does nothing on SQLite.
    """
    if engine.dialect.name != "postgresql":
        return

    def connect_again() -> Any:
        given, named = engine.dialect.create_connect_args(engine.url)
        return engine.dialect.connect(
            *given, **{**named, "connect_timeout": CONNECT_SECONDS, **KEEPALIVE}
        )

    def refuse(connection: Any, _record: object) -> None:
        with ExitStack() as on_error:
            on_error.callback(connection.close)
            if pools_transactions(connection, connect_again):
                raise StoreUnavailable(
                    f"{name_of(engine.url)} is behind a proxy that pools transactions, which loses "
                    "the writer lock; set pool_mode = session in it, or connect to the server "
                    "itself"
                )
            on_error.pop_all()

    # before the session settings: they would stay in a session that other programs use
    event.listen(engine, "first_connect", refuse, insert=True)


def require_own_sessions(url: URL) -> None:
    """Raise StoreUnavailable if the server at `url` is behind a proxy that pools transactions."""
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS, **KEEPALIVE}
    )
    refuse_transaction_pooling(engine)
    with translated_errors(name_of(url)):
        engine.connect().close()


def pools_transactions(connection: Any, connect_again: Callable[[], Any]) -> bool:
    """Return whether transactions of a psycopg connection run in sessions that others share.

    A server sends a new connection the process id of its session. A proxy must send an id of its
    own; otherwise a request to cancel a statement would reach the wrong session. If the two ids
    differ, a second connection holds a transaction open. Behind a pooling proxy, it then has the
    session of the first connection, or the first connection gets another session.
    """
    from psycopg import OperationalError  # noqa: PLC0415 - slow to import, not needed for SQLite

    try:
        session = _session_of(connection)
        connection.rollback()
        if session == connection.info.backend_pid:
            return False
        with closing(connect_again()) as second:
            for number in range(ROUNDS):
                if _session_of(second) == session or _session_of(connection) != session:
                    return True
                # a proxy assigns the session that was returned first or last
                for one in (second, connection) if number % 2 else (connection, second):
                    one.rollback()
    except OperationalError as error:
        # PgBouncer refuses transactions if it pools single statements
        if "statement pooling" in str(error):
            return True
        raise
    return False


def _session_of(connection: Any) -> int:
    """Return the process id of the session, in a transaction that stays open."""
    found: int = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
    return found
