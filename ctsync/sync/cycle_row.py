"""The row of a sync cycle, for JSON and programs. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ctsync.model import Failed
from ctsync.questions.results.sync_rows import QueryListingRow, SyncRow, UnresolvedTermRow
from ctsync.record.context import BaseRates
from ctsync.record.registry.notices import uncovered
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.report_row import UncheckedTrialRow
from ctsync.sync.cycle_result import CycleResult


def sync_row(result: CycleResult, rates: BaseRates | None) -> SyncRow:
    """Return the row of a sync: the run, its counts, trials not checked, and events.

    `rates` are the base rates of the context; with None, events have no context.
    """
    sync = result.sync
    return SyncRow(
        run=sync.run_id,
        verdict=sync.verdict,
        load=sync.load.data_timestamp,
        refreshed=sync.refreshed,
        **asdict(sync.tally),
        could_not_check=unchecked_rows(sync.failed),
        unknown=tuple(sync.unknown),
        missing=tuple(sync.missing),
        unresolved=tuple(UnresolvedTermRow(one.watch, one.term) for one in result.unresolved),
        listed=tuple(
            QueryListingRow(one.watch.name, one.total, one.problem) for one in sync.listed
        ),
        held=tuple(sync.held),
        notices=tuple(notice.line for notice in sync.notices),
        events=tuple(event_row(stored, rates) for stored in uncovered(sync.events, sync.notices)),
    )


def unchecked_rows(failed: Sequence[Failed]) -> tuple[UncheckedTrialRow, ...]:
    """Return the rows of trials that could not be checked."""
    return tuple(UncheckedTrialRow(one.nct_id, str(one.error)) for one in failed)
