"""The sentences that report a sync, on a terminal and in the daemon's log. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ctsync.dates import format_minute
from ctsync.model import Kind, NctId, Verdict
from ctsync.record.value_text import counted
from ctsync.sync.cycle_result import CycleResult
from ctsync.sync.result import SyncResult
from ctsync.sync.watches.resolve import UnresolvedTerm

if TYPE_CHECKING:
    from ctsync.sync.history.backfill import BackfillResult

MOST_FAILURES = 5
"""Most lines about trials that could not be checked."""
MOST_NAMED = 3


def sentences(result: CycleResult) -> Iterator[str]:
    """Report the result of a cycle in sentences, beginning with the number of checked trials."""
    yield from sync_sentences(result.sync, result.unresolved)
    yield from past_sentence(result.past)
    if result.delivered.is_worth_a_sentence:
        yield result.delivered.sentence()


def sync_sentences(sync: SyncResult, unresolved: Sequence[UnresolvedTerm]) -> Iterator[str]:
    """Report the result of a sync, before its messages are sent."""
    baselines = [one.nct_id for one in sync.events if one.event.kind is Kind.FIRST_SEEN]
    yield _checked(sync)
    if baselines:
        yield f"{counted(len(baselines), 'trial')} stored as baseline{_named(baselines)}"
    for notice in sync.notices:
        yield notice.line
    yield from _unanswered(sync, unresolved)
    if sync.verdict is Verdict.MIXED:
        yield "the registry refreshed its data twice during the run; run again: ctsync sync"


def _checked(sync: SyncResult) -> str:
    """The number of trials checked, the date of the data, and the number of trials changed."""
    tally, load = sync.tally, format_minute(sync.load.data_timestamp)
    checked = f"checked {tally.answered:,} of {counted(tally.asked, 'trial')}"
    requests = f"({counted(tally.requests, 'request')})"
    is_unchanged = not (sync.events or tally.new or tally.changed or tally.gone)
    if is_unchanged and not sync.refreshed and tally.answered == tally.asked:
        return f"already up to date with the registry data of {load}: {checked} {requests}"
    registered = [one.event for one in sync.events if one.event.kind is Kind.REGISTERED]
    old = sum(not event.inputs.get("newly_registered", True) for event in registered)
    counts = {
        "newly registered": len(registered) - old,
        "newly seen": old,
        "changed": tally.changed,
        "gone": tally.gone,
        "unchanged": tally.same,
    }
    found = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number > 0)
    if is_unchanged and tally.same:
        found = "no changes"
    return f"{checked} against the registry data of {load}{': ' if found else ''}{found} {requests}"


def _named(ids: Sequence[NctId]) -> str:
    return f": {', '.join(ids)}" if len(ids) <= MOST_NAMED else ""


def _unanswered(sync: SyncResult, unresolved: Sequence[UnresolvedTerm]) -> Iterator[str]:
    yield from (f"could not check {one.nct_id}: {one.error}" for one in sync.failed[:MOST_FAILURES])
    if (more := len(sync.failed) - MOST_FAILURES) > 0:
        yield f"and {more:,} more that could not be checked: ctsync status"
    if sync.unknown:
        yield unknown_sentence(sync.unknown)
    if sync.missing:
        yield (
            f"{_some(sync.missing)}: not in this data refresh; the next one shows whether it is "
            "gone"
        )
    yield from sync.reasons
    for lost in unresolved:
        yield f"watch {lost.watch}: {lost.reason}"


def unknown_sentence(ids: Sequence[NctId]) -> str:
    """Name the ids that no load has ever contained. Later runs do not name them again."""
    them = "it" if len(ids) == 1 else "them"
    return (
        f"{_some(ids, by='ctsync watch show')}: the registry has no such trial; later syncs "
        f"look for {them}; to stop following {them}: ctsync watch remove"
    )


def _some(ids: Sequence[NctId], *, by: str = "ctsync sync --json") -> str:
    """The first ids, and the number of the others with the command that lists them."""
    more = len(ids) - MOST_NAMED
    rest = f" and {more:,} more ({by} lists them)" if more > 0 else ""
    return ", ".join(ids[:MOST_NAMED]) + rest


def past_sentence(past: BackfillResult | None) -> Iterator[str]:
    """Report the histories that a cycle fetched; nothing if there were none."""
    if past is None:
        return
    complete = [trial for trial in past.trials if trial.is_settled]
    stored = sum(trial.stored for trial in past.trials)
    message = (
        f"fetched the registry history of {counted(len(past.trials), 'trial')}: "
        f"{len(complete)} complete, {counted(stored, 'version')} stored"
    )
    lacking = [f"{trial.nct_id} {trial.state}" for trial in past.trials if not trial.is_settled]
    yield f"{message}; {', '.join(lacking)}" if lacking else message
