"""Generates a database like that of ten years of daily changes: 4.3 million versions.

A small database is copied inside its file, each time with other trials, which takes a tenth of the
time of inserting rows one by one. Its bodies are small: the file has the rows of a real one, not
its size. As in a mirror, all changes of a day have the time of the same load.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

from ctsync.store.bodies import codec
from tests.bench.big_database import make_database
from tests.registry_fixtures import an_id

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FOLLOWED = 600
VERSIONS = 7
YEARS = 10
_COPIES = "WITH RECURSIVE copies(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM copies WHERE k < ?)"
_TRIAL = f"printf('NCT%08d', CAST(substr(nct_id, 4) AS INTEGER) + k * {FOLLOWED})"


def make_grown_database(file: Path, *, copies: int, now: datetime) -> None:
    """Fill a new SQLite file: FOLLOWED trials, and `copies` as many that nobody follows.

    Each step of a followed trial has three events, of the others two.
    """
    make_database(file, FOLLOWED, now=now, versions=VERSIONS, years=YEARS)
    versions = FOLLOWED * VERSIONS
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        # a log would be as large as the file
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        bodies = _bodies(connection)
        connection.create_function(
            "copied_digest", 2, lambda digest, k: _digest(_copied(*bodies[digest], k))
        )
        connection.execute("BEGIN")
        moved = {"nct_id": _TRIAL, "head_snapshot_id": f"head_snapshot_id + k * {versions}"}
        _copy(connection, "trials", moved, copies)
        connection.executemany(
            "INSERT INTO bodies (digest, raw_size, encoding, depth, data)"
            " VALUES (?, ?, 'keyframe', 0, ?)",
            _copied_bodies(bodies, copies),
        )
        moved = {
            "id": f"id + k * {versions}",
            "nct_id": _TRIAL,
            "digest": "copied_digest(digest, k)",
        }
        _copy(connection, "snapshots", moved, copies)
        moved = {
            "id": "NULL",
            "nct_id": _TRIAL,
            "from_snapshot_id": f"from_snapshot_id + k * {versions}",
            "to_snapshot_id": f"to_snapshot_id + k * {versions}",
        }
        _copy(connection, "events", moved, copies, where="kind <> 'enrollment'")
        connection.execute("COMMIT")
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute("PRAGMA journal_mode = WAL")


def _copy(
    connection: sqlite3.Connection,
    table: str,
    moved: Mapping[str, str],
    copies: int,
    *,
    where: str = "TRUE",
) -> None:
    """Copy all rows of a table, with an expression for each column that differs in copy `k`."""
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(moved.get(name, f'"{name}"') for name in columns)
    # the table is copied first: SQLite would read the rows that it inserts
    connection.execute(f"CREATE TEMP TABLE original AS SELECT * FROM {table} WHERE {where}")
    connection.execute(
        f"INSERT INTO {table} {_COPIES} SELECT {values} FROM copies CROSS JOIN original", (copies,)
    )
    connection.execute("DROP TABLE original")


def _bodies(connection: sqlite3.Connection) -> dict[bytes, tuple[bytes, int]]:
    """Return the record of each version and the number of its trial, by digest."""
    found: dict[bytes, tuple[bytes, int]] = {}
    raw: bytes | None = None
    rows = connection.execute(
        "SELECT s.digest, CAST(substr(s.nct_id, 4) AS INTEGER), b.data, b.depth FROM snapshots s"
        " JOIN bodies b ON b.digest = s.digest ORDER BY s.id"
    )
    for digest, trial, packed, depth in rows:
        text = f"1:{digest[1:].hex()}"
        chain = [codec.pack(raw), packed] if depth and raw is not None else [packed]
        raw = codec.unpack(chain, text)
        found[digest] = raw, trial
    return found


def _copied(raw: bytes, trial: int, k: int) -> bytes:
    return raw.replace(an_id(trial).encode(), an_id(trial + k * FOLLOWED).encode())


def _digest(raw: bytes) -> bytes:
    return b"\1" + hashlib.sha256(raw).digest()


def _copied_bodies(
    bodies: Mapping[bytes, tuple[bytes, int]], copies: int
) -> Iterator[tuple[bytes, int, bytes]]:
    # packed by the codec, each would take ten times as long
    compressor = zstd.ZstdCompressor(level=1)
    for k in range(1, copies + 1):
        for raw, trial in bodies.values():
            copied = _copied(raw, trial, k)
            packed = compressor.compress(copied, compressor.FLUSH_FRAME)
            yield _digest(copied), len(copied), packed
