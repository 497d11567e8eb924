"""The sentences that report a sync, on a terminal and in the daemon's log. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.dates import format_minute
from ctsync.model import Verdict
from ctsync.record.value_text import counted
from ctsync.sync.cycle import CycleResult
from ctsync.sync.history.backfill import BackfillResult

SHOWN_FAILURES = 20


def sentences(result: CycleResult) -> Iterator[str]:
    """Report the result of a sync in sentences, the numbers checked first."""
    sync, tally = result.sync, result.sync.tally
    load = format_minute(sync.load.data_timestamp)
    yield (
        f"checked {tally.answered} of {tally.asked} trials against the registry's load of {load}: "
        f"{tally.new} new, {tally.changed} changed, {tally.gone} gone, {tally.same} the same "
        f"({tally.requests} requests)"
    )
    for notice in sync.notices:
        yield notice.line
    if not sync.refreshed:
        yield f"registry not refreshed since {load}"
    yield from _unanswered(result)
    if sync.verdict is Verdict.MIXED:
        yield "the registry reloaded twice during the run; run again to be sure of one load"
    yield from _history_sentence(result.past)
    delivered = result.delivered
    if delivered.messages or delivered.waiting or delivered.parked:
        yield delivered.sentence()


def _unanswered(result: CycleResult) -> Iterator[str]:
    sync = result.sync
    for failed in sync.failed[:SHOWN_FAILURES]:
        yield f"could not check {failed.nct_id}: {failed.error}"
    if (more := len(sync.failed) - SHOWN_FAILURES) > 0:
        yield f"and {more} more that could not be checked: ctsync status"
    for nct_id in sync.unknown:
        yield f"{nct_id}: the registry has no such trial; if that is a slip: ctsync watch remove"
    for nct_id in sync.missing[:SHOWN_FAILURES]:
        yield f"{nct_id}: not in this load; the next one will tell whether it is gone"
    if (more := len(sync.missing) - SHOWN_FAILURES) > 0:
        yield f"and {more} more that are not in this load: ctsync sync --json"
    yield from sync.reasons
    for lost in result.unresolved:
        yield f"watch {lost.watch}: {lost.reason}"


def _history_sentence(past: BackfillResult | None) -> Iterator[str]:
    if past is None:
        return
    complete = [trial for trial in past.trials if trial.is_settled]
    stored = sum(trial.stored for trial in past.trials)
    message = (
        f"asked again for {counted(len(past.trials), 'history', 'histories')}: "
        f"{len(complete)} complete, {counted(stored, 'version')} stored"
    )
    lacking = [f"{trial.nct_id} {trial.state}" for trial in past.trials if not trial.is_settled]
    yield f"{message}; {', '.join(lacking)}" if lacking else message
