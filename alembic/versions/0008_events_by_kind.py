"""An index of changes by their kind, newest first.

Without it, `changes --kind moved` reads every change if few or none are of that kind.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_events_kind_happened", "events", ["kind", "happened"])


def downgrade() -> None:
    op.drop_index("ix_events_kind_happened", table_name="events")
