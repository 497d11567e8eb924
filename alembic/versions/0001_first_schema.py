"""The first schema: trials, versions, events, watches, runs, failures and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Column types as they are in the database: a migration does not follow the tables' code.
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DIGEST = sa.LargeBinary().with_variant(sa.String(80), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bodies",
        sa.Column(
            "digest",
            DIGEST,
            nullable=False,
            comment="a byte for the canonical form's version, and SHA-256",
        ),
        sa.Column(
            "raw_size",
            ROW_ID,
            nullable=False,
            comment="bytes before packing",
        ),
        sa.Column("encoding", sa.String(length=16), nullable=False, comment="keyframe or delta"),
        sa.Column(
            "base_digest",
            DIGEST,
            nullable=True,
            comment="the body a delta is packed against",
        ),
        sa.Column(
            "depth",
            sa.Integer(),
            nullable=False,
            comment="0 for a keyframe; a delta is deeper than its base; at most 31",
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="zstd-packed"),
        sa.CheckConstraint(
            "(encoding = 'delta') = (base_digest IS NOT NULL)", name=op.f("ck_bodies_base")
        ),
        sa.ForeignKeyConstraint(["base_digest"], ["bodies.digest"], name="fk_bodies_base_digest"),
        sa.PrimaryKeyConstraint("digest", name="pk_bodies"),
    )
    op.create_table(
        "ctsync_marks",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_ctsync_marks"),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column(
            "source",
            sa.String(length=64),
            nullable=True,
            comment="which archive or question is under way; NULL: none",
        ),
        sa.Column(
            "load",
            TIME,
            nullable=True,
            comment="the load under way",
        ),
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
        "dictionaries",
        sa.Column(
            "id",
            ROW_ID,
            autoincrement=False,
            nullable=False,
            comment="the number zstd knows it by",
        ),
        sa.Column(
            "created",
            TIME,
            nullable=False,
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dictionaries"),
    )
    op.create_table(
        "runs",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column(
            "kind", sa.String(length=32), nullable=False, comment="sync, backfill, mirror, ..."
        ),
        sa.Column(
            "started",
            TIME,
            nullable=False,
            comment="by our clock",
        ),
        sa.Column(
            "finished",
            TIME,
            nullable=True,
            comment="NULL: never ended",
        ),
        sa.Column(
            "load_before",
            TIME,
            nullable=True,
            comment="the registry's dataTimestamp when the run began",
        ),
        sa.Column(
            "load_after",
            TIME,
            nullable=True,
            comment="the same at its end; another value: the run saw two loads",
        ),
        sa.Column("api_version", sa.Text(), nullable=True, comment="as the registry says it"),
        sa.Column(
            "verdict",
            sa.String(length=16),
            nullable=False,
            comment="running, ok, partial, mixed, stopped or failed",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="why it failed"),
        sa.Column("requests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retries", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "asked", sa.Integer(), server_default="0", nullable=False, comment="trials asked for"
        ),
        sa.Column(
            "answered", sa.Integer(), server_default="0", nullable=False, comment="trials answered"
        ),
        sa.Column("same", sa.Integer(), server_default="0", nullable=False),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("new", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gone", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "failed", sa.Integer(), server_default="0", nullable=False, comment="not checked"
        ),
        sa.Column("delivered", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "notices",
            sa.Text(),
            nullable=True,
            comment="JSON: what it has to tell as a whole; NULL: not looked for yet",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_table(
        "watches",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False, comment="cli or file"),
        sa.Column(
            "created",
            TIME,
            nullable=False,
        ),
        sa.Column("query", sa.Text(), nullable=True, comment="JSON; NULL: a plain list"),
        sa.Column("rules", sa.Text(), nullable=False, comment="JSON: thresholds of its own"),
        sa.Column(
            "listed",
            TIME,
            nullable=True,
            comment="the newest load in which all that match its query were seen; NULL: none yet",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_watches"),
        sa.UniqueConstraint("name", name="uq_watches_name"),
    )
    op.create_table(
        "cursor_pages",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "ids", sa.LargeBinary(), nullable=False, comment="zstd; the ids' numbers, 4 bytes each"
        ),
        sa.ForeignKeyConstraint(
            ["name"], ["cursors.name"], name="fk_cursor_pages_name", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", "number", name="pk_cursor_pages"),
    )
    op.create_table(
        "failures",
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column(
            "run_id",
            ROW_ID,
            nullable=True,
            comment="the last to fail",
        ),
        sa.Column(
            "first_at",
            TIME,
            nullable=False,
        ),
        sa.Column(
            "last_at",
            TIME,
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column(
            "next_try",
            TIME,
            nullable=False,
        ),
        sa.Column("error_class", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True, comment="zstd; what came instead"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_failures_run_id"),
        sa.PrimaryKeyConstraint("nct_id", name="pk_failures"),
    )
    op.create_index("ix_failures_next_try", "failures", ["next_try"], unique=False)

    op.create_table(
        "trials",
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column(
            "head_snapshot_id",
            ROW_ID,
            nullable=True,
            comment="the newest snapshot; NULL: heard of, never seen",
        ),
        sa.Column("state", sa.String(length=16), nullable=True, comment="the state of the head"),
        sa.Column(
            "moved_to",
            sa.String(length=11),
            nullable=True,
            comment="the trial that took this id over",
        ),
        sa.Column(
            "absent_since",
            TIME,
            nullable=True,
            comment="the load that first lacked the trial, while no other confirmed it",
        ),
        sa.Column("last_seen_run_id", ROW_ID, nullable=True),
        sa.Column(
            "last_seen_load",
            TIME,
            nullable=True,
            comment="the last load that showed the trial, changed or not",
        ),
        sa.Column(
            "raw_mark",
            sa.LargeBinary(length=16),
            nullable=True,
            comment="hash of the archive's bytes that the head was made from",
        ),
        sa.Column(
            "history_state",
            sa.String(length=32),
            nullable=True,
            comment="how far the registry's own history was fetched; NULL: never asked",
        ),
        sa.Column(
            "history_listed",
            sa.Integer(),
            nullable=True,
            comment="versions in the index of its history, as last read",
        ),
        sa.Column(
            "history_asked",
            TIME,
            nullable=True,
            comment="when its history was last asked for",
        ),
        sa.Column(
            "history_attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="failures to fetch its history, in a row",
        ),
        sa.Column(
            "history_retry",
            TIME,
            nullable=True,
            comment="when its history is to be asked for again; NULL: need not be",
        ),
        sa.Column(
            "history_index",
            sa.Text(),
            nullable=True,
            comment="JSON: the index whose versions are being fetched",
        ),
        sa.ForeignKeyConstraint(
            ["last_seen_run_id"], ["runs.id"], name="fk_trials_last_seen_run_id"
        ),
        sa.PrimaryKeyConstraint("nct_id", name="pk_trials"),
    )
    op.create_table(
        "watched_trials",
        sa.Column("watch_id", ROW_ID, nullable=False),
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column(
            "asked_as",
            sa.Text(),
            nullable=True,
            comment="the study id or alias that named it; NULL: its own id",
        ),
        sa.Column(
            "since",
            TIME,
            nullable=False,
        ),
        sa.Column(
            "left_at",
            TIME,
            nullable=True,
            comment="when it left the query; it stays followed",
        ),
        sa.Column(
            "by_query",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="brought by the query, and leaves it; else named, and always followed",
        ),
        sa.ForeignKeyConstraint(
            ["watch_id"],
            ["watches.id"],
            name="fk_watched_trials_watch_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("watch_id", "nct_id", name="pk_watched_trials"),
    )
    op.create_index("ix_watched_trials_nct_id", "watched_trials", ["nct_id"], unique=False)

    op.create_table(
        "snapshots",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            nullable=False,
            comment="order within the trial; gaps leave room for older versions found later",
        ),
        sa.Column("state", sa.String(length=16), nullable=False, comment="present, gone or moved"),
        sa.Column(
            "digest",
            DIGEST,
            nullable=True,
            comment="NULL where the registry showed no record",
        ),
        sa.Column("source", sa.String(length=16), nullable=False, comment="live, history or both"),
        sa.Column(
            "registry_version",
            sa.Integer(),
            nullable=True,
            comment="the registry's own number, from 0",
        ),
        sa.Column("posted", sa.Text(), nullable=True, comment="registry date of posting"),
        sa.Column("submitted", sa.Text(), nullable=True, comment="registry date of submission"),
        sa.Column(
            "observed",
            TIME,
            nullable=True,
            comment="dataTimestamp of the load it was seen in",
        ),
        sa.Column(
            "fetched",
            TIME,
            nullable=False,
            comment="by our clock",
        ),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.Column("status", sa.Text(), nullable=True, comment="overallStatus"),
        sa.Column("last_known_status", sa.Text(), nullable=True),
        sa.Column("why_stopped", sa.Text(), nullable=True),
        sa.Column("start_date", sa.Text(), nullable=True, comment="YYYY, YYYY-MM, YYYY-MM-DD"),
        sa.Column("start_date_type", sa.Text(), nullable=True, comment="ESTIMATED or ACTUAL"),
        sa.Column("primary_completion_date", sa.Text(), nullable=True),
        sa.Column("primary_completion_date_type", sa.Text(), nullable=True),
        sa.Column("completion_date", sa.Text(), nullable=True),
        sa.Column("completion_date_type", sa.Text(), nullable=True),
        sa.Column("enrollment", sa.BigInteger(), nullable=True),
        sa.Column("enrollment_type", sa.Text(), nullable=True),
        sa.Column("phases", sa.Text(), nullable=True),
        sa.Column("study_type", sa.Text(), nullable=True),
        sa.Column("lead_sponsor", sa.Text(), nullable=True),
        sa.Column("org_study_id", sa.Text(), nullable=True),
        sa.Column("brief_title", sa.Text(), nullable=True),
        sa.Column("verified", sa.Text(), nullable=True, comment="statusVerifiedDate"),
        sa.Column("first_submitted", sa.Text(), nullable=True),
        sa.Column("first_posted", sa.Text(), nullable=True),
        sa.Column("last_update_submitted", sa.Text(), nullable=True),
        sa.Column("last_update_posted", sa.Text(), nullable=True),
        sa.Column("results_first_posted", sa.Text(), nullable=True),
        sa.Column("has_results", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["bodies.digest"], name="fk_snapshots_digest"),
        sa.ForeignKeyConstraint(["nct_id"], ["trials.nct_id"], name="fk_snapshots_nct_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_snapshots_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
        sa.UniqueConstraint("nct_id", "position", name="uq_snapshots_nct_id_position"),
    )
    op.create_index("ix_snapshots_digest", "snapshots", ["digest"], unique=False)
    op.create_index("ix_snapshots_run_id", "snapshots", ["run_id"], unique=False)

    op.create_table(
        "events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("nct_id", sa.String(length=11), nullable=False),
        sa.Column("from_snapshot_id", ROW_ID, nullable=True),
        sa.Column("to_snapshot_id", ROW_ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="what changed"),
        sa.Column(
            "path_key",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="hash of path, which may be longer than an index takes",
        ),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column(
            "rule", sa.String(length=32), nullable=False, comment="the rule that gave the level"
        ),
        sa.Column("rules_version", sa.Integer(), nullable=True, comment="of the rule table"),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True, comment="JSON"),
        sa.Column("after", sa.Text(), nullable=True, comment="JSON"),
        sa.Column("before_type", sa.Text(), nullable=True),
        sa.Column("after_type", sa.Text(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True, comment="later is positive"),
        sa.Column("days_since_first", sa.Integer(), nullable=True),
        sa.Column("percent", sa.Double(), nullable=True),
        sa.Column("percent_since_first", sa.Double(), nullable=True),
        sa.Column(
            "inputs", sa.Text(), nullable=False, comment="JSON: the facts the rule looked at"
        ),
        sa.Column("posted", sa.Text(), nullable=True),
        sa.Column(
            "observed",
            TIME,
            nullable=True,
        ),
        sa.Column(
            "fetched",
            TIME,
            nullable=False,
        ),
        sa.Column(
            "happened",
            TIME,
            nullable=False,
            comment="observed, else posted, else fetched: what --since goes by",
        ),
        sa.Column("run_id", ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["from_snapshot_id"], ["snapshots.id"], name="fk_events_from_snapshot_id"
        ),
        sa.ForeignKeyConstraint(["nct_id"], ["trials.nct_id"], name="fk_events_nct_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_events_run_id"),
        sa.ForeignKeyConstraint(
            ["to_snapshot_id"], ["snapshots.id"], name="fk_events_to_snapshot_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("to_snapshot_id", "path_key", name="uq_events_to_snapshot_id_path_key"),
    )
    op.create_index("ix_events_happened", "events", ["happened"], unique=False)
    op.create_index("ix_events_nct_id_happened", "events", ["nct_id", "happened"], unique=False)
    op.create_index("ix_events_run_id", "events", ["run_id"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("event_id", ROW_ID, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.String(length=128), nullable=False),
        sa.Column(
            "state",
            sa.String(length=16),
            nullable=False,
            comment="pending, claimed, sent, parked or dropped",
        ),
        sa.Column(
            "created",
            TIME,
            nullable=False,
        ),
        sa.Column(
            "not_before",
            TIME,
            nullable=False,
            comment="when it falls due",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column(
            "lease_until",
            TIME,
            nullable=True,
            comment="a claim older than this is void",
        ),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column(
            "sent_at",
            TIME,
            nullable=True,
        ),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_deliveries_event_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("dedup_key", name="uq_deliveries_dedup_key"),
    )
    op.create_index("ix_deliveries_event_id", "deliveries", ["event_id"], unique=False)
    op.create_index(
        "ix_deliveries_undone",
        "deliveries",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'claimed', 'parked')"),
        postgresql_where=sa.text("state IN ('pending', 'claimed', 'parked')"),
    )


def downgrade() -> None:
    raise RuntimeError("there is nothing before the first schema; delete the database instead")
