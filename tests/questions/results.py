"""Rows of the commands that do something, with and without values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from ctsync.model import Category, Kind, Level, NctId, Verdict
from ctsync.questions.results.database_rows import (
    CompactionRow,
    CopiedTableRow,
    DatabaseCopyRow,
    DatabaseStatsRow,
    MonthRow,
    ProblemRow,
    TextIndexRow,
    TrialSizeRow,
)
from ctsync.questions.results.delivery_rows import DeliveryRow, PlannedMessageRow
from ctsync.questions.results.registry_rows import ListedVersionRow
from ctsync.questions.results.setup_rows import AssumptionRow, FindingRow, SettingRow
from ctsync.questions.results.sync_rows import (
    BackfillRow,
    FetchedHistoryRow,
    MirrorRow,
    PreviewedChangeRow,
    QueryListingRow,
    SyncRow,
    UnresolvedTermRow,
)
from ctsync.questions.results.transfer_rows import ExportedTableRow, ImportRow
from ctsync.questions.results.watch_rows import (
    FollowedRow,
    FoundTrialRow,
    WatchAdditionRow,
    WatchPreviewRow,
)
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.report_row import UncheckedTrialRow
from ctsync.store.data.outbox import DeliveryState
from ctsync.sync.run_log import RunCounts
from tests.report.examples import QUICK, SEED, demo_events

NOW = datetime(2026, 3, 13, 15, 2, 11, tzinfo=UTC)
COUNTS = asdict(RunCounts(requests=5, asked=2, answered=1, same=1, failed=1))
FAILED = (UncheckedTrialRow(SEED, "timed out"),)
SYNC = SyncRow(
    run=118, verdict=Verdict.PARTIAL, load=NOW, refreshed=True, **COUNTS, could_not_check=FAILED,
    unknown=(NctId("NCT00000001"),), missing=(QUICK,),
    unresolved=(UnresolvedTermRow("mine", "BM-MSC-01"),),
    listed=(QueryListingRow("open", 42, None), QueryListingRow("new", None, "it was cut short")),
    held=("41 of 42 trials left at once",), notices=("The registry changed derived terms",),
    events=tuple(map(event_row, demo_events())),
)  # fmt: skip
QUIET = replace(
    SYNC, verdict=Verdict.OK, could_not_check=(), unknown=(), missing=(), unresolved=(), listed=(),
    held=(), notices=(), events=(),
)  # fmt: skip
MIRROR = MirrorRow(
    run=119, verdict=Verdict.OK, load=NOW, steps=("bulk", "delta"), **COUNTS,
    messages=("the registry offers no archive",), could_not_check=FAILED, missing=(QUICK,),
    notices=(), watched=SYNC,
)  # fmt: skip
COMPLETE = FetchedHistoryRow(SEED, "complete", 3, 2, 1, 0, None, None)
DELIVERY = DeliveryRow(
    id=7, event_id=3, channel="email", recipient="anna@example.org", state=DeliveryState.PARKED,
    attempts=4, not_before=NOW, counts_as_due=False, last_error="550 no such user",
    message_id=None,
)  # fmt: skip
PLANNED = PlannedMessageRow(
    due=NOW, channel="email", recipient="anna@example.org", watches=("mine",), welcome=False,
    events=2, subject="2 critical", message_id="2f6b", kept="an earlier message failed",
)  # fmt: skip

FOLLOWED = FollowedRow("BM-MSC-01", SEED, "mine", "RECRUITING", "A sponsor", "A title", None)
QUERIED = FollowedRow(None, None, "mine", None, None, None, {"query.cond": "GVHD"})
FOUND = (FoundTrialRow(SEED, "RECRUITING", "A sponsor", "-"),)


def results() -> Mapping[str, Sequence[Any]]:
    """Return rows of each schema of a command's result."""
    return {
        "sync": [SYNC, QUIET],
        "previewed_change": [
            PreviewedChangeRow(
                SEED,
                Kind.STATUS,
                Category.STATUS,
                Level.CRITICAL,
                rule="R-STA-01",
                path="a.b",
                label="Overall status",
                before="RECRUITING",
                after=None,
                summary="status",
            )
        ],
        "mirror": [MIRROR, replace(MIRROR, watched=None)],
        "backfill": [
            BackfillRow(120, Verdict.PARTIAL, 9, (COMPLETE,)),
            BackfillRow(
                121,
                Verdict.OK,
                0,
                (replace(COMPLETE, listed=None, error="timed out", retry=NOW),),
            ),
        ],
        "assumption": [
            AssumptionRow("alias redirect", "holds", "301 to /api/v2/studies/NCT01203436"),
        ],
        "finding": [
            FindingRow("database", "ok", "schema 0001", None),
            FindingRow("mail", "wrong", "refused", "see smtp.host"),
        ],
        "setting": [
            SettingRow("registry.url", "https://clinicaltrials.gov/api", "default"),
            SettingRow("smtp", None, "default"),
        ],
        "delivery": [DELIVERY, replace(DELIVERY, state=DeliveryState.SENT, message_id="2f6b")],
        "planned_message": [PLANNED, replace(PLANNED, kept=None, welcome=True)],
        "problem": [ProblemRow("event differs", SEED, "the level is another one")],
        "database_stats": [
            DatabaseStatsRow(
                {"trials": 1},
                {"keyframes": 9},
                raw_bytes=30,
                spread={"1": 1},
                most_versions=1,
                months=(MonthRow("2026-03", 1, 1, 9),),
                largest=(TrialSizeRow(SEED, 1, 9),),
            )
        ],
        "database_copy": [DatabaseCopyRow({"trials": CopiedTableRow(1, "2f6b")})],
        "compaction": [CompactionRow(9, 8, 1, 0)],
        "text_index": [TextIndexRow(600, 9000, 0, 4096)],
        "import": [ImportRow(1, 8, 2, 0, {SEED: "version 1 is stored with other content"})],
        "followed": [FOLLOWED, QUERIED],
        "listed_version": [
            ListedVersionRow(SEED, 0, "2019-07-12", "RECRUITING", modules=(), url="url"),
            ListedVersionRow(SEED, 1, "2020-01-02", "COMPLETED", ("Study Status",), url="url"),
        ],
        "watch_addition": [
            WatchAdditionRow((FOLLOWED, QUERIED), SYNC, BackfillRow(121, Verdict.OK, 4, ())),
            WatchAdditionRow((FOLLOWED,), None, None),
        ],
        "watch_preview": [
            WatchPreviewRow({"query.cond": "GVHD"}, None, 1, FOUND, FAILED),
            WatchPreviewRow(None, 0, 0, (), ()),
        ],
        "exported_table": [ExportedTableRow("events", 9, ("2026-03",), 2, ("2019-01",))],
    }
