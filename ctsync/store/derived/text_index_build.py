"""Builds the text index of a database, or deletes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select

from ctsync.store.admin.compact import size_of
from ctsync.store.database.tables import BODIES, TEXT_BODIES, TEXT_VALUES
from ctsync.store.derived.text_index import TextDetail, detail_in_use, text_index_problem
from ctsync.store.store import Store

_AT_ONCE = 500
_BYTES_AT_ONCE = 16 * 2**20
"""The most bytes of the records of one transaction: some records have 4 MB."""
_HOLDER = "ctsync db index-text"
_BEFORE_ALL = "0:"
"""Sorts before each digest."""


@dataclass(frozen=True, slots=True)
class TextIndexSize:
    """What the text index holds, and the bytes by which the database grew; negative: it shrank.

    `damaged` counts the records that cannot be read.
    """

    records: int
    texts: int
    damaged: int
    bytes: int


def build_text_index(
    store: Store,
    detail: TextDetail | None = None,
    *,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> TextIndexSize:
    """Index the stored records that are not indexed yet. Holds the writer lock.

    Without `detail`, an index keeps its own; a new one knows the order of words. A damaged index
    and one of another detail are built from nothing. Each batch is one transaction: a killed build
    is continued by the next one. Calls `progress(done, of)` after each batch. Raises LockHeld, and
    UsageError without FTS5.
    """
    with store.writer(holder=_HOLDER):
        before = _used_bytes(store)
        with store.view() as connection:
            in_use = detail_in_use(connection)
            is_damaged = text_index_problem(connection) is not None
        with store.unit() as unit:
            if is_damaged:
                unit.texts.drop()
            kept = unit.texts.create(detail or in_use)
        total, done, added, last = _missing(store), 0, 0, _BEFORE_ALL
        while True:
            with store.unit() as unit:
                digests = unit.texts.missing(last, limit=_AT_ONCE, most_bytes=_BYTES_AT_ONCE)
                added += unit.texts.add(digests, kept)
            if not digests:
                break
            last, done = digests[-1], done + len(digests)
            progress(done, total)
        with store.unit() as unit:
            unit.texts.put_in_use(kept)
        if store.file is None:
            store.vacuum()  # PostgreSQL needs statistics of the new rows
        with store.view() as connection:
            return TextIndexSize(
                records=connection.scalar(select(func.count()).select_from(TEXT_BODIES)) or 0,
                texts=connection.scalar(select(func.count()).select_from(TEXT_VALUES)) or 0,
                damaged=done - added,
                bytes=_used_bytes(store) - before,
            )


def drop_text_index(store: Store) -> bool:
    """Delete the text index, and return whether there was one. Holds the writer lock."""
    with store.writer(holder=_HOLDER), store.unit() as unit:
        return unit.texts.drop()


def _used_bytes(store: Store) -> int:
    """Return the size of the database without free pages, and without SQLite's log.

    The log of a build can be larger than the index, and is emptied later.
    """
    if store.file is None:
        return size_of(store)
    with store.view() as connection:
        pages, free, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int(pages - free) * int(size)


def _missing(store: Store) -> int:
    with store.view() as connection:
        bodies = connection.scalar(select(func.count()).select_from(BODIES)) or 0
        return bodies - (connection.scalar(select(func.count()).select_from(TEXT_BODIES)) or 0)
