"""Engines and transactions for SQLite and PostgreSQL. Knows no tables.

SQLite runs in WAL mode with synchronous=FULL: a completed commit survives a power failure, and
readers never wait for the writer. A write transaction begins IMMEDIATE, so that it waits for other
writers only at its start. A read transaction begins deferred.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from ctsync.errors import ConfigError, UsageError
from ctsync.files import absolute, expanded, is_link, is_visible
from ctsync.sqlite_url import SqliteUrl
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.wal_chain import add_link, commit_link

PATIENCE_SECONDS = 10.0
CACHE_KIB = 32 * 1024
"""Page cache of a SQLite connection, large enough for the indexes of the entire registry."""

SYNC_CACHE_KIB = 8 * 1024
"""Page cache of a connection for a sync of watched trials, which reads few pages twice."""

LOG_PAGES = 4000
"""Number of pages at which SQLite copies its log to the file. Many transactions of a large load
change the same page, which is then copied once for all of them."""

KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Lets either end of a connection detect within 25 seconds that the other end is gone."""

_CHANGES = "ctsync_changes"
_SECRETS = ("password", "sslpassword", "passfile")


def parse_url(url: str | URL) -> URL:
    """Parse a database URL. Raises ConfigError if it names neither SQLite nor PostgreSQL."""
    try:
        if isinstance(url, str) and url.startswith("sqlite:"):
            url = _file_url(url)
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        # the URL may hold a password: do not repeat it
        raise ConfigError(
            ["database.url cannot be read; write sqlite:///file or postgresql+psycopg://host/name"]
        ) from None
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigError([f"database.url: ctsync runs on SQLite and PostgreSQL, not {backend}"])
    return parsed


def _file_url(text: str) -> URL:
    try:
        read = SqliteUrl.parse(text)
    except ValueError as error:
        raise ConfigError([f"database.url {error}"]) from None
    query = {"mode": read.mode, "timeout": None if read.timeout is None else str(read.timeout)}
    return URL.create("sqlite", database=read.path, query={k: v for k, v in query.items() if v})


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite URL, with links resolved, or None for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    file = expanded(Path(url.database or ""))
    # the lock and the log are beside the file; opened by two names, it would have two of each
    return file.resolve() if is_link(file) else file


FileIdentity = tuple[int, int]
"""The device and the inode of a file. A new file with the same name has another inode."""


def file_identity(url: URL) -> FileIdentity | None:
    """Return the identity of the file of a SQLite URL, or None for a server or a missing file."""
    file = sqlite_file(url)
    try:
        found = None if file is None else file.stat()
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def name_of(url: URL) -> str:
    """Return the name of a database for messages, without its password."""
    file = sqlite_file(url)
    if file is not None:
        return str(file)
    shown = {key: "***" if key in _SECRETS else value for key, value in url.query.items()}
    return url.set(query=shown).render_as_string(hide_password=True)


def is_read_only(url: URL) -> bool:
    """Return whether the URL contains `mode=ro`."""
    return sqlite_file(url) is not None and url.query.get("mode") == "ro"


def require_writable(url: URL) -> None:
    """Raise UsageError for a URL with `mode=ro`."""
    if is_read_only(url):
        raise UsageError(
            f"{name_of(url)} is opened for reading only, and this command writes; "
            "remove mode=ro from the database URL"
        )


def keep_from_writing(engine: Engine) -> None:
    """Make the database refuse every write on this engine's connections."""

    def forbid(connection: Any, _record: object) -> None:
        if engine.dialect.name == "sqlite":
            connection.execute("PRAGMA query_only = ON")
        else:
            # per transaction: behind a proxy, other programs may use the session next
            connection.read_only = True

    event.listen(engine, "connect", forbid)


