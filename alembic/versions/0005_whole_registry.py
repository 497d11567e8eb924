"""The whole registry: dictionaries for bodies that stand alone, and how far a walk has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "trials",
        sa.Column(
            "raw_mark",
            sa.LargeBinary(16),
            nullable=True,
            comment="hash of the archive's bytes that the head was made from",
        ),
    )
    op.create_table(
        "dictionaries",
        sa.Column(
            "id", ROW_ID, nullable=False, autoincrement=False, comment="the number zstd knows it by"
        ),
        sa.Column("created", TIME, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dictionaries"),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column(
            "source",
            sa.String(64),
            nullable=True,
            comment="which archive or question is under way; NULL: none",
        ),
        sa.Column("load", TIME, nullable=True, comment="the load under way"),
        sa.Column(
            "position",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="the next member of the archive, or the next page",
        ),
        sa.Column("token", sa.Text(), nullable=True, comment="of the next page"),
        sa.Column("total", sa.Integer(), nullable=True, comment="how many trials there are to be"),
        sa.Column(
            "done_load",
            TIME,
            nullable=True,
            comment="the last load that was walked through to its end",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )
    op.create_table(
        "cursor_pages",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "ids",
            sa.LargeBinary(),
            nullable=False,
            comment="zstd; the ids' numbers, 4 bytes each",
        ),
        sa.ForeignKeyConstraint(
            ["name"], ["cursors.name"], name="fk_cursor_pages_name", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", "number", name="pk_cursor_pages"),
    )


def downgrade() -> None:
    op.drop_table("cursor_pages")
    op.drop_table("cursors")
    op.drop_table("dictionaries")
    op.drop_column("trials", "raw_mark")
