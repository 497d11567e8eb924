"""The tables of the text index that a migration creates. Nothing here reads or writes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, LargeBinary, MetaData, Table, UniqueConstraint

from ctsync.store.database.types import Digest, RemoteText, RowId


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
    key, words_key, value = (
        "hash of the field's code and the text",
        "hash of the field's code and the words of the text",
        "the text; NULL: the field has no value, or is too long to be shown",
    )
    values: Table[Any] = Table(
        "text_values",
        metadata,
        Column("id", RowId, primary_key=True),
        Column("text_key", LargeBinary(16), nullable=False, comment=key),
        Column("words_key", LargeBinary(16), nullable=False, comment=words_key),
        Column("value", RemoteText, comment=value),
        UniqueConstraint("text_key"),
        Index(None, "words_key"),
    )
    places: Table[Any] = Table(
        "text_places",
        metadata,
        Column("value_id", RowId, primary_key=True, autoincrement=False),
        Column("body_id", RowId, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    return bodies, values, places
