"""The tables, and nothing that reads or writes them.

trials          one row a trial: which snapshot is its head, and what the last load said of it
snapshots       one row a version, never deleted, with the fields that plain SQL asks; one known
                from the history is brought up to what was seen live of it, where it was
bodies          the content-addressed records that snapshots point to
dictionaries    what bodies that stand alone are packed with
events          what changed from one snapshot to the next
watches         what is followed, and watched_trials which trials that means today
runs            one row for every run, whatever became of it
failures        the quarantine: trials that could not be checked or stored
cursors         how far a walk through the whole registry has come, and cursor_pages what it saw
deliveries      the outbox: one row an event and recipient
ctsync_marks    what says that the database is one of ctsync

Text that others wrote is escaped as store.columns says.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ctsync.store.columns import Count, JsonText, RemoteText, RowId, Timestamp

HEAD_REVISION = "0006"
"""The newest migration, written here so that opening a current database needs no alembic."""

APPLICATION_ID = 0x63747379
"""'ctsy' in the header of a SQLite file, where `file` and SQLite look for it."""

UNDONE = "state IN ('pending', 'claimed', 'parked')"
"""What the index of deliveries that are not done holds, word for word; queries say the same."""


class Base(DeclarativeBase):
    """What all tables share: constraints have names, so that a migration can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class MarkRow(Base):
    """One fact about the database itself."""

    __tablename__ = "ctsync_marks"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(RemoteText)


