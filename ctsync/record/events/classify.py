"""Classification of field changes into events.

Every field change is reported by exactly one event. Every event reports at least one change,
except events about the whole record (first seen, gone, …). Only the rule table sets the level.
The same records always give the same events, so stored events can be rebuilt.

Does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import Category, Event, FieldChange, KeyFields, Kind, NctId, Record
from ctsync.record.compare.canonical import key_fields
from ctsync.record.events.arms import arm_events
from ctsync.record.events.base import VersionStep, days_posted, make_whole_event
from ctsync.record.events.enrollment import enrollment_events
from ctsync.record.events.lists import SITES, list_event, site_event
from ctsync.record.events.other import plain_events
from ctsync.record.events.overall_status import status_events
from ctsync.record.events.results import results_events
from ctsync.record.events.trial_dates import date_events
from ctsync.record.fields.table import reporting_field
from ctsync.record.rules.rules import Thresholds
from ctsync.record.trial_line import state_of
from ctsync.record.value_text import quoted, said

Family = Callable[[list[FieldChange], VersionStep], Iterator[Event]]


def _outcome_events(changes: list[FieldChange], step: VersionStep) -> Iterator[Event]:
    # measured: 5 % of a sync in which no outcome measure changed
    from ctsync.record.events.outcomes.outcome_measures import (  # noqa: PLC0415 - see above
        outcome_events,
    )

    return outcome_events(changes, step)


_FAMILIES: dict[Kind, Family] = {
    Kind.STATUS: status_events,
    Kind.WHY_STOPPED: status_events,
    Kind.START_DATE: date_events,
    Kind.PRIMARY_COMPLETION_DATE: date_events,
    Kind.COMPLETION_DATE: date_events,
    Kind.ENROLLMENT: enrollment_events,
    Kind.ARM: arm_events,
    Kind.OUTCOME: _outcome_events,
    Kind.RESULTS: results_events,
}


def classify(
    changes: Sequence[FieldChange],
    before: Record,
    after: Record,
    *,
    past: Sequence[KeyFields] = (),
    stood_from: Sequence[date] = (),
    registry_versions: Sequence[int | None] = (),
    thresholds: Thresholds | None = None,
) -> list[Event]:
    """Return the events of the changes from one record to the next, grouped by event kind.

    `past` holds the key fields of all earlier versions, oldest first; the last are those of
    `before`. Moves since the first version, enrollment targets and the length of a status come
    from it. Without `past`, only `before` is known.

    `stood_from` holds the day on which each version of `past`, and then `after`, took effect:
    one more than `past`. Without it the records' own dates are used; these do not date the
    registry's own changes. `registry_versions` holds the registry's number of the same versions,
    None if unknown. How long a status lasted and how often a date moved is known only if no
    number is missing. Raises ValueError if the lengths do not fit.
    """
    for found in (stood_from, registry_versions):
        if found and len(found) != len(past) + 1:
            raise ValueError(
                "stood_from and registry_versions need a value for each earlier version and the new"
            )
    old = past[-1] if past else key_fields(before.body)
    new = key_fields(after.body)
    step = VersionStep(
        before=before,
        after=after,
        old=old,
        new=new,
        past=tuple(past) or (old,),
        days=tuple(stood_from) or days_posted(past or (old,), new),
        numbers=tuple(registry_versions) or (None,) * (len(past or (old,)) + 1),
        thresholds=thresholds or Thresholds(),
        changed=frozenset(change.field for change in changes),
    )
    return list(_events(changes, step))


def _events(changes: Iterable[FieldChange], step: VersionStep) -> Iterator[Event]:
    single: dict[Kind, list[FieldChange]] = defaultdict(list)
    summed: dict[str, list[FieldChange]] = defaultdict(list)
    for change in changes:
        reported = reporting_field(change.field)
        if reported.summed or not reported.known:
            summed[reported.path].append(change)
        else:
            single[reported.kind].append(change)
    for kind, of_kind in single.items():
        yield from _FAMILIES.get(kind, plain_events)(of_kind, step)
    for path, of_list in summed.items():
        reported = reporting_field(path)
        yield (site_event if path == SITES else list_event)(reported, of_list, step)


# --- events about the whole record ---------------------------------------------------------------


def first_seen(record: Record | KeyFields, *, thresholds: Thresholds | None = None) -> Event:
    """Return the baseline event: ctsync began to follow the trial in the state summarized."""
    return _arrival(Kind.FIRST_SEEN, "First seen", record, thresholds)


def registered(
    record: Record | KeyFields, *, is_new: bool = True, thresholds: Thresholds | None = None
) -> Event:
    """Return the event of a trial that an earlier load did not have.

    `is_new` is False if the trial was first posted before that load: then it is new to ctsync,
    but was not registered since.
    """
    if is_new:
        return _arrival(Kind.REGISTERED, "Registered", record, thresholds)
    key = _key_of(record)
    seen = {"newly_registered": False, "first_posted": key.first_posted or key.first_submitted}
    return _arrival(Kind.REGISTERED, "Newly seen", key, thresholds, more=seen)


def _arrival(
    kind: Kind,
    label: str,
    record: Record | KeyFields,
    thresholds: Thresholds | None,
    *,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Event:
    key = _key_of(record)
    return make_whole_event(
        kind,
        Category.IDENTIFICATION,
        state_of(key),
        label=label,
        thresholds=thresholds or Thresholds(),
        after=key.status,
        inputs={"status": key.status, "registered_days_after_start": _late(key), **more},
    )


def _key_of(record: Record | KeyFields) -> KeyFields:
    return record if isinstance(record, KeyFields) else key_fields(record.body)


def _late(key: KeyFields) -> int | None:
    """Return the days from a trial's start to its registration; negative if registered before."""
    start, first = PartialDate.parse(key.start_date), PartialDate.parse(key.first_submitted)
    return start.shift_to(first).days if start and first else None