def make_engine(
    url: URL, *, patience_seconds: float = PATIENCE_SECONDS, cache_kib: int = CACHE_KIB
) -> Engine:
    """Make an engine for an existing database. Opens no connection.

    A statement waits `patience_seconds` for another writer, then fails. `cache_kib` is the page
    cache of each connection to a SQLite file.
    """
    file = sqlite_file(url)
    if file is None:
        return _server_engine(url, patience_seconds)
    patience = float(str(url.query.get("timeout", patience_seconds)))
    reads_only = is_read_only(url)
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(file)),
        creator=lambda: connect_file(
            file, patience_seconds=patience, reads_only=reads_only, cache_kib=cache_kib
        ),
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin)
    event.listen(engine, "commit", _link)
    if reads_only:
        keep_from_writing(engine)
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
    """Make the server end sessions of lost hosts, and limit how long statements wait for locks."""
    settings = {
        "lock_timeout": int(patience_seconds * 1000),
        # the planner's cost of reading a week's changes exceeds its threshold: 147,000 of 100,000
        "jit": "off",
        "tcp_keepalives_idle": KEEPALIVE["keepalives_idle"],
        "tcp_keepalives_interval": KEEPALIVE["keepalives_interval"],
        "tcp_keepalives_count": KEEPALIVE["keepalives_count"],
        "tcp_user_timeout": KEEPALIVE["tcp_user_timeout"],
    }

    def agree(connection: Any, _record: object) -> None:
        # one round trip to the server in place of seven
        before, connection.autocommit = connection.autocommit, True
        connection.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
        connection.autocommit = before

    event.listen(engine, "connect", agree)


def connect_file(
    file: Path,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    reads_only: bool = False,
    cache_kib: int = CACHE_KIB,
) -> sqlite3.Connection:
    """Connect to an existing SQLite file, read-only if it is or `reads_only` is set."""
    connection = sqlite3.connect(
        _file_uri(file, reads_only=reads_only),
        uri=True,
        timeout=patience_seconds,
        isolation_level=None,  # `_begin` begins transactions, not the driver
        check_same_thread=False,  # the pool hands a connection to one thread at a time
    )
    settings = ("foreign_keys = ON", "synchronous = FULL", f"cache_size = -{cache_kib}",
                f"wal_autocheckpoint = {LOG_PAGES}")  # fmt: skip
    try:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
    except UnicodeDecodeError as error:
        connection.close()
        # SQLite's message quotes the damaged schema, and the driver cannot decode the quotation
        damaged = sqlite3.DatabaseError("malformed database schema")
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged from error
    except BaseException:
        connection.close()  # of a damaged file: left open, it would keep its locks
        raise
    return connection


def vacuum_file(file: Path) -> None:
    """Rewrite a SQLite file without its free pages and empty its log. Readers can continue."""
    with translated_errors(str(file)):
        connection = connect_file(file)
        try:
            for statement in ("wal_checkpoint(TRUNCATE)", "optimize"):
                connection.execute(f"PRAGMA {statement}").fetchall()
            connection.execute("VACUUM")
            commit_link(connection)  # VACUUM may have moved every page
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()


def _file_uri(file: Path, *, reads_only: bool) -> str:
    uri = f"file:{quote(os.fsencode(absolute(file)))}"
    if os.access(file, os.W_OK) and not reads_only:
        return f"{uri}?mode=rw"
    wal = file.with_name(file.name + "-wal")
    if os.access(file.parent, os.W_OK) or is_visible(wal):
        return f"{uri}?mode=ro"
    # the folder is read-only and there is no log: SQLite can read without its extra files
    return f"{uri}?mode=ro&immutable=1"


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("ctsync_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    connection.info[_CHANGES] = _driver(connection).total_changes


def _link(connection: Connection) -> None:
    """Add a link to the chain of commits, if the transaction changed a row."""
    driver = _driver(connection)
    if driver.total_changes != connection.info.get(_CHANGES):
        add_link(driver)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


@contextmanager
def reading(engine: Engine, name: str) -> Iterator[Connection]:
    """Open one consistent view of the database. It neither waits for writers nor blocks them."""
    with translated_errors(name), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # by default, each PostgreSQL statement reads its own view
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine, name: str) -> Iterator[Connection]:
    """Open a write transaction. If the block raises, nothing is committed."""
    with translated_errors(name), engine.connect() as connection:
        writer = connection.execution_options(ctsync_writes=True)
        with writer.begin():
            yield writer
