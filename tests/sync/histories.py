"""Histories stored as the registry's own versions, with the events that follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ctsync.model import Event, JsonObject, KeyFields, NctId, Record, Source, State
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify, first_seen
from ctsync.store.store import Store

FETCHED = datetime(2026, 3, 13, 15, 2, 11, 123456, tzinfo=UTC)


def keep_history(
    store: Store,
    studies: Sequence[JsonObject],
    *,
    source: Source = Source.HISTORY,
    with_events: bool = True,
    registry_versions: Sequence[int] = (),
) -> NctId:
    """Store a trial's versions, oldest first, numbered from 0 as the registry does.

    `registry_versions` are other numbers, if versions between are not fetched. Live versions have
    no number. All versions except those of source history were seen in the load of the day they
    were posted.
    """
    records = [canonicalize(study) for study in studies]
    keys: list[KeyFields] = []
    is_numbered = source is not Source.LIVE
    known = registry_versions or range(len(records))
    numbers = [number if is_numbered else None for number in known]
    head: int | None = None
    with store.unit() as unit:
        for number, record in enumerate(records):
            key = key_fields(record.body)
            seen = source is not Source.HISTORY and key.posted
            observed = datetime.fromisoformat(f"{key.posted}T09:00:05Z") if seen else None
            snapshot, _ = unit.versions.add(
                record.nct_id,
                after=head,
                record=record,
                key=key,
                state=State.PRESENT,
                source=source,
                posted=key.posted,
                submitted=key.submitted,
                observed=observed,
                fetched=FETCHED + timedelta(seconds=number),
                run_id=None,
                registry_version=numbers[number],
            )
            unit.events.add(
                record.nct_id,
                from_snapshot=head,
                to_snapshot=snapshot,
                events=(
                    _events(records[:number], record, keys, numbers[: number + 1])
                    if with_events
                    else []
                ),
                run_id=None,
                posted=key.posted,
                observed=observed,
                fetched=FETCHED,
                rules_version=1,
            )
            head = snapshot
            keys.append(key)
    return records[0].nct_id


def _events(
    before: Sequence[Record],
    record: Record,
    keys: Sequence[KeyFields],
    numbers: Sequence[int | None],
) -> list[Event]:
    if not before:
        return [first_seen(record)]
    return classify(
        diff(before[-1], record),
        before[-1],
        record,
        past=list(keys),
        registry_versions=numbers,
    )


def leave(store: Store, nct_id: NctId, *, state: State = State.GONE) -> int:
    """Store that a trial was gone or moved after its newest version; return the snapshot id."""
    head = store.trials.heads([nct_id])[nct_id]
    with store.unit() as unit:
        snapshot, _ = unit.versions.add(
            nct_id,
            after=head.snapshot_id,
            record=None,
            key=store.versions.earlier_keys(nct_id)[-1],
            state=state,
            source=Source.LIVE,
            posted=None,
            submitted=None,
            observed=FETCHED,
            fetched=FETCHED + timedelta(hours=1),
            run_id=None,
        )
    return snapshot
