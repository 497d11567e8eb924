"""Upgrades a database to the newest schema, and refuses a foreign or newer database.

1. Find out without writing whether the database is missing, ours, foreign or newer.
2. Upgrade in one transaction, on SQLite too: a crash leaves the old schema.
3. Import alembic only if there is something to upgrade.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, inspect, text
from sqlalchemy.exc import ProgrammingError

from ctsync.errors import (
    ForeignDatabase,
    NewerDatabase,
    NoDatabase,
    OldDatabase,
    StoreUnavailable,
)
from ctsync.files import absolute, is_visible
from ctsync.store.database.driver_errors import INSUFFICIENT_PRIVILEGE, translated_errors
from ctsync.store.database.engine import (
    make_engine,
    name_of,
    parse_url,
    reading,
    sqlite_file,
    writing,
)
from ctsync.store.database.marks import APPLICATION, OURS, add_mark, read_mark
from ctsync.store.database.tables import APPLICATION_ID, HEAD_REVISION, MARKS
from ctsync.store.database.wal_chain import require_own_log

if TYPE_CHECKING:
    from alembic.config import Config


class DatabaseState(Enum):
    """Whether there is a ctsync database."""

    NOTHING = auto()
    OURS = auto()


def head_revision() -> str:
    """Return the newest schema version that this ctsync knows."""
    return HEAD_REVISION


def current_revision(engine: Engine, name: str = "the database") -> str | None:
    """Return the schema version of a database, or None if it has none yet."""
    with reading(engine, name) as connection:
        return _revision(connection)


def revision_of(url: str) -> str | None:
    """Return the schema version of the database at `url`, or None if there is none.

    Writes nothing. Raises ForeignDatabase and StoreUnavailable.
    """
    parsed = parse_url(url)
    engine = make_engine(parsed)
    try:
        if _look(parsed, engine) is DatabaseState.NOTHING:
            return None
        return current_revision(engine, name_of(parsed))
    finally:
        engine.dispose()


def require_ours(url: URL, engine: Engine) -> None:
    """Raise ForeignDatabase or StoreUnavailable unless there is a ctsync database."""
    if _look(url, engine) is DatabaseState.NOTHING:
        raise NoDatabase(_no_database(name_of(url)))


def _look(url: URL, engine: Engine) -> DatabaseState:
    file = sqlite_file(url)
    return _look_at_server(engine, name_of(url)) if file is None else look_at_file(file)


def prepare(url: URL, engine: Engine, *, create: bool = True) -> None:
    """Make sure that the database is ours and has the newest schema.

    `create` allows creating a missing database. Raises ForeignDatabase, NewerDatabase and
    StoreUnavailable, all before anything is written.
    """
    name, file = name_of(url), sqlite_file(url)
    found = _look(url, engine)
    if found is DatabaseState.OURS and current_revision(engine, name) == HEAD_REVISION:
        return
    if found is DatabaseState.NOTHING:
        if not create:
            raise NoDatabase(_no_database(name))
        if file is not None:
            mark_file(file)
    upgrade(engine, name)


def require_current(url: URL, engine: Engine) -> None:
    """Raise unless there is a ctsync database with the newest schema. Writes nothing.

    Raises NoDatabase, OldDatabase, NewerDatabase and ForeignDatabase.
    """
    require_ours(url, engine)
    name = name_of(url)
    revision = current_revision(engine, name)
    refuse_newer(revision, name)
    if revision != HEAD_REVISION:
        raise OldDatabase(
            f"{name} has the schema of an earlier ctsync; upgrade it with: ctsync db upgrade"
        )


def _no_database(name: str) -> str:
    return f"there is no database yet at {name}; start with: ctsync watch add NCT03389919 --sync"


def upgrade(engine: Engine, name: str = "the database") -> None:
    """Run the missing migrations in one transaction, if there are any.

    Raises NewerDatabase before anything is written.
    """
    from alembic import command  # noqa: PLC0415 - not needed for a current database

    config = _configuration()
    _refuse_unknown(config, current_revision(engine, name), name)
    with writing(engine, name) as connection:
        if connection.dialect.name == "postgresql":
            # two processes that start together upgrade one after the other, as on SQLite
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLICATION_ID})
        before = _revision(connection)
        if before == HEAD_REVISION:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if before is None:
            add_mark(connection, APPLICATION, OURS)


def migrations_folder() -> Path:
    """Return the folder of the migrations: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parent / "alembic"


