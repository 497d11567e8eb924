"""A pytest plugin that compiles each SQL statement once per process, not once per database.

SQLAlchemy keeps compiled statements per engine, and nearly every test makes an engine of its own.
Compiling took a fifth of the time of the tests that use a store. The engines of one kind of
database have equal dialects here, so that each finds the statements of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Dialect, Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

MOST_STATEMENTS = 3000


def _is_same_kind(one: Dialect, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_kind(one: Dialect) -> int:
    return hash(type(one))


@pytest.fixture(scope="session", autouse=True)
def shared_statements() -> Iterator[None]:
    """Give all engines of ctsync the same cache of compiled statements."""
    compiled: LRUCache[Any, Any] = LRUCache(MOST_STATEMENTS)

    def create_sharing(*args: Any, **more: Any) -> Engine:
        engine = create_engine(*args, **more)
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    equal: dict[str, Any] = {"__eq__": _is_same_kind, "__hash__": _hash_of_kind}
    with (
        patch.multiple(SQLiteDialect_pysqlite, **equal),
        patch.multiple(PGDialect_psycopg, **equal),
        patch("ctsync.store.database.engine.create_engine", create_sharing),
    ):
        yield
