"""The index of deliveries that wait, wide enough for those that were parked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_deliveries_unsent", table_name="deliveries")
    _create("ix_deliveries_undone", "state IN ('pending', 'claimed', 'parked')")


def downgrade() -> None:
    op.drop_index("ix_deliveries_undone", table_name="deliveries")
    _create("ix_deliveries_unsent", "state IN ('pending', 'claimed')")


def _create(name: str, which: str) -> None:
    op.create_index(
        name, "deliveries", ["id"], sqlite_where=sa.text(which), postgresql_where=sa.text(which)
    )
