"""Opens a database: `Store` reads it, and a `Unit` writes to it in one transaction.

Both are composed of one object per subject, each an attribute (`store_reads`, `unit`):

    versions = store.versions.of(nct_id)
    with store.unit() as unit:
        snapshot, is_new = unit.versions.add(...)
        ids = unit.events.add(..., to_snapshot=snapshot, ...)
        unit.outbox.enqueue(...)

A unit stores everything or nothing. If the answer to its commit was lost, it can be repeated:
versions, events and deliveries have identities and are stored once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, select

from ctsync.dates import Clock
from ctsync.errors import StoreUnavailable
from ctsync.store.bodies.reader import Dictionaries
from ctsync.store.database import migrate
from ctsync.store.database.access import Database, data_state
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.engine import (
    CACHE_KIB,
    PATIENCE_SECONDS,
    FileIdentity,
    file_identity,
    keep_from_writing,
    make_engine,
    name_of,
    parse_url,
    require_writable,
    sqlite_file,
    vacuum_file,
    writing,
)
from ctsync.store.database.fencing import require_token
from ctsync.store.database.filesystem import network_file_system
from ctsync.store.database.pooling import refuse_transaction_pooling
from ctsync.store.database.tables import MARKS, METADATA
from ctsync.store.derived.indexed_records import KeptRecords
from ctsync.store.store_reads import StoreReads
from ctsync.store.unit import Unit

log = logging.getLogger(__name__)


class Store(StoreReads):
    """An open database with the newest schema, and its reads, by subject."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        clock: Clock,
        *,
        identity: FileIdentity | None = None,
        dictionaries: Dictionaries | None = None,
        connection: Connection | None = None,
        searched: KeptRecords | None = None,
    ) -> None:
        self.name = name
        self._engine = engine
        self._identity = identity
        self._clock = clock
        self._token: str | None = None
        super().__init__(
            Database(engine, name, connection),
            dictionaries or Dictionaries(),
            searched or KeptRecords(),
        )

    @contextmanager
    def writer(self, *, holder: str, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the writer lock of the database (see `lock.writer_lock`).

        Units that begin while it is held raise LockLost if another writer has taken over. Raises
        LockHeld, and StoreUnavailable if the opened file was replaced by another one.
        """
        from ctsync.store.database.lock import writer_lock  # noqa: PLC0415 - readers do not need it

        lock = writer_lock(
            self._engine.url, clock=self._clock, holder=holder, wait_seconds=wait_seconds
        )
        with lock as token:
            if self.was_replaced:
                raise StoreUnavailable(
                    f"{self.name} was replaced after this command had opened it; run again"
                )
            self._token = token
            try:
                yield
            finally:
                self._token = None

    @contextmanager
    def unit(self, *, fenced: bool = True) -> Iterator[Unit]:
        """Open a write transaction. If the block raises, nothing is stored.

        `fenced=False` is for facts that stay true even after another writer has taken over, such as
        that a message was sent. All other units then raise LockLost.
        """
        with writing(self._engine, self.name) as connection:
            if fenced and self._token is not None:
                require_token(connection, self._token, self.name)
            yield Unit(connection, clock=self._clock, dictionaries=self._dictionaries)

    def view(self) -> AbstractContextManager[Connection]:
        """Open one consistent view of all tables, for the modules of the store that read them."""
        return self._database.reading()

    @contextmanager
    def one_view(self) -> Iterator[Store]:
        """Yield this store with all reads of the block in one transaction, as of its first read.

        Otherwise each read sees its own moment. For one thread; writes nothing.
        """
        with self.view() as connection:
            yield Store(
                self._engine,
                self.name,
                self._clock,
                identity=self._identity,
                dictionaries=self._dictionaries,
                connection=connection,
                searched=self._searched,
            )

    @property
    def was_replaced(self) -> bool:
        """Whether another file has taken the place of the SQLite file, or it was deleted."""
        return self._identity not in {None, file_identity(self._engine.url)}

    def vacuum(self) -> None:
        """Release free pages to the disk, and refresh the statistics of the query planner."""
        if self.file is not None:
            vacuum_file(self.file)
            return
        with translated_errors(self.name), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM (ANALYZE)")

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, None for a server."""
        return sqlite_file(self._engine.url)

    def counts(self, names: Collection[str] = ()) -> dict[str, int]:
        """Count the rows of these tables; by default, of each table except `ctsync_marks`."""
        every = [table for table in METADATA.sorted_tables if table is not MARKS]
        tables = [table for table in every if not names or table.name in names]
        with self.view() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in tables
            }

    def state(self) -> str:
        """Return a text that every committed write changes, so that answers can be kept.

        On PostgreSQL, writes to other databases of the server change it too.
        """
        with self.view() as connection:
            return data_state(connection)

    def revision(self) -> str | None:
        """Return the schema version of the database."""
        return migrate.current_revision(self._engine, self.name)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the store. It is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def open_store(
    url: str,
    *,
    clock: Clock,
    create: bool = True,
    patience_seconds: float = PATIENCE_SECONDS,
    cache_kib: int = CACHE_KIB,
) -> Store:
    """Open a database, after upgrading an empty or older one to the newest schema.

    `create` allows creating a missing database, private to its owner. A statement waits up to
    `patience_seconds` for another writer. `cache_kib` is the page cache of each connection to a
    SQLite file. For a file on a network file system, logs a warning.
    Raises ConfigError for an invalid URL, UsageError for a URL with mode=ro, ForeignDatabase,
    MixedDatabase, NewerDatabase, and StoreUnavailable, also for a server behind a proxy that pools
    transactions.
    """
    parsed = parse_url(url)
    if (file := sqlite_file(parsed)) is not None and (remote := network_file_system(file)):
        log.warning(
            "%s is on a network file system (%s), where SQLite can lose data if two programs write "
            "at the same time; put the database on a local disk, or use PostgreSQL",
            name_of(parsed),
            remote,
        )
    require_writable(parsed)
    identity = file_identity(parsed)
    engine = make_engine(parsed, patience_seconds=patience_seconds, cache_kib=cache_kib)
    refuse_transaction_pooling(engine)
    try:
        migrate.prepare(parsed, engine, create=create and parsed.query.get("mode") != "rw")
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, name_of(parsed), clock, identity=identity)


def open_for_reading(
    url: str,
    *,
    clock: Clock,
    patience_seconds: float = PATIENCE_SECONDS,
    cache_kib: int = CACHE_KIB,
) -> Store:
    """Open a database with the newest schema. Creates, upgrades and writes nothing.

    `cache_kib` is the page cache of each connection to a SQLite file. Raises NoDatabase if there
    is none yet, OldDatabase, NewerDatabase, ForeignDatabase, MixedDatabase, ConfigError for an
    invalid URL, and StoreUnavailable. A unit of this store fails at its first write.
    """
    parsed = parse_url(url)
    identity = file_identity(parsed)
    engine = make_engine(parsed, patience_seconds=patience_seconds, cache_kib=cache_kib)
    keep_from_writing(engine)
    try:
        migrate.require_current(parsed, engine)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, name_of(parsed), clock, identity=identity)
