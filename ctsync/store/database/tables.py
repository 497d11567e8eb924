"""The tables. Nothing here reads or writes them.

trials          one row per trial: its head, and the last load with the trial
snapshots       one row per version, never deleted, with the fields that plain SQL reads; a version
                from the registry history is updated when a load contains it
bodies          the content-addressed records that snapshots point to
dictionaries    the zstd dictionaries that keyframes are packed with
events          the changes from one snapshot to the next
listed_versions the versions in the registry's index of a trial whose history is not complete;
                a row is no version: it has no record
watches         the watches; watched_trials: their trials, named by a person or found by a query
runs            one row per run, with any verdict
failures        the quarantine: trials that could not be checked or stored
cursors         the progress of a scan of the registry; cursor_pages: the trials that it saw
deliveries      the outbox: one row per event and recipient
trial_facts     what a portfolio, the flags and a forecast need of a trial's newest record
text_values     the text index: the texts of the searched fields; text_bodies: the records in it;
                text_places: which record has which text. `ctsync db index-text` fills them, and
                creates text_words and text_shared
ctsync_marks    facts about the database itself, such as that it belongs to ctsync

The views v_trials, v_versions, v_changes, v_watched and v_listed are for people who use SQL
(docs/sql.md).
ctsync itself does not read them.

Text from outside ctsync is escaped (see `types.RemoteText`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    String,
    Table,
    TypedColumns,
    UniqueConstraint,
    text,
)

from ctsync.store.database.registry_tables import cursor_tables, listed_versions_table
from ctsync.store.database.text_tables import text_tables
from ctsync.store.database.types import Count, Digest, JsonText, RemoteText, RowId, Timestamp

HEAD_REVISION = "0008"
"""The newest migration. It is repeated here so that opening a database does not need alembic."""

APPLICATION_ID = 0x63747379
"""'ctsy' in the header of a SQLite file, which SQLite and `file` read."""

UNDONE = "state IN ('pending', 'claimed', 'parked')"
"""The condition of the partial index of unfinished deliveries. Queries repeat it literally."""


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Constraints have names, so that a migration can name them."""


class _Mark(TypedColumns):
    """One fact about the database itself."""

    key: Named[str] = Column(String(64), primary_key=True)
    value: Named[str] = Column(RemoteText)


MARKS = Table("ctsync_marks", METADATA, _Mark)


class _Run(TypedColumns):
    """One run."""

    id: Named[int] = Column(RowId, primary_key=True)
    kind: Named[str] = Column(String(32), comment="sync, backfill, mirror, ...")
    started: Named[datetime] = Column(Timestamp, comment="by our clock")
    finished: Named[datetime | None] = Column(Timestamp, comment="NULL: never ended")
    load_before: Named[datetime | None] = Column(
        Timestamp, comment="the registry's dataTimestamp when the run began"
    )
    load_after: Named[datetime | None] = Column(
        Timestamp, comment="the same at its end; another value: the run saw two loads"
    )
    api_version: Named[str | None] = Column(RemoteText, comment="as the registry says it")
    verdict: Named[str] = Column(
        String(16), comment="running, ok, partial, mixed, stopped or failed"
    )
    error: Named[str | None] = Column(RemoteText, comment="why it failed")
    requests: Named[int] = Column(Integer, server_default="0")
    retries: Named[int] = Column(Integer, server_default="0")
    asked: Named[int] = Column(Integer, server_default="0", comment="trials asked for")
    answered: Named[int] = Column(Integer, server_default="0", comment="trials answered")
    same: Named[int] = Column(Integer, server_default="0")
    changed: Named[int] = Column(Integer, server_default="0")
    new: Named[int] = Column(Integer, server_default="0")
    gone: Named[int] = Column(Integer, server_default="0")
    failed: Named[int] = Column(Integer, server_default="0", comment="not checked")
    delivered: Named[int] = Column(Integer, server_default="0")
    notices: Named[Any] = Column(
        JsonText,
        nullable=True,
        comment="JSON: what it has to tell as a whole; NULL: not looked for yet",
    )


RUNS = Table("runs", METADATA, _Run)


