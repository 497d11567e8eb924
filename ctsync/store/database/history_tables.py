"""The table of the versions that a history lists. Nothing here reads or writes it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

from ctsync.store.database.types import JsonText, RemoteText


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
            "date",
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
