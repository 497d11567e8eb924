"""Links versions seen in a load to the registry's history, and selects the events to report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctsync.model import Event, Kind, Prepared, Record, Source
from ctsync.record.rules.rules import RULES_VERSION
from ctsync.store.unit import Unit
from ctsync.sync.assessment.assessed_trial import HistoryLink, PendingVersion
from ctsync.sync.history.rederive_events import NOT_DERIVED

ReportedEvents = list[tuple[int, Event]]
"""Events with their ids, to be reported to those who follow the trial."""


@dataclass(frozen=True, slots=True)
class _Seen:
    observed: datetime
    fetched: datetime
    run_id: int


def link_history(
    unit: Unit, finding: PendingVersion, *, observed: datetime, fetched: datetime, run_id: int
) -> ReportedEvents:
    """Store a finding that continues the registry's history, in the given transaction.

    Returns the events to report. Events from the history of a trial that was already followed are
    reported with this load. Events of a trial that nobody followed yet are not reported, and keep
    the day on which they happened.
    """
    if finding.joining is None:
        raise ValueError(f"{finding.nct_id}: the finding does not continue the history")
    overdue = [(one.event_id, one.event) for one in finding.joining.overdue]
    unit.event_rewrites.mark_observed(
        [event_id for event_id, _ in overdue], run_id=run_id, observed=observed, fetched=fetched
    )
    seen = _Seen(observed, fetched, run_id)
    keep = _confirm if finding.joining.confirms else _add
    return [*overdue, *keep(unit, finding, finding.joining, seen)]


def _add(unit: Unit, finding: PendingVersion, joining: HistoryLink, seen: _Seen) -> ReportedEvents:
    head = finding.head.snapshot_id if finding.head else None
    snapshot_id, _added = unit.versions.add(
        finding.nct_id,
        after=head,
        record=_record_of(finding),
        key=finding.key,
        state=finding.state,
        source=Source.LIVE,
        posted=finding.key.posted,
        submitted=finding.key.submitted,
        observed=seen.observed,
        fetched=seen.fetched,
        run_id=seen.run_id,
    )
    reported, earlier = _split(finding, joining)
    flags = _add_flags(unit, finding, snapshot_id, seen)
    ids = unit.events.add(
        finding.nct_id,
        from_snapshot=head,
        to_snapshot=snapshot_id,
        events=reported,
        run_id=seen.run_id,
        posted=finding.key.posted,
        observed=seen.observed,
        fetched=seen.fetched,
        rules_version=RULES_VERSION,
    )
    if earlier:
        unit.events.add(
            finding.nct_id,
            from_snapshot=head,
            to_snapshot=snapshot_id,
            events=earlier,
            run_id=None,
            posted=finding.key.posted,
            observed=None,
            fetched=seen.fetched,
            rules_version=RULES_VERSION,
            happened=joining.happened,
        )
    return [*zip(ids, reported, strict=True), *flags]


def _add_flags(
    unit: Unit, finding: PendingVersion, snapshot_id: int, seen: _Seen
) -> ReportedEvents:
    """Store the events of flags, which belong to the version itself."""
    flags = [event for event in finding.events if event.kind is Kind.FLAG]
    ids = unit.events.add(
        finding.nct_id,
        from_snapshot=snapshot_id,
        to_snapshot=snapshot_id,
        events=flags,
        run_id=seen.run_id,
        posted=finding.key.posted,
        observed=seen.observed,
        fetched=seen.fetched,
        rules_version=RULES_VERSION,
    )
    return list(zip(ids, flags, strict=True))


def _confirm(
    unit: Unit, finding: PendingVersion, joining: HistoryLink, seen: _Seen
) -> ReportedEvents:
    """Mark the head, so far known only from the history, as seen live."""
    record = _record_of(finding)
    if finding.head is None or record is None:
        raise ValueError(f"{finding.nct_id}: only a stored version with a record can be confirmed")
    head = finding.head.snapshot_id
    before = unit.histories.confirm(
        finding.nct_id,
        head=head,
        record=record,
        key=finding.key,
        observed=seen.observed,
        fetched=seen.fetched,
        run_id=seen.run_id,
    )
    unit.event_rewrites.rewrite(
        from_snapshot=before,
        to_snapshot=head,
        events=_of_step(finding),
        leave=NOT_DERIVED,
        rules_version=RULES_VERSION,
        happened=joining.happened,
    )
    ids = unit.events.ids_by_path(head)
    reported = [(ids[event.path], event) for event in _split(finding, joining)[0]]
    unit.event_rewrites.mark_observed(
        [event_id for event_id, _ in reported],
        run_id=seen.run_id,
        observed=seen.observed,
        fetched=seen.fetched,
    )
    return [*reported, *_add_flags(unit, finding, head, seen)]


def _record_of(finding: PendingVersion) -> Record | None:
    if isinstance(finding.record, Prepared):
        raise ValueError(f"{finding.nct_id} must be joined, but its record was not loaded in full")
    return finding.record


def _split(finding: PendingVersion, joining: HistoryLink) -> tuple[list[Event], list[Event]]:
    """Return the events of a step to report, and the events not to report."""
    events = _of_step(finding)
    if not joining.is_baseline:
        return events, []
    first = [event for event in events if event.kind is Kind.FIRST_SEEN]
    return first, [event for event in events if event.kind is not Kind.FIRST_SEEN]


def _of_step(finding: PendingVersion) -> list[Event]:
    return [event for event in finding.events if event.kind is not Kind.FLAG]
