"""The tables of the text index, which `ctsync db index-text` fills. They stay empty without it.

The words themselves are in `text_words`, which that command creates: a virtual table on SQLite,
whose library may lack FTS5, and a table with a GIN index on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "text_bodies",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary().with_variant(sa.String(80), "sqlite"),
            nullable=False,
            comment="the record; it may have been dropped since",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_text_bodies"),
        sa.UniqueConstraint("digest", name="uq_text_bodies_digest"),
    )
    op.create_table(
        "text_values",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column(
            "text_key",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="hash of the field's code and the text",
        ),
        sa.Column(
            "words_key",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="hash of the field's code and the words of the text",
        ),
        sa.Column(
            "value",
            sa.Text(),
            nullable=True,
            comment="the text; NULL: the field has no value, or is too long to be shown",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_text_values"),
        sa.UniqueConstraint("text_key", name="uq_text_values_text_key"),
    )
    op.create_index("ix_text_values_words_key", "text_values", ["words_key"])
    op.create_table(
        "text_places",
        sa.Column("value_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("body_id", ROW_ID, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("value_id", "body_id", name="pk_text_places"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for name in ("text_words", "text_shared", "text_places", "text_values", "text_bodies"):
        op.execute(f"DROP TABLE IF EXISTS {name}")
    op.execute("DELETE FROM ctsync_marks WHERE key = 'text_index'")
