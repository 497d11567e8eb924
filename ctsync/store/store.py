"""The one door to the database: reads are methods of Store, writes happen in a unit.

    with store.unit() as unit:
        snapshot, is_new = unit.add_version(...)
        ids = unit.add_events(..., to_snapshot=snapshot, ...)
        unit.enqueue(...)

A unit is one transaction: all of it is stored, or nothing. It may be repeated after a commit
whose answer was lost: versions, events and deliveries have identities and are stored once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, select

from ctsync.dates import Clock
from ctsync.store.admin.repair import DamageReads, Mends
from ctsync.store.admin.row_export import InterchangeReads, InterchangeWrites
from ctsync.store.data.bulk_reads import StreamReads
from ctsync.store.data.condition_sql import SearchReads
from ctsync.store.data.cursors import WalkReads, WalkWrites
from ctsync.store.data.event_rewrites import EventRewrites
from ctsync.store.data.events import EventReads, EventWrites
from ctsync.store.data.history_versions import HistoryReads, HistoryWrites
from ctsync.store.data.outbox import DeliveryReads, DeliveryWrites
from ctsync.store.data.runs import RunReads, RunWrites
from ctsync.store.data.version_batches import StepWrites
from ctsync.store.data.versions import VersionReads
from ctsync.store.data.watched_trials import FollowedReads
from ctsync.store.data.watches import WatchReads, WatchWrites
from ctsync.store.database import migrate
from ctsync.store.database.engine import (
    PATIENCE_SECONDS,
    keep_from_writing,
    make_engine,
    name_of,
    parse_url,
    sqlite_file,
    told_apart,
    vacuum_file,
    writing,
)
from ctsync.store.database.fencing import require_token
from ctsync.store.database.filesystem import network_file_system
from ctsync.store.database.tables import MARKS, METADATA

log = logging.getLogger(__name__)


class Unit(
    HistoryWrites,
    InterchangeWrites,
    StepWrites,
    EventWrites,
    EventRewrites,
    Mends,
    WatchWrites,
    RunWrites,
    DeliveryWrites,
    WalkWrites,
):
    """What can be written, within one transaction."""

    @property
    def connection(self) -> Connection:
        """The transaction itself, for what writes tables whole; of the store's own modules."""
        return self._connection


class Store(
    VersionReads,
    HistoryReads,
    SearchReads,
    DamageReads,
    StreamReads,
    InterchangeReads,
    EventReads,
    WatchReads,
    RunReads,
    DeliveryReads,
    WalkReads,
    FollowedReads,
):
    """An open database of the newest schema."""

    def __init__(self, engine: Engine, name: str, clock: Clock) -> None:
        super().__init__(engine, name)
        self._clock = clock
        self._token: int | None = None

    @contextmanager
    def writer(self, *, holder: str, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the database's one right to write, as `lock.writer_lock` says.

        Units begun meanwhile raise LockLost once another writer has taken over. Raises LockHeld.
        """
        from ctsync.store.database.lock import writer_lock  # noqa: PLC0415 - readers need none of it

        lock = writer_lock(
            self._engine.url, clock=self._clock, holder=holder, wait_seconds=wait_seconds
        )
        with lock as token:
            self._token = token
            try:
                yield
            finally:
                self._token = None

    @contextmanager
    def unit(self, *, fenced: bool = True) -> Iterator[Unit]:
        """The only write transaction; left by an exception, it stores nothing.

        One that is not `fenced` is for what holds whoever writes by now: that a message left.
        """
        with writing(self._engine, self.name) as connection:
            if fenced and self._token is not None:
                require_token(connection, self._token, self.name)
            yield Unit(connection, self._clock, self._dictionaries)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """One view of every table, for what reads them whole; of the store's own modules."""
        return self._reading()

    def vacuum(self) -> None:
        """Have the database give back its free room, and know anew how its rows are spread."""
        if self.file is not None:
            vacuum_file(self.file)
            return
        with told_apart(self.name), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM (ANALYZE)")

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, None for a server."""
        return sqlite_file(self._engine.url)

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        tables = [t for t in METADATA.sorted_tables if t is not MARKS]
        with self._reading() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in tables
            }

    def revision(self) -> str | None:
        """The schema of the database."""
        return migrate.current_revision(self._engine, self.name)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Give the store, to be closed at the end."""
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
) -> Store:
    """Open a database, and bring an empty or older one to the newest schema first.

    A missing one is made where `create` allows it, private to its owner. A statement that
    must wait for another program waits `patience_seconds`. Raises ConfigError for a URL that
    cannot be read, ForeignDatabase and NewerDatabase for what is not ours to touch, and
    StoreUnavailable. A file on a network file system is served, with a warning in the log.
    """
    parsed = parse_url(url)
    if (file := sqlite_file(parsed)) is not None and (remote := network_file_system(file)):
        log.warning(
            "%s lies on a network file system (%s), where SQLite can lose what two programs write "
            "at once; put the database on a local disk, or use PostgreSQL",
            name_of(parsed),
            remote,
        )
    engine = make_engine(parsed, patience_seconds=patience_seconds)
    try:
        migrate.prepare(parsed, engine, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, name_of(parsed), clock)


def open_for_reading(
    url: str, *, clock: Clock, patience_seconds: float = PATIENCE_SECONDS
) -> Store:
    """Open a database of the newest schema; nothing is created, upgraded or written.

    Raises NoDatabase if there is none yet, OldDatabase, NewerDatabase and ForeignDatabase,
    ConfigError for a URL that cannot be read, and StoreUnavailable. A unit of this store fails
    at its first write.
    """
    parsed = parse_url(url)
    engine = make_engine(parsed, patience_seconds=patience_seconds)
    keep_from_writing(engine)
    try:
        migrate.require_current(parsed, engine)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, name_of(parsed), clock)
