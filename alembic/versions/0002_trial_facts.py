"""The facts that a portfolio shows of the newest record of each followed trial.

The table starts empty: the next sync fills it from the stored records. Until then, a portfolio
reads the records themselves.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trial_facts",
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary().with_variant(sa.String(80), "sqlite"),
            nullable=False,
            comment="the record that the facts follow from; another head: not current",
        ),
        sa.Column(
            "form", sa.Integer(), nullable=False, comment="the version of the rules of the facts"
        ),
        sa.Column("facts", sa.Text(), nullable=False, comment="JSON"),
        sa.ForeignKeyConstraint(["nct_id"], ["trials.nct_id"], name="fk_trial_facts_nct_id"),
        sa.PrimaryKeyConstraint("nct_id", name="pk_trial_facts"),
    )


def downgrade() -> None:
    op.drop_table("trial_facts")