class _Trial(TypedColumns):
    """One trial."""

    nct_id: Named[str] = Column(String(11), primary_key=True)
    # no foreign key: snapshots reference trials already, and one must be inserted first
    head_snapshot_id: Named[int | None] = Column(
        RowId, comment="the newest snapshot; NULL: heard of, never seen"
    )
    state: Named[str | None] = Column(String(16), comment="the state of the head")
    moved_to: Named[str | None] = Column(String(11), comment="the trial that took this id over")
    absent_since: Named[datetime | None] = Column(
        Timestamp, comment="the load that first lacked the trial, while no other confirmed it"
    )
    last_seen_run_id: Named[int | None] = Column(RowId, ForeignKey("runs.id"))
    last_seen_load: Named[datetime | None] = Column(
        Timestamp, comment="the last load that showed the trial, changed or not"
    )
    raw_mark: Named[bytes | None] = Column(
        LargeBinary(16), comment="hash of the archive's bytes that the head was made from"
    )
    history_state: Named[str | None] = Column(
        String(32), comment="how far the registry's own history was fetched; NULL: never asked"
    )
    history_listed: Named[int | None] = Column(
        Integer, comment="versions in the index of its history, as last read"
    )
    history_asked: Named[datetime | None] = Column(
        Timestamp, comment="when its history was last asked for"
    )
    history_attempts: Named[int] = Column(
        Integer, server_default="0", comment="failures to fetch its history, in a row"
    )
    history_retry: Named[datetime | None] = Column(
        Timestamp, comment="when its history is to be asked for again; NULL: need not be"
    )
    history_index: Named[Any] = Column(
        JsonText, nullable=True, comment="JSON: the index whose versions are being fetched"
    )
    history_labels: Named[Any] = Column(
        JsonText,
        nullable=True,
        comment="JSON: the modules whose versions are to be fetched; NULL: every version",
    )


TRIALS = Table("trials", METADATA, _Trial)


class _Body(TypedColumns):
    """One record in canonical form, packed."""

    digest: Named[str] = Column(
        Digest, primary_key=True, comment="a byte for the canonical form's version, and SHA-256"
    )
    raw_size: Named[int] = Column(RowId, comment="bytes before packing")
    encoding: Named[str] = Column(String(16), comment="keyframe or delta")
    base_digest: Named[str | None] = Column(
        Digest, ForeignKey("bodies.digest"), comment="the body a delta is packed against"
    )
    depth: Named[int] = Column(
        Integer, comment="0 for a keyframe; a delta is deeper than its base; at most 31"
    )
    data: Named[bytes] = Column(LargeBinary, comment="zstd-packed")


BODIES = Table(
    "bodies",
    METADATA,
    _Body,
    CheckConstraint("(encoding = 'delta') = (base_digest IS NOT NULL)", name="base"),
)


class _Dictionary(TypedColumns):
    """A zstd dictionary. A body packed with it names it in the header of its own frame."""

    id: Named[int] = Column(
        RowId, primary_key=True, autoincrement=False, comment="the number zstd knows it by"
    )
    created: Named[datetime] = Column(Timestamp)
    data: Named[bytes] = Column(LargeBinary)


DICTIONARIES = Table("dictionaries", METADATA, _Dictionary)