class RunRow(Base):
    """One run."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), comment="sync, backfill, mirror, ...")
    started: Mapped[datetime] = mapped_column(Timestamp, comment="by our clock")
    finished: Mapped[datetime | None] = mapped_column(Timestamp, comment="NULL: never ended")
    load_before: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="the registry's dataTimestamp when the run began"
    )
    load_after: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="the same at its end; another value: the run saw two loads"
    )
    api_version: Mapped[str | None] = mapped_column(RemoteText, comment="as the registry says it")
    outcome: Mapped[str] = mapped_column(
        String(16), comment="running, ok, partial, mixed, stopped or failed"
    )
    error: Mapped[str | None] = mapped_column(RemoteText, comment="why it failed")
    requests: Mapped[int] = mapped_column(Integer, server_default="0")
    retries: Mapped[int] = mapped_column(Integer, server_default="0")
    asked: Mapped[int] = mapped_column(Integer, server_default="0", comment="trials asked for")
    answered: Mapped[int] = mapped_column(Integer, server_default="0", comment="trials answered")
    same: Mapped[int] = mapped_column(Integer, server_default="0")
    changed: Mapped[int] = mapped_column(Integer, server_default="0")
    new: Mapped[int] = mapped_column(Integer, server_default="0")
    gone: Mapped[int] = mapped_column(Integer, server_default="0")
    failed: Mapped[int] = mapped_column(Integer, server_default="0", comment="not checked")
    delivered: Mapped[int] = mapped_column(Integer, server_default="0")
    notices: Mapped[Any] = mapped_column(
        JsonText,
        nullable=True,
        comment="JSON: what it has to tell as a whole; NULL: not looked for yet",
    )


class TrialRow(Base):
    """One trial."""

    __tablename__ = "trials"

    nct_id: Mapped[str] = mapped_column(String(11), primary_key=True)
    # no foreign key: snapshots point here already, and one of the two must come first
    head_snapshot_id: Mapped[int | None] = mapped_column(
        RowId, comment="the newest snapshot; NULL: heard of, never seen"
    )
    state: Mapped[str | None] = mapped_column(String(16), comment="the state of the head")
    moved_to: Mapped[str | None] = mapped_column(
        String(11), comment="the trial that took this id over"
    )
    absent_since: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="the load that first lacked the trial, while no other confirmed it"
    )
    last_seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    last_seen_load: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="the last load that showed the trial, changed or not"
    )
    raw_mark: Mapped[bytes | None] = mapped_column(
        LargeBinary(16), comment="hash of the archive's bytes that the head was made from"
    )
    history_state: Mapped[str | None] = mapped_column(
        String(32), comment="how far the registry's own history was fetched; NULL: never asked"
    )
    history_listed: Mapped[int | None] = mapped_column(
        Integer, comment="versions in the index of its history, as last read"
    )
    history_asked: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="when its history was last asked for"
    )
    history_attempts: Mapped[int] = mapped_column(
        Integer, server_default="0", comment="failures to fetch its history, in a row"
    )
    history_retry: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="when its history is to be asked for again; NULL: need not be"
    )
    history_index: Mapped[Any] = mapped_column(
        JsonText, nullable=True, comment="JSON: the index whose versions are being fetched"
    )


class BodyRow(Base):
    """One record in canonical form, packed."""

    __tablename__ = "bodies"
    __table_args__ = (
        CheckConstraint("(encoding = 'delta') = (base_digest IS NOT NULL)", name="base"),
    )

    digest: Mapped[str] = mapped_column(
        String(80), primary_key=True, comment="canonical form's version, colon, SHA-256"
    )
    raw_size: Mapped[int] = mapped_column(RowId, comment="bytes before packing")
    encoding: Mapped[str] = mapped_column(String(16), comment="keyframe or delta")
    base_digest: Mapped[str | None] = mapped_column(
        ForeignKey("bodies.digest"), comment="the body a delta is packed against"
    )
    depth: Mapped[int] = mapped_column(Integer, comment="deltas down to the keyframe; at most 15")
    data: Mapped[bytes] = mapped_column(LargeBinary, comment="zstd, see store.codec")


class DictionaryRow(Base):
    """A zstd dictionary. A body packed with it names it in the header of its own frame."""

    __tablename__ = "dictionaries"

    id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False, comment="the number zstd knows it by"
    )
    created: Mapped[datetime] = mapped_column(Timestamp)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class SnapshotRow(Base):
    """One version of one trial. Its number is the rank of its position."""

    __tablename__ = "snapshots"
    __table_args__ = (
        UniqueConstraint("nct_id", "position"),
        Index(None, "run_id"),
        Index(None, "digest"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    nct_id: Mapped[str] = mapped_column(ForeignKey("trials.nct_id"))
    position: Mapped[int] = mapped_column(
        BigInteger, comment="order within the trial; gaps leave room for older versions found later"
    )
    state: Mapped[str] = mapped_column(String(16), comment="present, gone or moved")
    digest: Mapped[str | None] = mapped_column(
        ForeignKey("bodies.digest"), comment="NULL where the registry showed no record"
    )
    source: Mapped[str] = mapped_column(String(16), comment="live, history or both")
    registry_version: Mapped[int | None] = mapped_column(
        Integer, comment="the registry's own number, from 0"
    )
    posted: Mapped[str | None] = mapped_column(RemoteText, comment="registry date of posting")
    submitted: Mapped[str | None] = mapped_column(RemoteText, comment="registry date of submission")
    observed: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="dataTimestamp of the load it was seen in"
    )
    fetched: Mapped[datetime] = mapped_column(Timestamp, comment="by our clock")
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    status: Mapped[str | None] = mapped_column(RemoteText, comment="overallStatus")
    last_known_status: Mapped[str | None] = mapped_column(RemoteText)
    why_stopped: Mapped[str | None] = mapped_column(RemoteText)
    start_date: Mapped[str | None] = mapped_column(RemoteText, comment="YYYY, YYYY-MM, YYYY-MM-DD")
    start_date_type: Mapped[str | None] = mapped_column(RemoteText, comment="ESTIMATED or ACTUAL")
    primary_completion_date: Mapped[str | None] = mapped_column(RemoteText)
    primary_completion_date_type: Mapped[str | None] = mapped_column(RemoteText)
    completion_date: Mapped[str | None] = mapped_column(RemoteText)
    completion_date_type: Mapped[str | None] = mapped_column(RemoteText)
    enrollment: Mapped[int | None] = mapped_column(Count)
    enrollment_type: Mapped[str | None] = mapped_column(RemoteText)
    phases: Mapped[str | None] = mapped_column(RemoteText)
    study_type: Mapped[str | None] = mapped_column(RemoteText)
    lead_sponsor: Mapped[str | None] = mapped_column(RemoteText)
    org_study_id: Mapped[str | None] = mapped_column(RemoteText)
    brief_title: Mapped[str | None] = mapped_column(RemoteText)
    verified: Mapped[str | None] = mapped_column(RemoteText, comment="statusVerifiedDate")
    first_submitted: Mapped[str | None] = mapped_column(RemoteText)
    first_posted: Mapped[str | None] = mapped_column(RemoteText)
    last_update_submitted: Mapped[str | None] = mapped_column(RemoteText)
    last_update_posted: Mapped[str | None] = mapped_column(RemoteText)
    results_first_posted: Mapped[str | None] = mapped_column(RemoteText)
    has_results: Mapped[bool] = mapped_column(server_default=text("false"))


class EventRow(Base):
    """One difference between two neighbouring snapshots, in words and figures."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("to_snapshot_id", "path_key"),
        Index(None, "nct_id", "happened"),
        Index(None, "happened"),
        Index(None, "run_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    nct_id: Mapped[str] = mapped_column(ForeignKey("trials.nct_id"))
    from_snapshot_id: Mapped[int | None] = mapped_column(ForeignKey("snapshots.id"))
    to_snapshot_id: Mapped[int] = mapped_column(ForeignKey("snapshots.id"))
    path: Mapped[str] = mapped_column(RemoteText, comment="what changed")
    path_key: Mapped[bytes] = mapped_column(
        LargeBinary(16), comment="hash of path, which may be longer than an index takes"
    )
    kind: Mapped[str] = mapped_column(String(32))
    lane: Mapped[str] = mapped_column(String(32))
    level: Mapped[str] = mapped_column(String(16))
    rule: Mapped[str] = mapped_column(String(32), comment="the rule that gave the level")
    rules_version: Mapped[int | None] = mapped_column(Integer, comment="of the rule table")
    label: Mapped[str] = mapped_column(RemoteText)
    summary: Mapped[str] = mapped_column(RemoteText)
    before: Mapped[Any] = mapped_column(JsonText, nullable=True, comment="JSON")
    after: Mapped[Any] = mapped_column(JsonText, nullable=True, comment="JSON")
    before_type: Mapped[str | None] = mapped_column(RemoteText)
    after_type: Mapped[str | None] = mapped_column(RemoteText)
    days: Mapped[int | None] = mapped_column(Integer, comment="later is positive")
    days_since_first: Mapped[int | None] = mapped_column(Integer)
    percent: Mapped[float | None] = mapped_column()
    percent_since_first: Mapped[float | None] = mapped_column()
    inputs: Mapped[Any] = mapped_column(JsonText, comment="JSON: the facts the rule looked at")
    posted: Mapped[str | None] = mapped_column(RemoteText)
    observed: Mapped[datetime | None] = mapped_column(Timestamp)
    fetched: Mapped[datetime] = mapped_column(Timestamp)
    happened: Mapped[datetime] = mapped_column(
        Timestamp, comment="observed, else posted, else fetched: what --since goes by"
    )
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))


