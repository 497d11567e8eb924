"""A smaller text index: a text is named by the hash of its words, and is not stored.

The index is derived, so it is deleted. `ctsync db index-text` builds it again; until then, searches
read the records.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    delete_index()
    op.drop_table("text_values")
    op.create_table(
        "text_values",
        sa.Column(
            "words_key",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="hash of the field's code and the words of the text, or of the lack of a text",
        ),
        sa.Column("id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("words_key", name="pk_text_values"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    delete_index()
    op.drop_table("text_values")
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


def delete_index() -> None:
    for name in ("text_words", "text_shared"):
        op.execute(f"DROP TABLE IF EXISTS {name}")
    for name in ("text_places", "text_bodies"):
        op.execute(f"DELETE FROM {name}")
    op.execute("DELETE FROM ctsync_marks WHERE key = 'text_index'")