class _Snapshot(TypedColumns):
    """One version of one trial. Its number is the rank of its position."""

    id: Named[int] = Column(RowId, primary_key=True)
    nct_id: Named[str] = Column(String(11), ForeignKey("trials.nct_id"))
    position: Named[int] = Column(
        BigInteger, comment="order within the trial; gaps leave room for older versions found later"
    )
    state: Named[str] = Column(String(16), comment="present, gone or moved")
    digest: Named[str | None] = Column(
        Digest, ForeignKey("bodies.digest"), comment="NULL where the registry showed no record"
    )
    source: Named[str] = Column(String(16), comment="live, history or both")
    registry_version: Named[int | None] = Column(
        Integer, comment="the registry's own number, from 0"
    )
    posted: Named[str | None] = Column(RemoteText, comment="registry date of posting")
    submitted: Named[str | None] = Column(RemoteText, comment="registry date of submission")
    observed: Named[datetime | None] = Column(
        Timestamp, comment="dataTimestamp of the load it was seen in"
    )
    fetched: Named[datetime] = Column(Timestamp, comment="by our clock")
    run_id: Named[int | None] = Column(RowId, ForeignKey("runs.id"))
    status: Named[str | None] = Column(RemoteText, comment="overallStatus")
    last_known_status: Named[str | None] = Column(RemoteText)
    why_stopped: Named[str | None] = Column(RemoteText)
    start_date: Named[str | None] = Column(RemoteText, comment="YYYY, YYYY-MM, YYYY-MM-DD")
    start_date_type: Named[str | None] = Column(RemoteText, comment="ESTIMATED or ACTUAL")
    primary_completion_date: Named[str | None] = Column(RemoteText)
    primary_completion_date_type: Named[str | None] = Column(RemoteText)
    completion_date: Named[str | None] = Column(RemoteText)
    completion_date_type: Named[str | None] = Column(RemoteText)
    enrollment: Named[int | None] = Column(Count)
    enrollment_type: Named[str | None] = Column(RemoteText)
    phases: Named[str | None] = Column(RemoteText)
    study_type: Named[str | None] = Column(RemoteText)
    lead_sponsor: Named[str | None] = Column(RemoteText)
    org_study_id: Named[str | None] = Column(RemoteText)
    brief_title: Named[str | None] = Column(RemoteText)
    verified: Named[str | None] = Column(RemoteText, comment="statusVerifiedDate")
    first_submitted: Named[str | None] = Column(RemoteText)
    first_posted: Named[str | None] = Column(RemoteText)
    last_update_submitted: Named[str | None] = Column(RemoteText)
    last_update_posted: Named[str | None] = Column(RemoteText)
    results_first_posted: Named[str | None] = Column(RemoteText)
    has_results: Named[bool] = Column(server_default=text("false"))


SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    _Snapshot,
    UniqueConstraint("nct_id", "position"),
    Index(None, "run_id"),
    Index(None, "digest"),
)


class _Event(TypedColumns):
    """One difference between two consecutive snapshots."""

    id: Named[int] = Column(RowId, primary_key=True)
    nct_id: Named[str] = Column(String(11), ForeignKey("trials.nct_id"))
    from_snapshot_id: Named[int | None] = Column(RowId, ForeignKey("snapshots.id"))
    to_snapshot_id: Named[int] = Column(RowId, ForeignKey("snapshots.id"))
    path: Named[str] = Column(RemoteText, comment="what changed")
    path_key: Named[bytes] = Column(
        LargeBinary(16), comment="hash of path, which may be longer than an index takes"
    )
    kind: Named[str] = Column(String(32))
    category: Named[str] = Column(String(32))
    level: Named[str] = Column(String(16))
    rule: Named[str] = Column(String(32), comment="the rule that gave the level")
    rules_version: Named[int | None] = Column(Integer, comment="of the rule table")
    label: Named[str] = Column(RemoteText)
    summary: Named[str] = Column(RemoteText)
    before: Named[Any] = Column(JsonText, nullable=True, comment="JSON")
    after: Named[Any] = Column(JsonText, nullable=True, comment="JSON")
    before_type: Named[str | None] = Column(RemoteText)
    after_type: Named[str | None] = Column(RemoteText)
    days: Named[int | None] = Column(Integer, comment="later is positive")
    days_since_first: Named[int | None] = Column(Integer)
    percent: Named[float | None] = Column()
    percent_since_first: Named[float | None] = Column()
    inputs: Named[Any] = Column(JsonText, comment="JSON: the facts the rule looked at")
    posted: Named[str | None] = Column(RemoteText)
    observed: Named[datetime | None] = Column(Timestamp)
    fetched: Named[datetime] = Column(Timestamp)
    happened: Named[datetime] = Column(
        Timestamp, comment="observed, else posted, else fetched: what --since goes by"
    )
    run_id: Named[int | None] = Column(RowId, ForeignKey("runs.id"))


EVENTS = Table(
    "events",
    METADATA,
    _Event,
    UniqueConstraint("to_snapshot_id", "path_key"),
    Index(None, "nct_id", "happened"),
    Index(None, "kind", "happened"),  # a kind of which there are few changes, or none
    Index(None, "happened"),
    Index(None, "run_id"),
)


class _TrialFacts(TypedColumns):
    """What a portfolio, the flags and a forecast need of the newest record of one trial."""

    nct_id: Named[str] = Column(String(11), ForeignKey("trials.nct_id"), primary_key=True)
    # no foreign key: a row stays until the next sync after its record was replaced
    digest: Named[str] = Column(
        Digest, comment="the record that the facts follow from; another head: not current"
    )
    form: Named[int] = Column(Integer, comment="the version of the rules of the facts")
    facts: Named[Any] = Column(JsonText, comment="JSON")
    flag_record: Named[Any] = Column(JsonText, comment="JSON: what the rules of the flags read")
    expected: Named[Any] = Column(JsonText, comment="JSON: the flags that time will bring")