def gone(last: KeyFields, *, thresholds: Thresholds | None = None) -> Event:
    """Return the event of a trial that left the registry; `last` is its last known state."""
    return make_whole_event(
        Kind.GONE,
        Category.STATUS,
        f"No longer in the registry; last seen as {state_of(last) or 'a record without a status'}",
        label="Record",
        thresholds=thresholds or Thresholds(),
        before=last.status,
        inputs={"status": last.status},
    )


def returned(record: Record | KeyFields, *, thresholds: Thresholds | None = None) -> Event:
    """Return the event of a trial that is back after it was gone or merged."""
    key = _key_of(record)
    return make_whole_event(
        Kind.RETURNED,
        Category.STATUS,
        f"Back in the registry: {state_of(key) or 'a record without a status'}",
        label="Record",
        thresholds=thresholds or Thresholds(),
        after=key.status,
        inputs={"status": key.status},
    )


def moved(to: NctId, *, thresholds: Thresholds | None = None) -> Event:
    """Return the event of a trial that the registry merged into the trial `to`."""
    return make_whole_event(
        Kind.MOVED,
        Category.IDENTIFICATION,
        f"Merged by the registry into {to}, which is followed from here on",
        label="NCT Number",
        thresholds=thresholds or Thresholds(),
        after=to,
        inputs={"to": to},
    )


def entered(
    query: str, load: datetime, *, again: bool = False, thresholds: Thresholds | None = None
) -> Event:
    """Return the event of a trial that now matches the query of the watch named `query`.

    `load` is the dataTimestamp of the load that showed it. A trial enters and leaves in a load,
    not by a new version, so the event's path names the load.
    """
    return make_whole_event(
        Kind.ENTERED,
        Category.IDENTIFICATION,
        f"Now matches the query of watch {quoted(query)}" + (" again" if again else ""),
        label="Watched query",
        thresholds=thresholds or Thresholds(),
        after=query,
        path=_of_load(Kind.ENTERED, query, load),
        inputs={"query": query, "again": again},
    )


def left(
    query: str,
    load: datetime,
    why: Sequence[Event] = (),
    *,
    thresholds: Thresholds | None = None,
) -> Event:
    """Return the event of a trial that no longer matches the query of the watch named `query`.

    `why` holds the possible reasons: events, since the trial last matched, about fields that the
    query searches.
    """
    reasons = "; ".join(event.summary for event in why) or "nothing that it asks for changed"
    return make_whole_event(
        Kind.LEFT,
        Category.IDENTIFICATION,
        f"No longer matches the query of watch {quoted(query)}: {said(reasons, 240)}",
        label="Watched query",
        thresholds=thresholds or Thresholds(),
        before=query,
        path=_of_load(Kind.LEFT, query, load),
        inputs={"query": query, "because": [event.path for event in why]},
    )


def _of_load(kind: Kind, query: str, load: datetime) -> str:
    return f"{kind} {load:%Y-%m-%dT%H:%M:%SZ} {query}"
