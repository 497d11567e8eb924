"""The tables of the text index that a migration creates. Nothing here reads or writes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Table, UniqueConstraint

from ctsync.store.database.types import Digest, RowId


def text_tables(metadata: MetaData) -> tuple[Table[Any], Table[Any], Table[Any]]:
    """Return `text_bodies`, `text_values` and `text_places`.

    They have no foreign keys: what is indexed follows from the digest of a record, and stays true
    without its body.
    """
    bodies: Table[Any] = Table(
        "text_bodies",
        metadata,
        Column("id", RowId, primary_key=True),
        Column(
            "digest", Digest, nullable=False, comment="the record; it may have been dropped since"
        ),
        UniqueConstraint("digest"),
    )
    key = "hash of the field's code and the words of the text, or of the lack of a text"
    values: Table[Any] = Table(
        "text_values",
        metadata,
        Column("words_key", BigInteger, primary_key=True, autoincrement=False, comment=key),
        Column("id", RowId, nullable=False),
        sqlite_with_rowid=False,
    )
    places: Table[Any] = Table(
        "text_places",
        metadata,
        Column("value_id", RowId, primary_key=True, autoincrement=False),
        Column("body_id", RowId, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    return bodies, values, places