class WatchRow(Base):
    """One watch."""

    __tablename__ = "watches"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(RemoteText)
    origin: Mapped[str] = mapped_column(String(16), comment="cli or file")
    created: Mapped[datetime] = mapped_column(Timestamp)
    query: Mapped[Any] = mapped_column(JsonText, nullable=True, comment="JSON; NULL: a plain list")
    rules: Mapped[Any] = mapped_column(JsonText, comment="JSON: thresholds of its own")
    listed: Mapped[datetime | None] = mapped_column(
        Timestamp,
        comment="the newest load in which all that match its query were seen; NULL: none yet",
    )


class WatchedTrialRow(Base):
    """One trial of one watch."""

    __tablename__ = "watched_trials"
    __table_args__ = (Index(None, "nct_id"),)

    watch_id: Mapped[int] = mapped_column(
        ForeignKey("watches.id", ondelete="CASCADE"), primary_key=True
    )
    # no foreign key: a trial is watched before it is first fetched
    nct_id: Mapped[str] = mapped_column(String(11), primary_key=True)
    asked_as: Mapped[str | None] = mapped_column(
        RemoteText, comment="the study id or alias that named it; NULL: its own id"
    )
    since: Mapped[datetime] = mapped_column(Timestamp)
    left_at: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="when it left the query; it stays followed"
    )
    by_query: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="brought by the query, and leaves it; else named, and always followed",
    )


