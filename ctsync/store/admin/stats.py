"""Counts the rows of a database and measures its size. Changes nothing.

Bytes are the bytes of the stored values. `indexes` and `file` include the database's overhead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, String, Table, func, select, text, type_coerce
from sqlalchemy.exc import OperationalError

from ctsync.store.database.tables import BODIES, DELIVERIES, EVENTS, METADATA, SNAPSHOTS
from ctsync.store.store import Store

SPANS = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""Ranges of the number of versions of a trial. None: no upper limit."""

LARGEST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Month:
    """The versions and events fetched in a month, and the packed bytes of the versions."""

    month: str
    versions: int
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TrialSize:
    """A trial, the number of its stored versions, and their packed bytes."""

    nct_id: str
    versions: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts by table, bytes by kind, and their distribution.

    `raw_bytes` is the size of all bodies unpacked. `spread` is the number of trials per range of
    versions.
    """

    counts: dict[str, int]
    bytes: dict[str, int]
    raw_bytes: int
    spread: dict[str, int]
    most_versions: int
    months: tuple[Month, ...]
    largest: tuple[TrialSize, ...]


def stats_of(store: Store) -> Stats:
    """Count and measure everything. Reads every table, the largest ones several times."""
    counts = {str(table): count for table, count in store.counts().items()}
    with store.view() as connection:
        spread, most = _spread(connection)
        return Stats(
            counts=counts,
            bytes=_bytes(connection),
            raw_bytes=_scalar(connection, func.sum(BODIES.c.raw_size)),
            spread=spread,
            most_versions=most,
            months=tuple(_months(connection)),
            largest=tuple(_largest(connection)),
        )


def _scalar(connection: Connection, what: Any) -> int:
    return int(connection.scalar(select(what)) or 0)


def _bytes(connection: Connection) -> dict[str, int]:
    """Return the bytes of each kind of content, of all indexes, and of the database."""
    packed = select(BODIES.c.encoding, func.sum(func.length(BODIES.c.data))).group_by(
        BODIES.c.encoding
    )
    by_encoding = {encoding: int(size) for encoding, size in connection.execute(packed)}
    found = {
        "keyframes": by_encoding.get("keyframe", 0),
        "deltas": by_encoding.get("delta", 0),
        "dictionaries": _dictionaries(connection),
        "events": _content(connection, EVENTS),
        "deliveries": _content(connection, DELIVERIES),
        "versions": _content(connection, SNAPSHOTS),
    }
    on_server = connection.dialect.name == "postgresql"
    return found | (_server_sizes if on_server else _file_sizes)(connection)


def _dictionaries(connection: Connection) -> int:
    table = METADATA.tables.get("dictionaries")
    return 0 if table is None else _scalar(connection, func.sum(func.length(table.c.data)))


def _content(connection: Connection, table: Table[Any]) -> int:
    """Return the length of all values of a table: characters, bytes, and digits of numbers."""
    columns = [text(f"coalesce(sum(length(cast({column.name} AS text))), 0)") for column in
               table.columns]  # fmt: skip
    row = connection.execute(select(*columns).select_from(table)).one()
    return sum(int(size) for size in row)


def _server_sizes(connection: Connection) -> dict[str, int]:
    names = [table.name for table in METADATA.sorted_tables]
    indexes = connection.scalar(
        text(
            "SELECT sum(pg_indexes_size(to_regclass(name))) "
            "FROM unnest(CAST(:names AS text[])) AS name"
        ),
        {"names": names},
    )
    total = connection.scalar(text("SELECT pg_database_size(current_database())"))
    return {"indexes": int(indexes or 0), "file": int(total or 0)}


def _file_sizes(connection: Connection) -> dict[str, int]:
    def pragma(name: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    page = pragma("page_size")
    sizes = {"file": page * pragma("page_count"), "free": page * pragma("freelist_count")}
    try:
        indexes = connection.scalar(
            text(
                "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN "
                "(SELECT name FROM sqlite_master WHERE type = 'index')"
            )
        )
    except OperationalError:
        return sizes  # this SQLite was built without dbstat
    return {"indexes": int(indexes or 0)} | sizes


def _spread(connection: Connection) -> tuple[dict[str, int], int]:
    each = (
        select(func.count().label("n"))
        .select_from(SNAPSHOTS)
        .group_by(SNAPSHOTS.c.nct_id)
        .subquery()
    )
    rows = connection.execute(select(each.c.n, func.count()).group_by(each.c.n)).all()
    spread = {
        _span(least, most): sum(
            trials for n, trials in rows if least <= n and (most is None or n <= most)
        )
        for least, most in SPANS
    }
    return spread, max((n for n, _ in rows), default=0)


def _span(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"


def _months(connection: Connection) -> list[Month]:
    """Return the growth per month of fetching, oldest first."""
    versions = _by_month(
        connection,
        SNAPSHOTS.c.fetched,
        select(func.count(), func.sum(func.length(BODIES.c.data)))
        .select_from(SNAPSHOTS)
        .outerjoin(BODIES, BODIES.c.digest == SNAPSHOTS.c.digest),
    )
    events = _by_month(connection, EVENTS.c.fetched, select(func.count()).select_from(EVENTS))
    return [
        Month(
            month,
            versions=int(versions[month][1]) if month in versions else 0,
            events=int(events[month][1]) if month in events else 0,
            bytes=int(versions[month][2] or 0) if month in versions else 0,
        )
        for month in sorted(versions.keys() | events.keys())
    ]


def _by_month(connection: Connection, when: Any, statement: Any) -> dict[str, Sequence[Any]]:
    # SQLite stores times as text that begins with the month
    on_server = connection.dialect.name == "postgresql"
    utc = func.timezone("UTC", when)
    month = func.to_char(utc, "YYYY-MM") if on_server else func.substr(_as_text(when), 1, 7)
    asked = select(month.label("month"), *statement.selected_columns)
    asked = asked.select_from(*statement.get_final_froms()).group_by(text("1"))
    return {row[0]: tuple(row) for row in connection.execute(asked)}


def _as_text(column: Any) -> Any:
    return type_coerce(column, String)


def _largest(connection: Connection) -> list[TrialSize]:
    size = func.coalesce(func.sum(func.length(BODIES.c.data)), 0)
    asked = (
        select(SNAPSHOTS.c.nct_id, func.count(), size)
        .outerjoin(BODIES, BODIES.c.digest == SNAPSHOTS.c.digest)
        .group_by(SNAPSHOTS.c.nct_id)
        .order_by(size.desc(), SNAPSHOTS.c.nct_id)
        .limit(LARGEST_SHOWN)
    )
    return [TrialSize(nct_id, n, int(b)) for nct_id, n, b in connection.execute(asked)]
