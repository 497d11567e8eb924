"""Watches by query: which load they were last listed in, and which trials they brought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.add_column(
        "watches",
        sa.Column(
            "listed",
            TIME,
            nullable=True,
            comment="the newest load in which all that match its query were seen; NULL: none yet",
        ),
    )
    op.add_column(
        "watched_trials",
        sa.Column(
            "by_query",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="brought by the query, and leaves it; else named, and always followed",
        ),
    )


def downgrade() -> None:
    op.drop_column("watched_trials", "by_query")
    op.drop_column("watches", "listed")
