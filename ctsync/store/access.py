"""What reading and writing share: connections, batches, inserts that may repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Integer, literal_column

from ctsync.dates import Clock
from ctsync.store.bodies import Dictionaries
from ctsync.store.engine import reading
from ctsync.store.models import Base

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

    def _insert_new(self, table: type[Base], rows: Sequence[dict[str, Any]]) -> int:
        """Insert the rows whose identity is not there yet; how many that were."""
        return sum(self._insert_batch(table, batch) for batch in batches(rows))

    def _insert_batch(self, table: type[Base], rows: Sequence[dict[str, Any]]) -> int:
        if self._connection.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - slow to import
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # noqa: PLC0415 - the same method
        # what is returned is counted: drivers do not agree on the row count of many inserts
        added = insert(table).on_conflict_do_nothing().returning(literal_column("1", Integer))
        return len(self._connection.execute(added, list(rows)).all())


def batches(items: Sequence[T]) -> Iterator[list[T]]:
    """Cut a long list into pieces that one statement can name."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
