"""What a run has to tell as a whole: registry reprocessing, schema drift."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "notices",
            sa.Text(),
            nullable=True,
            comment="JSON: what it has to tell as a whole; NULL: not looked for yet",
        ),
    )
    # the runs of before are not to be looked through: what they found was told trial by trial
    op.execute("UPDATE runs SET notices = '[]'")


def downgrade() -> None:
    op.drop_column("runs", "notices")
