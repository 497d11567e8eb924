"""The changes of a dry run, as events and as rows of JSON. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.model import Event, NctId, StoredEvent
from ctsync.questions.results.sync_rows import PreviewedChangeRow
from ctsync.sync.cycle_result import CyclePreview


def preview_rows(seen: CyclePreview) -> list[PreviewedChangeRow]:
    """Return one row per change that a sync would store."""
    return [_row(nct_id, event) for nct_id, event in seen.events]


def preview_events(seen: CyclePreview) -> Iterator[StoredEvent]:
    """The events as they would be stored."""
    keys = {one.asked: one.finding.key for one in seen.examined if one.finding}
    heads = {one.asked: one.finding.head for one in seen.examined if one.finding}
    for nct_id, event in seen.events:
        head = heads.get(nct_id)
        version = head.version if head else 0
        key = keys.get(nct_id)
        yield StoredEvent(
            event_id=0,
            nct_id=nct_id,
            brief_title=key.brief_title if key else None,
            event=event,
            from_version=version or None,
            to_version=version + 1,
            from_registry_version=None,
            to_registry_version=None,
            posted=None,
            observed=seen.load.data_timestamp,
            fetched=seen.load.data_timestamp,
            run_id=None,
            lead_sponsor=key.lead_sponsor if key else None,
        )


def _row(nct_id: NctId, event: Event) -> PreviewedChangeRow:
    return PreviewedChangeRow(
        nct_id=nct_id,
        kind=event.kind,
        category=event.category,
        level=event.level,
        rule=event.rule,
        path=event.path,
        label=event.label,
        before=event.before,
        after=event.after,
        summary=event.summary,
    )
