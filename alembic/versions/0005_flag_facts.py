"""What the flags and the forecast of a followed trial need of its newest record.

The table of facts is derived, so it is made again, and empty: the next sync fills it from the
stored records. Until then, questions read the records themselves.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make(
        sa.Column(
            "flag_record",
            sa.Text(),
            nullable=False,
            comment="JSON: what the rules of the flags read",
        ),
        sa.Column(
            "expected",
            sa.Text(),
            nullable=False,
            comment="JSON: the flags that time will bring",
        ),
    )


def downgrade() -> None:
    _make()


def _make(*added: sa.Column[str]) -> None:
    op.drop_table("trial_facts")
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
        *added,
        sa.ForeignKeyConstraint(["nct_id"], ["trials.nct_id"], name="fk_trial_facts_nct_id"),
        sa.PrimaryKeyConstraint("nct_id", name="pk_trial_facts"),
    )
