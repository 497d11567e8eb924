"""Counts the rows of a database and measures its size. Changes nothing.

Bytes are the bytes of the stored values. `indexes` and `file` include the database's overhead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    String,
    Table,
    func,
    literal,
    select,
    text,
    type_coerce,
    union_all,
)
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
        records, raw_bytes = _records(connection)
        versions, largest = _versions(connection)
        return Stats(
            counts=counts,
            bytes=records | _bytes(connection),
            raw_bytes=raw_bytes,
            spread=spread,
            most_versions=most,
            months=tuple(_months(connection, versions)),
            largest=tuple(largest),
        )


def _scalar(connection: Connection, what: Any) -> int:
    return int(connection.scalar(select(what)) or 0)


def _records(connection: Connection) -> tuple[dict[str, int], int]:
    """Return the bytes of packed records by encoding, and of all records unpacked."""
    # not GROUP BY: SQLite would sort the records themselves by encoding
    packed = func.sum(func.length(BODIES.c.data))
    sizes = select(
        packed.filter(BODIES.c.encoding == "keyframe"),
        packed.filter(BODIES.c.encoding == "delta"),
        func.sum(BODIES.c.raw_size),
    )
    keyframes, deltas, raw = (int(size or 0) for size in connection.execute(sizes).one())
    return {"keyframes": keyframes, "deltas": deltas}, raw


def _bytes(connection: Connection) -> dict[str, int]:
    """Return the bytes of each other kind of content, of all indexes, and of the database."""
    found = {
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


def _versions(
    connection: Connection,
) -> tuple[dict[str, tuple[int, int]], list[TrialSize]]:
    """Return the versions fetched in each month and their packed bytes, and the largest trials."""
    # Materialized: the size of each record is looked up once for both answers. SQLite would also
    # sort the records themselves by month.
    sized = (
        select(
            SNAPSHOTS.c.nct_id,
            _month(connection, SNAPSHOTS.c.fetched).label("month"),
            func.coalesce(func.length(BODIES.c.data), 0).label("bytes"),
        )
        .select_from(SNAPSHOTS)
        .outerjoin(BODIES, BODIES.c.digest == SNAPSHOTS.c.digest)
        .cte("sized")
        .prefix_with("MATERIALIZED")
    )
    counts = func.count().label("versions"), func.sum(sized.c.bytes).label("bytes")
    of_trials = (
        select(literal("trial"), sized.c.nct_id.label("name"), *counts)
        .group_by(sized.c.nct_id)
        .order_by(text("4 DESC"), text("2"))
        .limit(LARGEST_SHOWN)
        .subquery()
    )
    of_months = select(literal("month"), sized.c.month, *counts).group_by(sized.c.month)
    months: dict[str, tuple[int, int]] = {}
    largest: list[TrialSize] = []
    for kind, name, versions, size in connection.execute(union_all(of_months, select(of_trials))):
        if kind == "month":
            months[name] = int(versions), int(size)
        else:
            largest.append(TrialSize(name, int(versions), int(size)))
    return months, sorted(largest, key=lambda one: (-one.bytes, one.nct_id))


def _months(connection: Connection, versions: Mapping[str, tuple[int, int]]) -> list[Month]:
    """Return the growth per month of fetching, oldest first."""
    asked = select(_month(connection, EVENTS.c.fetched), func.count()).group_by(text("1"))
    events = {month: int(count) for month, count in connection.execute(asked)}
    months = sorted(versions.keys() | events.keys())
    of_versions = {month: versions.get(month, (0, 0)) for month in months}
    return [
        Month(month, versions=count, events=events.get(month, 0), bytes=size)
        for month, (count, size) in of_versions.items()
    ]


def _month(connection: Connection, when: Any) -> Any:
    # SQLite stores times as text that begins with the month
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", when), "YYYY-MM")
    return func.substr(type_coerce(when, String), 1, 7)
