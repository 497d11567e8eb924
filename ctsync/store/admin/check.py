"""Checks a database for inconsistencies: bodies, chains, heads, events, the file. Changes nothing.

Checks what the database itself does not enforce. Its own constraints are checked on SQLite only,
because anyone may have edited the file.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Connection, exists, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from ctsync.dates import Clock
from ctsync.errors import CorruptBody, MixedDatabase, StoreError
from ctsync.model import Category, Kind, Level, Source, State, Verdict
from ctsync.store.admin.damage import misplaced_events, streamed, wrong_heads, wrong_path_keys
from ctsync.store.bodies.reader import Dictionaries, is_unused, true_depths
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.database import migrate
from ctsync.store.database.access import BATCH
from ctsync.store.database.driver_errors import translated_errors
from ctsync.store.database.engine import (
    connect_file,
    is_read_only,
    make_engine,
    name_of,
    parse_url,
    reading,
    sqlite_file,
)
from ctsync.store.database.tables import (
    BODIES,
    DELIVERIES,
    EVENTS,
    HEAD_REVISION,
    METADATA,
    RUNS,
    SNAPSHOTS,
    TRIALS,
)
from ctsync.store.derived.text_index import text_index_problem

SHOWN_BY_SQLITE = 100
MIXED_FILES = "mixed files"
DAMAGED_FILE = "damaged file"
CORRUPT = "corrupt body"
WRONG_SIZE = "wrong size or depth"
WRONG_SCHEMA = "wrong schema"
UNREADABLE = "unreadable"
_LEAST_DIGEST = "0:"


@dataclass(frozen=True, slots=True)
class Problem:
    """Damage or an inconsistency. `where` names the row, table or file."""

    kind: str
    where: str
    says: str

    def __str__(self) -> str:
        """Format it in one line."""
        return f"{self.kind}: {self.where}: {self.says}"


def check(url: str) -> list[Problem]:
    """Return every problem of the database at `url`. Each check reads in its own transaction.

    A check that cannot finish is reported as a problem. Raises StoreUnavailable or
    ForeignDatabase if there is no ctsync database.
    """
    parsed = parse_url(url)
    engine, name = make_engine(parsed), name_of(parsed)
    try:
        try:
            migrate.require_ours(parsed, engine)
        except MixedDatabase as error:
            return [Problem(MIXED_FILES, name, str(error))]
        problems: list[Problem] = []
        for look in _CHECKS:
            try:
                with reading(engine, name) as connection:
                    problems += look(connection)
            except (StoreError, SQLAlchemyError, ValueError) as error:
                said = str(error).splitlines()[0]
                problems.append(Problem(UNREADABLE, look.__name__.removeprefix("_"), said))
        return problems
    finally:
        engine.dispose()


def quick_check(url: str, *, clock: Clock, seconds: float) -> list[str] | None:
    """Return the problems that SQLite itself finds in a file, at most ten.

    Returns None if the check takes longer than `seconds`. Raises StoreError if the file cannot be
    read, and ValueError for a server, which checks its own files.
    """
    parsed = parse_url(url)
    file = sqlite_file(parsed)
    if file is None:
        raise ValueError("a server has no file to check")
    deadline = clock.monotonic() + seconds
    with (
        translated_errors(str(file)),
        closing(connect_file(file, reads_only=is_read_only(parsed))) as connection,
    ):
        connection.set_progress_handler(lambda: clock.monotonic() > deadline, 100_000)
        try:
            found = [str(said) for (said,) in connection.execute("PRAGMA quick_check(10)")]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return None
            raise
    return [said for said in found if said != "ok"]


def _file(connection: Connection) -> Iterator[Problem]:
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.execute(text(f"PRAGMA integrity_check({SHOWN_BY_SQLITE})")):
        if said != "ok":
            yield Problem(DAMAGED_FILE, "integrity_check", str(said))
    for table, row, parent, _ in connection.execute(text("PRAGMA foreign_key_check")):
        yield Problem("broken reference", f"{table} row {row}", f"no such row of {parent}")


def _schema(connection: Connection) -> Iterator[Problem]:
    if connection.dialect.name == "sqlite":
        # SQLite itself ignores values in its schema that are not text; a dump would fail on them
        connection.execute(text("SELECT name, tbl_name, sql FROM sqlite_master")).all()
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if found != [HEAD_REVISION]:
        yield Problem(WRONG_SCHEMA, "alembic_version", f"{found}, expected {HEAD_REVISION}")


def _values(connection: Connection) -> Iterator[Problem]:
    """Read every value except packed data. The first unreadable value ends the check."""
    for table in METADATA.sorted_tables:
        columns = [column for column in table.columns if column.name != "data"]
        deque(streamed(connection, select(*columns)), maxlen=0)
    for column, words in _WORDS.items():
        for word in connection.scalars(select(column).distinct()):
            if word is not None and word not in list(words):
                yield Problem("unknown word", str(column), repr(word))


def _bodies(connection: Connection) -> Iterator[Problem]:
    if connection.dialect.name == "sqlite":
        named = select(BODIES.c.digest).where(func.typeof(BODIES.c.digest) != "blob")
        for text_of_other in connection.scalars(named):
            yield Problem(CORRUPT, repr(text_of_other), "its name is not a digest")
    last, dictionaries = _LEAST_DIGEST, Dictionaries()
    while True:
        page = select(BODIES.c.digest, BODIES.c.raw_size)
        page = page.where(BODIES.c.digest > last).order_by(BODIES.c.digest).limit(BATCH)
        rows = connection.execute(page).all()
        if not rows:
            return
        last = rows[-1].digest
        for row in rows:
            try:
                chain = dictionaries.chain(connection, row.digest)
                raw = dictionaries.unpack(connection, chain, row.digest)
            except CorruptBody as error:
                yield Problem(CORRUPT, row.digest, str(error))
                continue
            depths = [link.depth for link in chain]
            if len(raw) != row.raw_size or depths != true_depths(chain):
                yield Problem(WRONG_SIZE, row.digest, f"{len(raw)} B, depths {depths}")


def _unused_bodies(connection: Connection) -> Iterator[Problem]:
    for digest in connection.scalars(select(BODIES.c.digest).where(is_unused())):
        yield Problem("unused body", digest, "no version points to it")


def _heads(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(wrong_heads()):
        yield Problem(
            "wrong head", row.nct_id, f"snapshot {row.head_snapshot_id} is not its newest"
        )


def _snapshots(connection: Connection) -> Iterator[Problem]:
    bodiless = select(SNAPSHOTS.c.id, SNAPSHOTS.c.nct_id, SNAPSHOTS.c.state).where(
        (SNAPSHOTS.c.state == "present") == SNAPSHOTS.c.digest.is_(None)
    )
    for row in connection.execute(bodiless):
        yield Problem("wrong state", f"{row.nct_id} snapshot {row.id}", f"{row.state} does not fit")


def _numbers(connection: Connection) -> Iterator[Problem]:
    """Find versions whose registry version number, if known, is not above all earlier ones."""
    older = SNAPSHOTS.alias()
    wrong = (
        select(SNAPSHOTS.c.id, SNAPSHOTS.c.nct_id, SNAPSHOTS.c.registry_version)
        .where(SNAPSHOTS.c.registry_version.is_not(None))
        .where(
            exists().where(
                older.c.nct_id == SNAPSHOTS.c.nct_id,
                older.c.position < SNAPSHOTS.c.position,
                older.c.registry_version >= SNAPSHOTS.c.registry_version,
            )
        )
    )
    for row in connection.execute(wrong):
        yield Problem(
            "wrong number",
            f"{row.nct_id} snapshot {row.id}",
            f"registry version {row.registry_version} follows one with an equal or higher number",
        )


def _events(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(misplaced_events()):
        yield Problem("misplaced event", f"event {row.id}", f"not a step of {row.nct_id}")
    for wrong in wrong_path_keys(connection):
        yield Problem("wrong path", f"event {wrong.event_id}", "the index holds another path")


def _text_index(connection: Connection) -> Iterator[Problem]:
    said = text_index_problem(connection)
    if said is not None:
        yield Problem("text index", "text_words", f"{said}; build it again: ctsync db index-text")


_WORDS: dict[Column[Any], type[StrEnum]] = {
    TRIALS.c.state: State,
    SNAPSHOTS.c.state: State,
    SNAPSHOTS.c.source: Source,
    EVENTS.c.kind: Kind,
    EVENTS.c.category: Category,
    EVENTS.c.level: Level,
    RUNS.c.verdict: Verdict,
    DELIVERIES.c.state: DeliveryState,
}

_CHECKS: tuple[Callable[[Connection], Iterator[Problem]], ...] = (
    _file,
    _schema,
    _values,
    _bodies,
    _unused_bodies,
    _snapshots,
    _heads,
    _numbers,
    _events,
    _text_index,
)
