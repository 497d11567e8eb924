"""The writer lock: one writer per database, across processes and hosts. Readers are not locked.

Both kinds of lock end with the process: flock belongs to an open file, the advisory lock to a
connection. The lock of a killed process is free at once, that of a lost host within 25 seconds. The
note about the holder is only used in messages. Only `Store.writer` takes this lock, because it also
fences (see `fencing`).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from ctsync.dates import Clock, format_timestamp, parse_timestamp
from ctsync.errors import LockHeld, StoreUnavailable
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.engine import (
    KEEPALIVE,
    name_of,
    notice_lost_peers,
    parse_url,
    require_writable,
    sqlite_file,
)
from ctsync.store.database.fencing import new_token
from ctsync.store.database.tables import APPLICATION_ID

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
STANDING_BY_SECONDS = 2.0
"""Time between two attempts after the first ten seconds."""

UNIT_SECONDS = 2.0
"""How long a new writer waits, per attempt, for the last unit of a writer that lost the lock."""

_NAME_BYTES = 63  # PostgreSQL truncates application names to this


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lock."""

    pid: int
    host: str
    command: str
    since: datetime

    def __str__(self) -> str:
        """Format the holder in one line."""
        since = format_timestamp(self.since)
        return f"{self.command} (process {self.pid} on {self.host}) since {since}"


@contextmanager
def writer_lock(
    url: str | URL, *, clock: Clock, holder: str, wait_seconds: float = 0
) -> Iterator[str | None]:
    """Hold the writer lock of the database at `url`. Yields the fencing token.

    `holder` is this process's command, which the error messages of other processes name. Waits up
    to `wait_seconds`, logs that once, then raises LockHeld with the holder's name. The token is
    None for a file, because a process cannot lose that lock while it runs.
    """
    parsed = parse_url(url)
    require_writable(parsed)
    me = Holder(os.getpid(), socket.gethostname(), holder, clock.now())
    file = sqlite_file(parsed)
    with _server_lock(parsed, me) if file is None else _file_lock(file, me) as lock:
        _wait_for(lock, name_of(parsed), clock, wait_seconds)
        yield lock.token


def _wait_for(lock: _Lock, name: str, clock: Clock, seconds: float) -> None:
    began, logged = clock.monotonic(), False
    while not lock.acquire():
        waited = clock.monotonic() - began
        if waited >= seconds:
            raise LockHeld(f"{name} is in use by {lock.held_by()}; try again later")
        if not logged:
            log.info("standing by: %s is in use by %s", name, lock.held_by())
            logged = True
        poll = POLL_SECONDS if waited < 10 else STANDING_BY_SECONDS
        clock.sleep(min(poll, max(seconds - waited, 0.01)))


@dataclass(slots=True)
class _Lock:
    """A lock: `acquire` tries once and sets `token`, `held_by` names the holder."""

    acquire: Callable[[], bool]
    held_by: Callable[[], str]
    token: str | None = None


@contextmanager
def _file_lock(file: Path, me: Holder) -> Iterator[_Lock]:
    """Make an flock on a file beside the database. Another file names the holder."""
    # with fallback_to_soft, a killed process would leave its lock behind
    lock = FileLock(f"{file}.lock", mode=0o600, fallback_to_soft=False)
    note = Path(f"{file}.lock-holder")

    def acquire() -> bool:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise StoreUnavailable(
                f"{lock.lock_file}: {error.strerror}; check its folder"
            ) from error
        _write_privately(note, orjson.dumps(me))
        return True

    def held_by() -> str:
        try:
            said = orjson.loads(note.read_bytes())
            return str(Holder(**said | {"since": parse_timestamp(said["since"])}))
        except (OSError, ValueError, TypeError, KeyError):
            return "another process"

    try:
        yield _Lock(acquire, held_by)
    finally:
        if lock.is_locked:
            note.unlink(missing_ok=True)
            lock.release()


def _write_privately(file: Path, content: bytes) -> None:
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError), os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
        out.write(content)
        draft.replace(file)


@contextmanager
def _server_lock(url: URL, me: Holder) -> Iterator[_Lock]:
    """Make an advisory lock on a separate connection, whose application name is the holder."""
    name = name_of(url)
    shown = f"{me.command} pid {me.pid} {me.host}".encode()[:_NAME_BYTES].decode(errors="ignore")
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"application_name": shown, "connect_timeout": 10, **KEEPALIVE},
    )
    notice_lost_peers(engine, UNIT_SECONDS)
    with translated_errors(name):
        connection = engine.connect()

    def acquire() -> bool:
        lock.token = _try_server(connection, name)
        return lock.token is not None

    lock = _Lock(acquire, lambda: _server_holder(connection, name))
    try:
        yield lock
    finally:
        # if the connection was lost, the lock is free already
        with suppress(SQLAlchemyError):
            if lock.token is not None:
                # the server notices a closed connection later, and the next writer would be refused
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
        with suppress(SQLAlchemyError):
            connection.close()


def _try_server(connection: Connection, name: str) -> str | None:
    """Try to take the lock. Return the token, or None if another writer has the lock or a unit."""
    key = {"key": APPLICATION_ID}
    with translated_errors(name):
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar():
            return None
        token = new_token(connection)
        if token is None:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        return token


def _server_holder(connection: Connection, name: str) -> str:
    with translated_errors(name):
        found = connection.execute(
            text(
                "SELECT a.application_name, a.backend_start FROM pg_locks l "
                "JOIN pg_stat_activity a ON a.pid = l.pid "
                "WHERE l.locktype = 'advisory' AND l.granted AND l.database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND l.classid = 0 AND l.objid = :key AND l.objsubid = 1"
            ),
            {"key": APPLICATION_ID},
        ).one_or_none()
    if found is None:
        return "another process"
    return f"{found.application_name} since {format_timestamp(found.backend_start)}"
