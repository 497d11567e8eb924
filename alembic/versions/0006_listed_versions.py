"""The versions that the registry lists of a trial, and that are not all fetched.

`v_listed` is their view for people who use SQL; docs/sql.md describes its columns.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A version seen live has no number until it is joined with the registry's history. It is then the
# last listed version that was submitted on the same day.
LISTED = """
SELECT l.nct_id AS nct_id,
       l.number AS registry_version,
       l.submitted AS submitted,
       l.status AS status,
       l.modules AS modules,
       'https://clinicaltrials.gov/study/' || l.nct_id || '?tab=history&a=' || {page} AS url
  FROM listed_versions l
 WHERE NOT EXISTS (
       SELECT 1 FROM snapshots s
        WHERE s.nct_id = l.nct_id
          AND (s.registry_version = l.number
               OR (s.registry_version IS NULL AND s.submitted = l.submitted
                   AND NOT EXISTS (SELECT 1 FROM listed_versions m
                                    WHERE m.nct_id = l.nct_id AND m.submitted = l.submitted
                                      AND m.number > l.number))))
"""


def upgrade() -> None:
    op.add_column(
        "trials",
        sa.Column(
            "history_labels",
            sa.Text(),
            nullable=True,
            comment="JSON: the modules whose versions are to be fetched; NULL: every version",
        ),
    )
    op.create_table(
        "listed_versions",
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column(
            "number",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="the registry's own number of the version, from 0",
        ),
        sa.Column(
            "submitted",
            sa.String(length=10),
            nullable=False,
            comment="the day on which it passed the registry's first check",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="the overall status"),
        sa.Column(
            "modules",
            sa.Text(),
            nullable=False,
            comment="JSON: the labels of the modules that it changed",
        ),
        sa.ForeignKeyConstraint(["nct_id"], ["trials.nct_id"], name="fk_listed_versions_nct_id"),
        sa.PrimaryKeyConstraint("nct_id", "number", name="pk_listed_versions"),
    )
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    page = "(l.number + 1)" if is_sqlite else "(l.number + 1)::text"
    connection.exec_driver_sql(f"CREATE VIEW v_listed AS {LISTED.format(page=page)}")


def downgrade() -> None:
    op.execute("DROP VIEW v_listed")
    op.drop_table("listed_versions")
    op.drop_column("trials", "history_labels")
