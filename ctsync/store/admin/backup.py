"""Copies a SQLite database consistently while other processes write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from ctsync.errors import StoreUnavailable, UsageError
from ctsync.files import is_link, is_visible
from ctsync.store.database import migrate
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.engine import (
    connect_file,
    is_read_only,
    make_engine,
    parse_url,
    sqlite_file,
)
from ctsync.store.database.wal_chain import commit_link


def back_up(url: str, to: Path) -> None:
    """Copy the database at `url` into a new file, private to its owner.

    The file appears when the copy is complete. Raises UsageError if it exists or the database is
    on a server, and StoreUnavailable if it cannot be written or there is no database to copy.
    """
    parsed = parse_url(url)
    file = sqlite_file(parsed)
    if file is None:
        raise UsageError("ctsync backup copies only SQLite databases; for PostgreSQL use pg_dump")
    engine = make_engine(parsed)
    try:
        migrate.require_ours(parsed, engine)
    finally:
        engine.dispose()
    if is_visible(to) or is_link(to):
        raise UsageError(f"{to} exists already; specify a new file")
    partial = to.with_name(f".{to.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with translated_errors(str(to)):
            _copy(file, partial, reads_only=is_read_only(parsed))
        partial.replace(to)
    except OSError as error:
        raise StoreUnavailable(f"{to} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # without access to the folder, no copy was made
            partial.unlink(missing_ok=True)


def _copy(file: Path, to: Path, *, reads_only: bool) -> None:
    source = connect_file(file, reads_only=reads_only)
    try:
        copy = sqlite3.connect(to, isolation_level=None)
        try:
            source.backup(copy)
            # so that the database's log is not mistaken for the copy's
            commit_link(copy)
        finally:
            copy.close()
    finally:
        source.close()
