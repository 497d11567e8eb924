"""Small studies for the tests of records, and helpers that compare them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from ctsync.model import Event, FieldChange, JsonObject, KeyFields, Kind, Record
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.rules.rules import Thresholds

STATUS = "protocolSection.statusModule"
OUTCOMES = "protocolSection.outcomesModule"
LOCATIONS = "protocolSection.contactsLocationsModule.locations"


def study(**values: Any) -> JsonObject:
    """Return a recruiting trial with the given values at their paths ("a__b" is a.b).

    None removes the value at a path.
    """
    made: JsonObject = {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT03389919", "briefTitle": "A trial"},
            "statusModule": {
                "overallStatus": "RECRUITING",
                "statusVerifiedDate": "2020-01",
                "startDateStruct": {"date": "2019-06-01", "type": "ACTUAL"},
                "primaryCompletionDateStruct": {"date": "2021-06", "type": "ESTIMATED"},
                "completionDateStruct": {"date": "2022-06-30", "type": "ESTIMATED"},
                "studyFirstSubmitDate": "2019-05-01",
                "studyFirstPostDateStruct": {"date": "2019-05-08", "type": "ACTUAL"},
                "lastUpdateSubmitDate": "2020-01-10",
                "lastUpdatePostDateStruct": {"date": "2020-01-14", "type": "ACTUAL"},
            },
            "designModule": {"enrollmentInfo": {"count": 100, "type": "ESTIMATED"}},
        },
        "hasResults": False,
    }
    for path, value in values.items():
        put(made, SHORT.get(path, path.replace("__", ".")), value)
    return made


SHORT = {
    "status": f"{STATUS}.overallStatus",
    "last_known": f"{STATUS}.lastKnownStatus",
    "why": f"{STATUS}.whyStopped",
    "start": f"{STATUS}.startDateStruct",
    "primary": f"{STATUS}.primaryCompletionDateStruct",
    "completion": f"{STATUS}.completionDateStruct",
    "verified": f"{STATUS}.statusVerifiedDate",
    "first_submitted": f"{STATUS}.studyFirstSubmitDate",
    "posted": f"{STATUS}.lastUpdatePostDateStruct.date",
    "submitted": f"{STATUS}.lastUpdateSubmitDate",
    "enrollment": "protocolSection.designModule.enrollmentInfo",
    "primary_outcomes": f"{OUTCOMES}.primaryOutcomes",
    "secondary_outcomes": f"{OUTCOMES}.secondaryOutcomes",
    "sites": LOCATIONS,
    "eligibility": "protocolSection.eligibilityModule.eligibilityCriteria",
    "references": "protocolSection.referencesModule.references",
    "keywords": "protocolSection.conditionsModule.keywords",
    "sponsor": "protocolSection.sponsorCollaboratorsModule.leadSponsor",
}


def put(made: JsonObject, path: str, value: Any) -> None:
    """Set the value at a path. None removes it, and the objects that this leaves empty."""
    first, _, rest = path.partition(".")
    if not rest:
        if value is None:
            made.pop(first, None)
        else:
            made[first] = copy.deepcopy(value)
        return
    put(made.setdefault(first, {}), rest, value)
    if not made[first]:
        del made[first]


def record(**values: Any) -> Record:
    return canonicalize(study(**values))


def dated(date: str | None, kind: str | None = "ESTIMATED") -> dict[str, str]:
    return {key: value for key, value in (("date", date), ("type", kind)) if value is not None}


def counted(count: Any, kind: str = "ESTIMATED") -> dict[str, Any]:
    return {"count": count, "type": kind}


def outcome(measure: str, time_frame: str = "12 months", **more: str) -> dict[str, str]:
    return {"measure": measure, "timeFrame": time_frame, **more}


def site(facility: str, country: str = "Poland", city: str = "Warsaw", **more: Any) -> JsonObject:
    return {"facility": facility, "city": city, "country": country, **more}


def events_between(
    before: Record | JsonObject,
    after: Record | JsonObject,
    *,
    past: Sequence[KeyFields] | None = None,
    numbers: Sequence[int | None] = (),
    thresholds: Thresholds | None = None,
) -> list[Event]:
    """Return the events of a step. Asserts that exactly one event reports each change.

    `numbers` are the registry's numbers of the versions of `past` and of the new one.
    """
    old = before if isinstance(before, Record) else canonicalize(before)
    new = after if isinstance(after, Record) else canonicalize(after)
    changes = diff(old, new)
    earlier = list(past or [])
    if not earlier or earlier[-1] != key_fields(old.body):
        earlier.append(key_fields(old.body))
    events = classify(
        changes, old, new, past=earlier, registry_versions=numbers, thresholds=thresholds
    )
    assert uncovered(changes, events) == {}
    return events


def uncovered(changes: Sequence[FieldChange], events: Iterable[Event]) -> dict[str, int]:
    """The paths of changes that not exactly one event covers, each with its number of events."""
    reported = Counter(path for event in events for path in event.covers)
    return {
        path: reported[path]
        for path in {c.path for c in changes} | reported.keys()
        if reported[path] != 1
    }


def the_event(events: Sequence[Event], kind: Kind, path_end: str = "") -> Event:
    """Return the only event of a kind whose path ends with `path_end`."""
    found = [e for e in events if e.kind is kind and e.path.endswith(path_end)]
    assert len(found) == 1, [e.summary for e in found]
    return found[0]


def history(
    *versions: JsonObject, numbers: Sequence[int | None] | None = None
) -> list[list[Event]]:
    """Return the events of each step of a history, classified with all earlier versions.

    `numbers` are the registry's numbers of the versions; by default they are unknown.
    """
    records = [canonicalize(version) for version in versions]
    past: list[KeyFields] = []
    steps = []
    for before, after in pairwise(records):
        past.append(key_fields(before.body))
        known = () if numbers is None else numbers[: len(past) + 1]
        steps.append(events_between(before, after, past=past, numbers=known))
    return steps
