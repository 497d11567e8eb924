"""Replaces a SQLite database with a backup. A killed restore leaves the old or the new database.

1. Hold the writer lock, and copy the backup to a draft beside the database.
2. Check the draft, and give it a link that no other log continues.
3. Lock out all other programs from the old database, and checkpoint its log.
4. Give the old file a second name, and rename the draft over the first. Only then do programs that
   open the database get the new one.

If the old database is too damaged for step 3, or the log beside it belongs to another database, its
file and that log are both kept. The log is removed just before the rename.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ctsync.dates import Clock
from ctsync.errors import (
    ForeignDatabase,
    MixedDatabase,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from ctsync.sqlite_url import sqlite_url
from ctsync.store.admin.check import check
from ctsync.store.database import migrate
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.engine import (
    connect_file,
    parse_url,
    require_writable,
    sqlite_file,
)
from ctsync.store.database.lock import writer_lock
from ctsync.store.database.wal_chain import commit_link, log_of
from ctsync.store.store import open_store

HOLDER = "ctsync restore"
_BESIDE = ("-wal", "-shm", "-journal")
_KEPT_BESIDE = ("-wal", "-journal")  # -shm is an index of the log, and SQLite rebuilds it
PATIENCE_SECONDS = 2.0
_MAGIC = b"SQLite format 3\0"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(frozen=True, slots=True)
class Restored:
    """The database file, and the new path of the replaced file, or None if there was none."""

    file: Path
    kept: Path | None


def restore(url: str, backup: Path, *, clock: Clock) -> Restored:
    """Replace the database at `url` with a copy of `backup`, and keep the replaced one.

    Raises UsageError for a server or a missing backup, LockHeld, NewerDatabase, ForeignDatabase,
    StoreUnavailable if another program has the database open, and StoreError if the backup is
    damaged. In all these cases nothing is changed.
    """
    parsed = parse_url(url)
    file = sqlite_file(parsed)
    if file is None:
        raise UsageError(
            "ctsync restore replaces only SQLite databases; for PostgreSQL use pg_restore into an "
            "empty database"
        )
    require_writable(parsed)
    _require_backup(backup, file)
    with _writable(file.parent):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.restoring")
    with writer_lock(parsed, clock=clock, holder=HOLDER), _writable(file):
        _remove_second_names(file)
        try:
            _copy(backup, draft)
            _verify(backup, draft, clock)
            _keep_owner(file, draft)
            return Restored(file, _put_in_place(file, draft, _new_name(file, clock)))
        finally:
            _remove(draft, "", *_BESIDE)


@contextmanager
def _writable(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{place} cannot be restored: {error.strerror or error}; nothing was changed"
        ) from error


def _require_backup(backup: Path, file: Path) -> None:
    if migrate.look_at_file(backup) is migrate.DatabaseState.NOTHING:
        raise UsageError(
            f"{backup} does not exist or is empty; specify a file made by: ctsync backup"
        )
    if file.exists() and backup.samefile(file):
        raise UsageError(f"{backup} is the database itself; specify a file made by: ctsync backup")


# --- the draft -----------------------------------------------------------------------------------


def _copy(backup: Path, draft: Path) -> None:
    """Copy the backup and the contents of its log."""
    _remove(draft, "", *_BESIDE)  # left by a killed restore
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        translated_errors(str(backup)),
        closing(_read_backup(backup)) as source,
        translated_errors(str(draft)),
        closing(sqlite3.connect(draft)) as copy,
    ):
        source.backup(copy)


def _read_backup(backup: Path) -> sqlite3.Connection:
    log = log_of(backup)
    if log.exists() and log.stat().st_size:
        return connect_file(backup, reads_only=True)
    uri = f"file:{quote(os.fsencode(backup.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True)


def _verify(backup: Path, draft: Path, clock: Clock) -> None:
    """Upgrade and check the draft, give it a new link, and flush it to disk."""
    url = sqlite_url(draft)
    revision = migrate.revision_of(url)
    migrate.refuse_newer(revision, str(backup))
    if revision is None:
        raise StoreError(f"{backup} holds no tables; specify a complete backup")
    open_store(url, clock=clock, create=False).close()
    problems = check(url)
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise StoreError(
            f"{backup} is damaged ({problems[0]}{more}); nothing was changed, "
            "restore another backup"
        )
    with translated_errors(str(draft)), closing(connect_file(draft)) as connection:
        commit_link(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if log_of(draft).exists():
        raise StoreUnavailable(f"{draft} is open in another program; nothing was changed")
    _sync(draft)


def _keep_owner(file: Path, draft: Path) -> None:
    """Give the draft the mode of the file that it replaces, and its owner if permitted."""
    with suppress(FileNotFoundError):
        there = file.stat()
        draft.chmod(stat.S_IMODE(there.st_mode))
        if hasattr(os, "chown"):
            with suppress(PermissionError):
                os.chown(draft, there.st_uid, there.st_gid)


# --- the replacement -----------------------------------------------------------------------------


def _put_in_place(file: Path, draft: Path, kept: Path) -> Path | None:
    """Rename the draft over the file. Return the new path of the replaced file, if any."""
    with _closed_to_others(file) as is_complete:
        wanted = ("",) if is_complete else ("", *_KEPT_BESIDE)
        there = [suffix for suffix in wanted if Path(f"{file}{suffix}").exists()]
        try:
            for suffix in there:
                _second_name(Path(f"{file}{suffix}"), Path(f"{kept}{suffix}"))
            _remove(file, *_BESIDE)
            draft.replace(file)
        except BaseException:
            for suffix in there:
                with suppress(FileNotFoundError, FileExistsError):
                    os.link(f"{kept}{suffix}", f"{file}{suffix}")
            _remove(kept, *there)
            raise
        _sync(file.parent)
    return kept if there else None


@contextmanager
def _closed_to_others(file: Path) -> Iterator[bool]:
    """Lock out other programs and empty the log. Yields whether this succeeded.

    Yields False if the file is missing or damaged, or its log belongs to another database.
    """
    connection = _exclusive(file)
    if connection is None:
        yield False
        return
    try:
        yield True
    finally:
        connection.close()  # SQLite detects the rename, and does not touch the new file


def _exclusive(file: Path) -> sqlite3.Connection | None:
    """Open the file exclusively and empty its log. Returns None if it is not a sound database."""
    try:
        found = migrate.look_at_file(file)
    except ForeignDatabase:
        with file.open("rb") as stream:
            if stream.read(len(_MAGIC)) == _MAGIC:
                raise  # the database of another program
        return None
    except MixedDatabase:
        return None
    if found is migrate.DatabaseState.NOTHING:
        return None
    connection = connect_file(file, patience_seconds=PATIENCE_SECONDS)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        connection.close()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            return None
        if code not in _BUSY:
            with translated_errors(str(file)):
                raise
        is_busy = 1
    if is_busy:
        connection.close()
        raise StoreUnavailable(
            f"{file} is open in another program; stop that program (the daemon?) and run again"
        )
    return connection


def _new_name(file: Path, clock: Clock) -> Path:
    """Return a path for the replaced file that is unused, also with a log's suffix."""
    stem = f"{file.name}.replaced-{clock.now():%Y%m%dT%H%M%S.%fZ}"
    taken = {one.name for one in file.parent.iterdir()}
    names = itertools.chain([stem], (f"{stem}.{number}" for number in itertools.count(2)))
    free = (n for n in names if not {f"{n}{suffix}" for suffix in ("", *_BESIDE)} & taken)
    return file.with_name(next(free))


def _second_name(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except OSError:  # not every file system has hard links
        shutil.copy2(file, name)
        _sync(name)


def _remove_second_names(file: Path) -> None:
    """Remove the second names that a killed restore gave to the current database."""
    begin = f"{file.name}.replaced-"
    found = [one for one in file.parent.iterdir() if one.name.startswith(begin)]
    kept: dict[str, dict[Path, Path]] = {}
    for one in found:
        suffix = next((end for end in _KEPT_BESIDE if one.name.endswith(end)), "")
        kept.setdefault(one.name.removesuffix(suffix), {})[one] = Path(f"{file}{suffix}")
    for names in kept.values():
        if all(own.exists() and own.samefile(name) for name, own in names.items()):
            for name in names:
                name.unlink()


def _remove(file: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _sync(place: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    if place.is_dir() and os.name == "nt":
        return  # Windows does not open folders
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
