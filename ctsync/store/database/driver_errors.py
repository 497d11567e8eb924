"""What the errors of the database drivers mean, as ctsync errors that name the solution.

A new code goes into the table of its database: `_SQLITE` or `_POSTGRES`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ctsync.errors import (
    ForeignDatabase,
    StoreBusy,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    StoreUnreachable,
    Unstorable,
)


@contextmanager
def translated_errors(name: str) -> Iterator[None]:
    """Translate driver errors into ctsync errors, whose messages name the solution."""
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
        # the value was refused before it reached the database
        raise Unstorable(f"{name} cannot store a value: {error.orig}") from error
    except PoolTimeout as error:
        raise StoreBusy(f"{name}: all connections are in use; try again later") from error


def _meaning(error: DBAPIError, name: str) -> StoreError | None:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_meaning(error.orig, name)
    return _postgres_meaning(error, name)


def _refusal(error: DBAPIError, name: str) -> Unstorable | None:
    """Return Unstorable if the database refused a value, or None for any other error."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    of_value = isinstance(error, DataError | IntegrityError)  # if the driver gives no code
    of_type = isinstance(error.orig, sqlite3.InterfaceError)
    if state[:2] in {"22", "23"} or (not state and (of_value or of_type)):
        return Unstorable(f"{name} cannot store a value: {str(error.orig).splitlines()[0]}")
    return None


_LOCKED = (StoreLocked, "is locked by another program; try again later")
_READ_ONLY = (StoreUnavailable, "is read-only; make the file and its directory writable")
_SQLITE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,  # a reader waited ten seconds for the header of the log
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_FULL: (StoreUnavailable, "cannot grow: the disk is full; make room"),
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailable, "cannot be opened; check that you may read it"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "cannot be read or written; check the disk"),
    sqlite3.SQLITE_NOTADB: (ForeignDatabase, "is not a ctsync database; specify another file"),
    sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged; run: ctsync check"),
}


def _sqlite_meaning(error: sqlite3.Error, name: str) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None and "Could not decode to UTF-8" in str(error):
        code = sqlite3.SQLITE_CORRUPT  # Python raises this error without a code
    # the low byte is the error, the other bytes are its variants
    found = _SQLITE.get((code or 0) & 0xFF)
    return None if found is None else found[0](f"{name} {found[1]}")


INSUFFICIENT_PRIVILEGE = "42501"
"""PostgreSQL's code for a table or schema that the role may not use."""
_POSTGRES_LOCKED = {
    "55P03",  # lock_timeout
    "40P01",  # a deadlock that the server ended
    "40001",  # a standby cancels a statement whose rows the primary server removed
}
_POSTGRES = {
    "25006": "is read-only; connect to the primary server",
    "28000": "refuses this user; check the user and password",
    "28P01": "refuses this password; check the user and password",
    "3D000": "does not exist; create it with: createdb",
    INSUFFICIENT_PRIVILEGE: "denies this user access; grant the user its tables and schema",
    "53100": "has no disk space left; make room and run again",
    "53200": "is out of memory; try again later",
    "57014": "cancelled a statement that took too long; raise statement_timeout for this user",
    "58030": "cannot be read or written; check the server's disk",
}

_REFUSED = (
    # patterns of server and driver messages while connecting
    ("password authentication failed", "refuses this password; check the user and password"),
    ("no password supplied", "asks for a password; set it in database.url or in ~/.pgpass"),
    ("no pg_hba.conf entry", "refuses this user or host; allow it in pg_hba.conf"),
    ('database ".*" does not exist', "does not exist; create it with: createdb"),
    ('role ".*" does not exist', "has no such user; create it with: createuser"),
    ("invalid connection option", "has an unknown parameter; check database.url"),
    ("statement pooling", "is behind a proxy that pools statements; set pool_mode = session in it"),
    ("invalid sslmode value", "has an unknown sslmode; check database.url"),
)
"""Errors without a specific code, mostly while connecting, that a retry does not fix."""

_UNSPECIFIC = {"", "08P01"}
"""The driver gives no code while connecting. PgBouncer gives most errors the same code."""

_GONE_STATES = {"25P03", "25P04", "53300"}
"""Errors that end or refuse the connection: two timeouts, and too many connections."""

_GONE_CLASSES = {"08", "57"}


def _postgres_meaning(error: DBAPIError, name: str) -> StoreError | None:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    said = " ".join(str(error.orig).split()) or "no answer"
    if state in _POSTGRES_LOCKED:
        kind, locked = _LOCKED
        return kind(f"{name} {locked}")
    if state in _POSTGRES:
        return StoreUnavailable(f"{name} {_POSTGRES[state]}")
    if state in _UNSPECIFIC and (why := _refused_connection(said)):
        return StoreUnavailable(f"{name} {why}")
    # an error of the connection itself has no code, such as a timeout or an unknown host
    gone = not state and isinstance(error, OperationalError | InterfaceError)
    is_ended = state in _GONE_STATES or state[:2] in _GONE_CLASSES
    if gone or is_ended or error.connection_invalidated:
        return StoreUnreachable(f"{name} cannot be reached ({said}); check that the server runs")
    return None


def _refused_connection(said: str) -> str | None:
    """Return why a server refuses the connection, or None if another attempt may succeed."""
    return next((why for words, why in _REFUSED if re.search(words, said)), None)
