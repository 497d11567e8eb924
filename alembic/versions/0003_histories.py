"""How far the registry's own history of a trial was fetched, and when to go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.add_column(
        "trials",
        sa.Column(
            "history_listed",
            sa.Integer(),
            comment="versions in the index of its history, as last read",
        ),
    )
    op.add_column(
        "trials",
        sa.Column("history_asked", TIME, comment="when its history was last asked for"),
    )
    op.add_column(
        "trials",
        sa.Column(
            "history_attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="failures to fetch its history, in a row",
        ),
    )
    op.add_column(
        "trials",
        sa.Column(
            "history_retry",
            TIME,
            comment="when its history is to be asked for again; NULL: need not be",
        ),
    )
    op.add_column(
        "trials",
        sa.Column(
            "history_index",
            sa.Text(),
            comment="JSON: the index whose versions are being fetched",
        ),
    )


def downgrade() -> None:
    for name in ("index", "retry", "attempts", "asked", "listed"):
        op.drop_column("trials", f"history_{name}")
