"""The tables of what was read from the registry's lists: its scans, and the indexes of trials.

Nothing here reads or writes them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    String,
    Table,
    TypedColumns,
)

from ctsync.store.database.types import JsonText, RemoteText, Timestamp


class _Cursor(TypedColumns):
    """The progress of one kind of scan of the registry: the bulk archive, pages, the full scan."""

    name: Named[str] = Column(String(32), primary_key=True)
    source: Named[str | None] = Column(
        String(64), comment="which archive or question is under way; NULL: none"
    )
    load: Named[datetime | None] = Column(Timestamp, comment="the load under way")
    position: Named[int] = Column(
        Integer, server_default="0", comment="the next member of the archive, or the next page"
    )
    token: Named[str | None] = Column(RemoteText, comment="of the next page")
    total: Named[int | None] = Column(Integer, comment="how many trials there are to be")
    done_load: Named[datetime | None] = Column(
        Timestamp, comment="the last load that was walked through to its end"
    )


class _CursorPage(TypedColumns):
    """The trials on one page of a scan in progress. Deleted when the scan ends."""

    name: Named[str] = Column(
        String(32), ForeignKey("cursors.name", ondelete="CASCADE"), primary_key=True
    )
    number: Named[int] = Column(Integer, primary_key=True)
    ids: Named[bytes] = Column(LargeBinary, comment="zstd; the ids' numbers, 4 bytes each")


def cursor_tables(metadata: MetaData) -> tuple[Table[Any], Table[Any]]:
    """Return `cursors` and `cursor_pages`."""
    cursors = Table("cursors", metadata, _Cursor)
    return cursors, Table("cursor_pages", metadata, _CursorPage)


def listed_versions_table(metadata: MetaData) -> Table[Any]:
    """Return `listed_versions`: the registry's index of each trial with versions to fetch.

    It is apart from `snapshots`, so that no reader of versions can take a row for a version.
    """
    return Table(
        "listed_versions",
        metadata,
        Column("nct_id", String(11), ForeignKey("trials.nct_id"), primary_key=True),
        Column(
            "number",
            Integer,
            primary_key=True,
            autoincrement=False,
            comment="the registry's own number of the version, from 0",
        ),
        Column(
            "submitted",
            String(10),
            nullable=False,
            comment="the day on which it passed the registry's first check",
        ),
        Column("status", RemoteText, nullable=False, comment="the overall status"),
        Column(
            "modules",
            JsonText,
            nullable=False,
            comment="JSON: the labels of the modules that it changed",
        ),
    )