def refuse_newer(revision: str | None, name: str) -> None:
    """Raise NewerDatabase for a schema version that this ctsync does not know."""
    if revision not in (None, HEAD_REVISION):
        _refuse_unknown(_configuration(), revision, name)


def _configuration() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    # a percent sign in the path would be read as an interpolation
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


def _refuse_unknown(config: Config, revision: str | None, name: str) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerDatabase(
            f"{name} was written by a later ctsync (its schema is {revision}, this one knows "
            f"up to {HEAD_REVISION}); upgrade ctsync"
        )


def _revision(connection: Connection) -> str | None:
    if not _has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _has_table(connection: Connection, name: str) -> bool:
    if connection.dialect.name != "postgresql":
        return inspect(connection).has_table(name)
    # the inspector joins three tables of the catalog, which took a third of the time to open
    return connection.scalar(_OID_OF_TABLE, {"name": name}) is not None


_OID_OF_TABLE = text(
    "SELECT to_regclass(quote_ident(current_schema()) || '.' || quote_ident(:name))::oid"
)


# --- PostgreSQL ------------------------------------------------------------------------------


def _look_at_server(engine: Engine, name: str) -> DatabaseState:
    with reading(engine, name) as connection:
        if _has_table(connection, MARKS.name):
            try:
                if read_mark(connection, APPLICATION) == OURS:
                    return DatabaseState.OURS
            except ProgrammingError as error:
                # a table of that name with other columns is not ours; one that may not be read is
                if getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:
                    raise
        elif not inspect(connection).get_table_names():
            return DatabaseState.NOTHING
    raise ForeignDatabase(f"{name} holds tables of another program; give ctsync its own database")


# --- SQLite ------------------------------------------------------------------------------------


def look_at_file(file: Path) -> DatabaseState:
    """Find out whether a file is a ctsync database without changing the file.

    Opening a foreign database normally could change it.
    Reads through SQLite: if this process opened and closed the file itself, the system would drop
    the locks that SQLite holds on it in this process. Another process would then remove the log.
    Raises ForeignDatabase, MixedDatabase and StoreUnavailable.
    """
    if is_visible(file) and file.is_dir():
        raise StoreUnavailable(f"{file} is a directory; specify a file in it")
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return DatabaseState.NOTHING
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be read: {error.strerror}") from error
    if not size:
        return DatabaseState.NOTHING
    if not os.access(file, os.R_OK):
        raise StoreUnavailable(f"{file} cannot be read: {os.strerror(errno.EACCES)}")
    application_id, is_empty = _read_unchanged(file)
    if application_id == APPLICATION_ID:
        require_own_log(file)
        return DatabaseState.OURS
    # reading the log of another program would change it
    has_log = any(Path(f"{file}{suffix}").exists() for suffix in ("-wal", "-journal"))
    if application_id == 0 and is_empty and not has_log:
        return DatabaseState.NOTHING
    raise ForeignDatabase(f"{file} is a database of another program; give ctsync its own file")


def _read_unchanged(file: Path) -> tuple[int, bool]:
    """Return the application id of a SQLite file, and whether it has no tables.

    Ignores its log and takes no lock.
    """
    uri = f"file:{quote(os.fsencode(absolute(file)))}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True)
        try:
            # without this, a file could count as damaged while its log is copied into it
            connection.execute("PRAGMA writable_schema = ON")
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            if application_id:
                return application_id, False
            return 0, not connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
            raise ForeignDatabase(f"{file} is not a database; specify another file") from error
        with translated_errors(str(file)):
            raise


def mark_file(file: Path) -> None:
    """Create a missing file, private to its owner, and mark it as ours before it has any content.

    If the process is killed at any point, the file is empty, or marked but without tables.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: closing a file that SQLite has open in this process would drop its locks
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"{file} cannot be created: {error.strerror}; specify a writable path"
        ) from error
    with translated_errors(str(file)):
        connection = sqlite3.connect(file, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _set_wal(connection)
        finally:
            connection.close()


def _set_wal(connection: sqlite3.Connection) -> None:
    for attempts_left in reversed(range(10)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if not attempts_left:
                raise
            # this statement never waits for a lock; the transaction waits for other processes that
            # run it at the same time
            connection.executescript("BEGIN IMMEDIATE; COMMIT")
