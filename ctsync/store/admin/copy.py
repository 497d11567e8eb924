"""Copies all tables of a database into another, SQLite or PostgreSQL, and compares them.

Rows are copied as they are stored: text escaped, JSON as text, bodies packed. Only times, booleans
and digests are converted, because SQLite and PostgreSQL store them differently. The target is
written in one transaction: it gets all rows or none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    Text,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from ctsync.dates import Clock
from ctsync.errors import LockHeld, StoreError, UsageError
from ctsync.store.database.engine import name_of, parse_url
from ctsync.store.database.tables import BODIES, MARKS, METADATA
from ctsync.store.database.types import Count, JsonText, RemoteText
from ctsync.store.store import Store, open_store

_READ_AT_ONCE = 500
_OWN_MARKS = ("application", "writer", "text_index")
"""Marks about the database itself and its writers. They are not copied."""
_OWN_TABLES = ("text_bodies", "text_values", "text_places")
"""The text index has another form on the other kind of database: `db index-text` builds it."""

_HOLDER = "ctsync db copy"


@dataclass(frozen=True, slots=True)
class TableContents:
    """The number of rows of a table, and a digest of them that does not depend on their order."""

    rows: int
    digest: str


def copy_database(
    source_url: str,
    target_url: str,
    *,
    clock: Clock,
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
) -> dict[str, TableContents]:
    """Copy a database into an empty one, and return the contents of each table.

    Holds both writer locks. Readers of the source can continue. Creates the target if it is
    missing, and upgrades both to the newest schema. Reads the copied rows again and compares them
    before the commit. Calls `progress(table, rows)` for each batch.

    Raises UsageError if the target has rows or is the source itself. Raises LockHeld if another
    writer runs or messages of the source are being sent. Raises StoreError if the copied rows
    differ; the target then stays empty.
    """
    if name_of(parse_url(source_url)) == name_of(parse_url(target_url)):
        raise UsageError("a database cannot be copied into itself")
    with (
        open_store(source_url, clock=clock, create=False) as source,
        source.writer(holder=_HOLDER),
        open_store(target_url, clock=clock) as target,
        target.writer(holder=_HOLDER),
    ):
        _require_no_message_under_way(source, clock)
        _require_empty(target)
        copied = _copy(source, target, progress)
        if target.file is None:
            # until PostgreSQL has statistics of the new rows, its query plans are slow
            with suppress(StoreError):
                target.vacuum()
        return copied


def _require_no_message_under_way(source: Store, clock: Clock) -> None:
    # the copy would not record that they were sent, and would send them again
    if source.outbox.is_being_sent(clock.now()):
        raise LockHeld(
            f"messages of {source.name} are being sent; try again when no delivery is claimed: "
            "ctsync outbox list"
        )


def _require_empty(target: Store) -> None:
    held = {table: count for table, count in target.counts().items() if count}
    if held:
        shown = ", ".join(f"{count:,} {table}" for table, count in held.items())
        raise UsageError(f"{target.name} is not empty ({shown}); specify a new or empty database")


def _copy(
    source: Store, target: Store, progress: Callable[[str, int], None]
) -> dict[str, TableContents]:
    sent: dict[str, TableContents] = {}
    with source.view() as reader, target.unit() as unit:
        writer = unit.connection
        for table in _plain_tables():
            tally = _Tally()
            for rows in _batches_of(reader, table):
                _insert(writer, table, rows)
                for row in rows:
                    tally.add(row)
                progress(table.name, tally.rows)
            sent[str(table.name)] = tally.contents()
            _move_sequence(writer, table)
        for table in _plain_tables():
            arrived = contents_of(writer, table)
            if arrived != sent[table.name]:
                raise StoreError(
                    f"the copy of {table.name} differs from its source ({sent[table.name].rows:,} "
                    f"rows read, {arrived.rows:,} written); nothing was stored in {target.name}"
                )
    return sent


def _insert(writer: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    if writer.dialect.name == "postgresql":
        _send(writer, table, rows)
        return
    names = table.columns.keys()
    writer.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def _send(writer: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert with COPY: 3.6 million rows take 246 s, compared with 392 s with INSERT."""
    dialect = writer.dialect
    quote = dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    kinds = [column.type.dialect_impl(dialect) for column in table.columns]
    processors = [kind.bind_processor(dialect) for kind in kinds]
    sql = f"COPY {quote(table.name)} ({columns}) FROM STDIN"
    driver: Any = writer.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(sql) as copying:
            for row in rows:
                copying.write_row(
                    value if process is None else process(value)
                    for process, value in zip(processors, row, strict=True)
                )
    except driver.Error as error:  # the same error as for SQLAlchemy's own statements
        raise DBAPIError.instance(sql, (), error, driver.Error, dialect=dialect) from error


def contents_of(connection: Connection, table: Table) -> TableContents:
    """Count and digest the rows of a table, with a few at a time in memory."""
    tally = _Tally()
    for rows in _batches_of(connection, table):
        for row in rows:
            tally.add(row)
    return tally.contents()


def contents(store: Store) -> dict[str, TableContents]:
    """Count and digest every table. Two databases with the same rows give the same result."""
    with store.view() as connection:
        return {str(t.name): contents_of(connection, t) for t in _plain_tables()}


def _batches_of(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    statement = _in_order(table).execution_options(yield_per=_READ_AT_ONCE)
    with connection.execute(statement) as found:
        for partition in found.partitions():
            yield [tuple(row) for row in partition]


def _in_order(table: Table) -> Select[Any]:
    statement = select(table)
    if table.name == MARKS.name:
        return statement.where(table.c.key.not_in(_OWN_MARKS))
    if table.name == BODIES.name:
        return statement.order_by(table.c.depth)  # a body comes after its base
    return statement


def _plain_tables() -> list[Table]:
    """Return the tables, referenced ones first, with text, JSON and counts as they are stored."""
    metadata = MetaData()
    return [
        Table(
            table.name,
            metadata,
            *(Column(column.name, _as_stored(column.type)) for column in table.columns),
        )
        for table in METADATA.sorted_tables
        if table.name not in _OWN_TABLES
    ]


def _as_stored(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, RemoteText | JsonText):
        return Text()
    return BigInteger() if isinstance(kind, Count) else kind


def _move_sequence(connection: Connection, table: Table) -> None:
    """Make PostgreSQL number new rows after the copied ones. SQLite does this by itself."""
    if connection.dialect.name != "postgresql" or "id" not in table.columns:
        return
    asked = text("SELECT pg_get_serial_sequence(:table, 'id')")
    sequence = connection.execute(asked, {"table": table.name}).scalar()
    last = connection.execute(select(func.max(table.c.id))).scalar()
    if sequence is not None and last is not None:
        connection.execute(
            text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last}
        )


class _Tally:
    """Counts rows and sums their digests, because databases sort text differently."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: tuple[Any, ...]) -> None:
        digest = hashlib.sha256(repr(row).encode()).digest()
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(digest)) % 2**256

    def contents(self) -> TableContents:
        return TableContents(self.rows, f"{self._sum:064x}")
