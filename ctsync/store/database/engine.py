"""SQLite and PostgreSQL engines, and what their errors mean; knows no tables.

SQLite runs in WAL with synchronous=FULL: a commit that returned survives a power cut, and
readers never wait for the writer. A transaction begins IMMEDIATE where it will write, so that
it fails at its start or not at all, and deferred where it only reads.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
    StatementError,
)

from ctsync.errors import (
    ConfigError,
    ForeignDatabase,
    StoreError,
    StoreUnavailable,
    StoreUnreachable,
    Unstorable,
)

PATIENCE_SECONDS = 10.0
CACHE_KIB = 32 * 1024
"""How much of a SQLite file a connection keeps in memory: the indexes of a whole registry."""

LOG_PAGES = 4000
"""How long SQLite's log grows before it is copied to the file: a page that many transactions of
a large load write is then copied once for all of them."""

KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How either end of a connection learns within 25 seconds that the other has vanished."""

_SECRETS = ("password", "sslpassword", "passfile")


def parse_url(url: str | URL) -> URL:
    """Read a database URL; raises ConfigError for one that names neither database."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        # the text may hold a password: it is not repeated
        raise ConfigError(
            ["database.url cannot be read; write sqlite:///file or postgresql+psycopg://host/name"]
        ) from None
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigError([f"database.url: ctsync runs on SQLite and PostgreSQL, not {backend}"])
    if parsed.database in {None, "", ":memory:"}:
        raise ConfigError(["database.url: give the file, as in sqlite:////var/lib/ctsync.db"])
    return parsed


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite URL, the one a link leads to; None for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    file = Path(url.database or "").expanduser()
    # one file has one lock and one log beside it, whatever name it is opened by
    return file.resolve() if file.is_symlink() else file


def name_of(url: URL) -> str:
    """What a person calls this database; holds no password."""
    file = sqlite_file(url)
    if file is not None:
        return str(file)
    shown = {key: "***" if key in _SECRETS else value for key, value in url.query.items()}
    return url.set(query=shown).render_as_string(hide_password=True)


def keep_from_writing(engine: Engine) -> None:
    """Have the database refuse every write on this engine's connections."""

    def forbid(connection: Any, _record: object) -> None:
        if engine.dialect.name == "sqlite":
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()

    event.listen(engine, "connect", forbid)


def make_engine(url: URL, *, patience_seconds: float = PATIENCE_SECONDS) -> Engine:
    """An engine for a database that is there; opens nothing yet.

    A statement waits `patience_seconds` for another writer, then fails.
    """
    file = sqlite_file(url)
    if file is None:
        return _server_engine(url, patience_seconds)
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(file)),
        creator=lambda: connect_file(file, patience_seconds=patience_seconds),
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _server_engine(url: URL, patience_seconds: float) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": max(2, int(patience_seconds)), **KEEPALIVE},
    )
    notice_lost_peers(engine, patience_seconds)
    return engine


def notice_lost_peers(engine: Engine, patience_seconds: float) -> None:
    """Have the server end the sessions of a host that vanished, and no statement wait longer."""

    def agree(connection: Any, _record: object) -> None:
        for setting, value in {
            "lock_timeout": int(patience_seconds * 1000),
            "tcp_keepalives_idle": KEEPALIVE["keepalives_idle"],
            "tcp_keepalives_interval": KEEPALIVE["keepalives_interval"],
            "tcp_keepalives_count": KEEPALIVE["keepalives_count"],
            "tcp_user_timeout": KEEPALIVE["tcp_user_timeout"],
        }.items():
            connection.execute(f"SET {setting} = {value}")
        connection.commit()

    event.listen(engine, "connect", agree)