class FailureRow(Base):
    """A trial that could not be checked or stored, set aside with what came instead."""

    __tablename__ = "failures"
    __table_args__ = (Index(None, "next_try"),)

    nct_id: Mapped[str] = mapped_column(String(11), primary_key=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"), comment="the last to fail")
    first_at: Mapped[datetime] = mapped_column(Timestamp)
    last_at: Mapped[datetime] = mapped_column(Timestamp)
    attempts: Mapped[int] = mapped_column(Integer)
    next_try: Mapped[datetime] = mapped_column(Timestamp)
    error_class: Mapped[str] = mapped_column(RemoteText)
    error: Mapped[str] = mapped_column(RemoteText)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary, comment="zstd; what came instead")


class CursorRow(Base):
    """One way to walk through the whole registry: the bulk archive, its pages, the sweep."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    source: Mapped[str | None] = mapped_column(
        String(64), comment="which archive or question is under way; NULL: none"
    )
    load: Mapped[datetime | None] = mapped_column(Timestamp, comment="the load under way")
    position: Mapped[int] = mapped_column(
        Integer, server_default="0", comment="the next member of the archive, or the next page"
    )
    token: Mapped[str | None] = mapped_column(RemoteText, comment="of the next page")
    total: Mapped[int | None] = mapped_column(Integer, comment="how many trials there are to be")
    done_load: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="the last load that was walked through to its end"
    )


class CursorPageRow(Base):
    """The trials seen on one page of a walk under way; dropped at its end."""

    __tablename__ = "cursor_pages"

    name: Mapped[str] = mapped_column(
        ForeignKey("cursors.name", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    ids: Mapped[bytes] = mapped_column(LargeBinary, comment="zstd; the ids' numbers, 4 bytes each")


class DeliveryRow(Base):
    """One event on its way to one recipient by one channel."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("dedup_key"),
        # PostgreSQL's condition, the same, stands in the migration alone: naming it here would
        # have every command import that dialect
        Index("ix_deliveries_undone", "id", sqlite_where=text(UNDONE)),
        Index(None, "event_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    channel: Mapped[str] = mapped_column(RemoteText)
    recipient: Mapped[str] = mapped_column(RemoteText)
    dedup_key: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(
        String(16), comment="pending, claimed, sent, parked or dropped"
    )
    created: Mapped[datetime] = mapped_column(Timestamp)
    not_before: Mapped[datetime] = mapped_column(Timestamp, comment="when it falls due")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    claimed_by: Mapped[str | None] = mapped_column(RemoteText)
    lease_until: Mapped[datetime | None] = mapped_column(
        Timestamp, comment="a claim older than this is void"
    )
    last_error: Mapped[str | None] = mapped_column(RemoteText)
    sent_at: Mapped[datetime | None] = mapped_column(Timestamp)
    message_id: Mapped[str | None] = mapped_column(RemoteText)
