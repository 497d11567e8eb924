"""The chain of commits, which shows whether a SQLite file and the `-wal` beside it belong together.

SQLite applies any valid log beside a file, even the log of another database or of a newer copy of
the file. So each write transaction writes a link into the header of the file, on page 1: a random
number, and that of the previous transaction. Either the first link in the log follows the link in
the file, or the link in the file is one of the log's links.

The link is SQLite's `user_version`, 32 bits, which no other part of ctsync uses.
Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from ctsync.errors import MixedDatabase
from ctsync.files import absolute

_LINK_AT = 60
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)  # the last bit says that the checksums are big-endian
_BITS = 0xFFFFFFFF
_ATTEMPTS = 5
"""Maximum number of reads of a pair that does not match and that a writer keeps changing."""


def add_link(connection: sqlite3.Connection) -> None:
    """Write a new link into the header, as part of the open transaction."""
    (stored,) = connection.execute("PRAGMA user_version").fetchone()
    link = (secrets.randbelow(0xFFFF) + 1) << 16 | (stored & _BITS) >> 16
    signed = link - 2**32 if link >= 2**31 else link
    connection.execute(f"PRAGMA user_version = {signed}")


def commit_link(connection: sqlite3.Connection) -> None:
    """Write a new link into the header in a separate transaction."""
    connection.execute("BEGIN IMMEDIATE")
    add_link(connection)
    connection.execute("COMMIT")


def log_of(file: Path) -> Path:
    """Return the path of a file's log."""
    return file.with_name(f"{file.name}-wal")


def require_own_log(file: Path) -> None:
    """Raise MixedDatabase if the log beside a file belongs to another database. Writes nothing."""
    if has_foreign_log(file):
        raise MixedDatabase(
            f"{log_of(file)} is the log of another database, and opening both would mix them; "
            f"move it away together with {file.name}-shm, or run: ctsync restore BACKUP"
        )


def has_foreign_log(file: Path) -> bool:
    """Return whether the log beside a file belongs to another database. Writes nothing.

    Returns False for a log that SQLite would ignore, and while a writer keeps changing the pair.
    """
    for _ in range(_ATTEMPTS):
        pair = _read_pair(file)
        if pair is None or _matches(pair, _links(pair, checked=False)):
            return False
        links = list(_links(pair, checked=True))
        if not links or _matches(pair, iter(links)):
            return False
        if _read_pair(file) == pair:
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Pair:
    """The headers of a file and of its log."""

    log: Path
    link: int
    page_size: int
    header: bytes

    @property
    def log_page_size(self) -> int:
        return int(_HEADER.unpack(self.header)[2])


def _read_pair(file: Path) -> _Pair | None:
    """Return the headers, or None if there is no log or SQLite would ignore it."""
    log = log_of(file)
    try:
        with log.open("rb") as stream:
            header = stream.read(_HEADER.size)
        values = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, 0, 0)
        if values[0] not in _MAGIC or not 512 <= values[2] <= 65536:
            return None
        link, page_size = _read_head(file)
    except (OSError, sqlite3.DatabaseError):
        return None
    return _Pair(log, link, page_size, header)


def _read_head(file: Path) -> tuple[int, int]:
    """Return the link and the page size in a file, without its log. Takes no lock.

    Reads through SQLite: if this process opened and closed the file itself, the system would drop
    the locks that SQLite holds on it in this process. Another process would then remove the log.
    """
    uri = f"file:{quote(os.fsencode(absolute(file)))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        # without this, a file could count as damaged while its log is copied into it
        connection.execute("PRAGMA writable_schema = ON")
        (link,) = connection.execute("PRAGMA user_version").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return link & _BITS, page_size


def _matches(pair: _Pair, links: Iterator[int]) -> bool:
    """Return whether a log with these links belongs to the file. An empty log does."""
    if pair.page_size != pair.log_page_size:
        return False
    first = next(links, None)
    if first is None or first == pair.link or first & 0xFFFF == pair.link >> 16:
        return True
    return any(link == pair.link for link in links)


def _links(pair: _Pair, *, checked: bool) -> Iterator[int]:
    """Yield the link of each copy of page 1 in the log, oldest first.

    `checked` verifies every checksum, as SQLite does, and yields only committed links. Without it,
    only frame headers and links are read.
    """
    try:
        with pair.log.open("rb") as stream:
            if stream.read(_HEADER.size) == pair.header:
                yield from _verified(stream, pair) if checked else _unverified(stream, pair)
    except OSError:
        return


def _unverified(stream: IO[bytes], pair: _Pair) -> Iterator[int]:
    salts = _HEADER.unpack(pair.header)[4:6]
    at = _HEADER.size
    while len(head := stream.read(_FRAME.size)) == _FRAME.size:
        frame = _FRAME.unpack(head)
        if frame[2:4] != salts:
            return
        if frame[0] == 1:
            page = stream.read(_LINK_AT + 4)
            if len(page) == _LINK_AT + 4:
                yield struct.unpack_from(">I", page, _LINK_AT)[0]
        at += _FRAME.size + pair.log_page_size
        stream.seek(at)


def _verified(stream: IO[bytes], pair: _Pair) -> Iterator[int]:
    header = _HEADER.unpack(pair.header)
    order = ">" if header[0] & 1 else "<"
    sums = _checksum((0, 0), pair.header[:24], order)
    if sums != header[6:8]:
        return
    waiting: list[int] = []
    while len(head := stream.read(_FRAME.size)) == _FRAME.size:
        frame, page = _FRAME.unpack(head), stream.read(pair.log_page_size)
        if frame[2:4] != header[4:6] or len(page) < pair.log_page_size:
            return
        sums = _checksum(_checksum(sums, head[:8], order), page, order)
        if sums != frame[4:6]:
            return
        if frame[0] == 1:
            waiting.append(struct.unpack_from(">I", page, _LINK_AT)[0])
        if frame[1]:  # the last frame of a transaction
            yield from waiting
            waiting.clear()


def _checksum(sums: tuple[int, int], content: bytes, order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = first + even + second & _BITS
        second = second + odd + first & _BITS
    return first, second