def connect_file(file: Path, *, patience_seconds: float = PATIENCE_SECONDS) -> sqlite3.Connection:
    """A connection to a SQLite file that exists, read-only where the file is."""
    connection = sqlite3.connect(
        _file_uri(file),
        uri=True,
        timeout=patience_seconds,
        isolation_level=None,  # transactions begin where `_begin` says, not where Python guesses
        check_same_thread=False,  # the pool hands a connection to one thread at a time
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return connection


def vacuum_file(file: Path) -> None:
    """Write a SQLite file anew without its free pages, and empty its log; readers may go on."""
    with told_apart(str(file)):
        connection = connect_file(file)
        try:
            for statement in ("wal_checkpoint(TRUNCATE)", "optimize"):
                connection.execute(f"PRAGMA {statement}").fetchall()
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()


def _file_uri(file: Path) -> str:
    uri = f"file:{quote(str(file.absolute()))}"
    if os.access(file, os.W_OK):
        return f"{uri}?mode=rw"
    wal = file.with_name(file.name + "-wal")
    if os.access(file.parent, os.W_OK) or wal.exists():
        return f"{uri}?mode=ro"
    # nobody here can write and nobody writes: SQLite may read without its side files
    return f"{uri}?mode=ro&immutable=1"


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("ctsync_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine, name: str) -> Iterator[Connection]:
    """One consistent view of the database, which waits for no writer and holds up none."""
    with told_apart(name), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # by default every statement there has a view of its own
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine, name: str) -> Iterator[Connection]:
    """One write transaction: all of it is committed, or nothing."""
    with told_apart(name), engine.connect() as connection:
        writer = connection.execution_options(ctsync_writes=True)
        with writer.begin():
            yield writer


@contextmanager
def told_apart(name: str) -> Iterator[None]:
    """Turn what drivers raise into one of our errors, saying what to do."""
    try:
        yield
    except DBAPIError as error:
        meaning = _meaning(error, name) or _refusal(error, name)
        if meaning is None:
            raise
        raise meaning from error
    except sqlite3.Error as error:
        raise _sqlite_meaning(error, name) or error from error
    except StatementError as error:
        # not the database but the way there refused a value
        raise Unstorable(f"{name} cannot hold a value: {error.orig}") from error
    except SQLAlchemyError as error:
        if "QueuePool limit" in str(error):
            raise StoreUnavailable(f"{name}: too many connections at once; try again") from error
        raise


def _meaning(error: DBAPIError, name: str) -> StoreError | None:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_meaning(error.orig, name)
    return _postgres_meaning(error, name)


def _refusal(error: DBAPIError, name: str) -> Unstorable | None:
    """What a database says of a value it cannot take, as against of itself."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    of_value = isinstance(error, DataError | IntegrityError)  # where a driver gives no code
    of_type = isinstance(error.orig, sqlite3.InterfaceError)
    if state[:2] in {"22", "23"} or (not state and (of_value or of_type)):
        return Unstorable(f"{name} cannot hold a value: {str(error.orig).splitlines()[0]}")
    return None


_LOCKED = (StoreUnavailable, "is locked by another program; try again later")
_READ_ONLY = (StoreUnavailable, "is read-only; make the file and its directory writable")
_SQLITE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_FULL: (StoreUnavailable, "cannot grow: the disk is full; make room"),
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailable, "cannot be opened; check that it may be read"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "cannot be read or written; check the disk"),
    sqlite3.SQLITE_NOTADB: (ForeignDatabase, "is not a database of ctsync; give another file"),
    sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged; run: ctsync check"),
}


def _sqlite_meaning(error: sqlite3.Error, name: str) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None and "Could not decode to UTF-8" in str(error):
        code = sqlite3.SQLITE_CORRUPT  # said by Python, which has no code for it
    # the low byte is the error, the rest tells kinds of it apart
    found = _SQLITE.get((code or 0) & 0xFF)
    return None if found is None else found[0](f"{name} {found[1]}")


_POSTGRES = {
    "25006": "is read-only; connect to the primary server",
    "28000": "refuses this user; check the user and password",
    "28P01": "refuses this password; check the user and password",
    "3D000": "does not exist; create it with: createdb",
    "42501": "does not allow this; grant the user its tables and schema",
    "53100": "has no disk space left; make room and run again",
    "53300": "has no connection left; try again later",
    "55P03": "is locked by another program; try again later",
}


def _postgres_meaning(error: DBAPIError, name: str) -> StoreError | None:
    state = getattr(error.orig, "sqlstate", None)
    if state in _POSTGRES:
        return StoreUnavailable(f"{name} {_POSTGRES[state]}")
    gone = type(error.orig).__name__ == "OperationalError" and state is None
    if gone or error.connection_invalidated or str(state)[:2] in {"08", "57"}:
        said = " ".join(str(error.orig).split()) or "no answer"
        return StoreUnreachable(f"{name} cannot be reached ({said}); check that the server runs")
    return None
