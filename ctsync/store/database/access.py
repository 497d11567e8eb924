"""What reading and writing share: connections, batches, inserts that may repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, Insert, Integer, Table, insert, literal_column

from ctsync.dates import Clock
from ctsync.store.bodies.reader import Dictionaries
from ctsync.store.database.engine import reading

BATCH = 1000
"""How many ids one statement names; both databases take far more."""

T = TypeVar("T")


class Reads:
    """Reads of one database, each a consistent view of its own."""

    def __init__(self, engine: Engine, name: str) -> None:
        """`name` is what errors call the database."""
        self._engine = engine
        self._dictionaries = Dictionaries()
        self.name = name

    def _reading(self) -> AbstractContextManager[Connection]:
        return reading(self._engine, self.name)


class Writes:
    """Writes within one open transaction."""

    def __init__(
        self, connection: Connection, clock: Clock, dictionaries: Dictionaries | None = None
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._dictionaries = dictionaries or Dictionaries()

    def _insert_new(self, table: Table[Any], rows: Sequence[dict[str, Any]]) -> int:
        """Insert the rows whose identity is not there yet; how many that were."""
        return sum(self._insert_batch(table, batch) for batch in batches(rows))

    def _insert_batch(self, table: Table[Any], rows: Sequence[dict[str, Any]]) -> int:
        # what is returned is counted: drivers do not agree on the row count of many inserts
        new = _insert_unless_there(table, self._connection.dialect)
        added = new.returning(literal_column("1", Integer))
        return len(self._connection.execute(added, list(rows)).all())

    def _insert_rows(
        self,
        table: Table[Any],
        columns: tuple[str, ...],
        rows: Sequence[Sequence[Any]],
        *,
        unless_there: bool = False,
    ) -> int:
        """Insert rows whose values are in the order of `columns`; how many that were.

        By the driver's own way, where SQLAlchemy would take each row apart: half of the time.
        Raises ValueError for a value that its column's type refuses.
        """
        if not rows:
            return 0
        dialect = self._connection.dialect
        inserting = _inserting(table, columns, dialect, unless_there=unless_there)
        done = self._connection.exec_driver_sql(inserting.sql, inserting.bind(rows))
        return done.rowcount  # both drivers add up what each row changed


@dataclass(frozen=True, slots=True)
class _Inserting:
    """The insertion of rows into some columns, as a driver takes it."""

    sql: str
    names: tuple[str, ...]
    places: tuple[int, ...]
    processors: tuple[Callable[[Any], Any] | None, ...]
    is_positional: bool

    def bind(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        given = list(zip(*rows, strict=True))
        by_column = [
            given[place] if process is None else map(process, given[place])
            for place, process in zip(self.places, self.processors, strict=True)
        ]
        bound = zip(*by_column, strict=True)
        if self.is_positional:
            return list(bound)
        return [dict(zip(self.names, row, strict=True)) for row in bound]


@lru_cache(maxsize=64)
def _inserting(
    table: Table[Any], columns: tuple[str, ...], dialect: Dialect, *, unless_there: bool
) -> _Inserting:
    statement = _insert_unless_there(table, dialect) if unless_there else insert(table)
    # inline: it returns nothing
    compiled = statement.inline().compile(dialect=dialect, column_keys=list(columns))
    names = tuple(compiled.positiontup or columns)
    types = [table.columns[name].type.dialect_impl(dialect) for name in names]
    return _Inserting(
        str(compiled),
        names,
        places=tuple(columns.index(name) for name in names),
        processors=tuple(kind.bind_processor(dialect) for kind in types),
        is_positional=compiled.positional,
    )


def _insert_unless_there(table: Table[Any], dialect: Dialect) -> Insert:
    if dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - slow to import
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # noqa: PLC0415 - the same method
    return insert(table).on_conflict_do_nothing()


def batches(items: Sequence[T]) -> Iterator[list[T]]:
    """Cut a long list into pieces that one statement can name."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