TRIAL_FACTS = Table("trial_facts", METADATA, _TrialFacts)


TEXT_BODIES, TEXT_VALUES, TEXT_PLACES = text_tables(METADATA)
LISTED_VERSIONS = listed_versions_table(METADATA)


class _Watch(TypedColumns):
    """One watch."""

    id: Named[int] = Column(RowId, primary_key=True)
    name: Named[str] = Column(RemoteText)
    origin: Named[str] = Column(String(16), comment="cli or file")
    created: Named[datetime] = Column(Timestamp)
    query: Named[Any] = Column(JsonText, nullable=True, comment="JSON; NULL: a plain list")
    rules: Named[Any] = Column(JsonText, comment="JSON: thresholds of its own")
    listed: Named[datetime | None] = Column(
        Timestamp,
        comment="the newest load in which all that match its query were seen; NULL: none yet",
    )


WATCHES = Table("watches", METADATA, _Watch, UniqueConstraint("name"))


class _WatchedTrial(TypedColumns):
    """One trial of one watch."""

    watch_id: Named[int] = Column(
        RowId, ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True
    )
    # no foreign key: a trial is watched before it is first fetched
    nct_id: Named[str] = Column(String(11), primary_key=True)
    asked_as: Named[str | None] = Column(
        RemoteText, comment="the study id or alias that named it; NULL: its own id"
    )
    since: Named[datetime] = Column(Timestamp)
    left_at: Named[datetime | None] = Column(
        Timestamp, comment="when it left the query; it stays followed"
    )
    by_query: Named[bool] = Column(
        server_default=text("false"),
        comment="brought by the query, and leaves it; else named, and always followed",
    )


WATCHED_TRIALS = Table("watched_trials", METADATA, _WatchedTrial, Index(None, "nct_id"))


class _Failure(TypedColumns):
    """A trial in quarantine: it could not be checked or stored. `raw` is the received data."""

    nct_id: Named[str] = Column(String(11), primary_key=True)
    run_id: Named[int | None] = Column(RowId, ForeignKey("runs.id"), comment="the last to fail")
    first_at: Named[datetime] = Column(Timestamp)
    last_at: Named[datetime] = Column(Timestamp)
    attempts: Named[int] = Column(Integer)
    next_try: Named[datetime] = Column(Timestamp)
    error_class: Named[str] = Column(RemoteText)
    error: Named[str] = Column(RemoteText)
    raw: Named[bytes | None] = Column(LargeBinary, comment="zstd; what came instead")


FAILURES = Table("failures", METADATA, _Failure, Index(None, "next_try"))


CURSORS, CURSOR_PAGES = cursor_tables(METADATA)


class _Delivery(TypedColumns):
    """One event to be sent to one recipient by one channel."""

    id: Named[int] = Column(RowId, primary_key=True)
    event_id: Named[int] = Column(RowId, ForeignKey("events.id"))
    channel: Named[str] = Column(RemoteText)
    recipient: Named[str] = Column(RemoteText)
    dedup_key: Named[str] = Column(String(128))
    state: Named[str] = Column(String(16), comment="pending, claimed, sent, parked or dropped")
    created: Named[datetime] = Column(Timestamp)
    not_before: Named[datetime] = Column(Timestamp, comment="when it falls due")
    attempts: Named[int] = Column(Integer, server_default="0")
    claimed_by: Named[str | None] = Column(RemoteText)
    lease_until: Named[datetime | None] = Column(
        Timestamp, comment="a claim older than this is void"
    )
    last_error: Named[str | None] = Column(RemoteText)
    sent_at: Named[datetime | None] = Column(Timestamp)
    message_id: Named[str | None] = Column(RemoteText)


DELIVERIES = Table(
    "deliveries",
    METADATA,
    _Delivery,
    UniqueConstraint("dedup_key"),
    # the same condition for PostgreSQL is only in the migration: here, every command would have
    # to import that dialect
    Index("ix_deliveries_undone", "id", sqlite_where=text(UNDONE)),
    Index(None, "event_id"),
)
