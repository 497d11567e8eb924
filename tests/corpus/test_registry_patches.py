"""Events equal the differences between versions that the registry itself reports.

From TrialDiff (CC BY 4.0): 47 pairs of consecutive versions with the JSON Patch that the history
endpoint gave for them, and the status, date and enrollment operations of more such patches. The
versions are reconstructed: the status module as recorded, all else from the operations' old
values. Operations within a list are left out, because the other items were not recorded.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonpatch
import orjson

from ctsync.model import Event, JsonObject
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.history_form.normalize import HistoryForm, align_forms

ABSENT = {"__missing__": True}
STATUS, ENROLLMENT = "/protocolSection/statusModule", "/protocolSection/designModule/enrollmentInfo"


class Operation(NamedTuple):
    """One operation of a patch, with the value before it."""

    op: str
    path: str
    old: Any
    new: Any

    @property
    def is_checked(self) -> bool:
        """Return whether it changes the status module or the enrollment."""
        return self.path.startswith((STATUS, ENROLLMENT))

    @property
    def is_within_a_list(self) -> bool:
        return any(step.isdigit() for step in self.path.split("/"))

    def as_patch(self) -> JsonObject:
        value = {} if self.op == "remove" else {"value": self.new}
        return {"op": self.op, "path": self.path} | value


def study(nct_id: str, status: JsonObject, operations: Iterable[Operation]) -> JsonObject:
    """Make the version before a patch, as far as the operations hold its values."""
    made: JsonObject = {
        "protocolSection": {
            "identificationModule": {"nctId": nct_id},
            "statusModule": status,
            "designModule": {},
        }
    }
    for operation in operations:
        *above, last = operation.path.strip("/").split("/")
        here = made
        for step in above:
            here = here.setdefault(step, {})
        if operation.old != ABSENT:
            here.setdefault(last, operation.old)
    return made


def events_between(before: JsonObject, operations: Iterable[Operation]) -> list[Event]:
    patch = jsonpatch.JsonPatch([operation.as_patch() for operation in operations])
    records = [canonicalize(body) for body in (before, patch.apply(before))]
    old, new = align_forms(records[0], HistoryForm.HTML, records[1], HistoryForm.HTML)
    return classify(diff(old, new), old, new)


def expected(operation: Operation) -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, old and new value of each event that an operation must have."""
    path = operation.path.strip("/").replace("/", ".")
    old, new = (None if value == ABSENT else value for value in (operation.old, operation.new))
    if not isinstance(old or new, dict):
        yield path, old, new
        return
    old, new = old or {}, new or {}
    for leaf in old.keys() | new.keys():
        # the event of a date or count that appears or disappears covers its type
        if leaf != "type":
            yield f"{path}.{leaf}", old.get(leaf), new.get(leaf)


def check_one_event_each(events: list[Event], operations: Iterable[Operation]) -> int:
    """Check that each operation is one event with its values, and return how many were checked."""
    values: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for event in events:
        values[event.path].append((event.before, event.after))
    checked = [operation for operation in operations if operation.is_checked]
    for operation in checked:
        for path, old, new in expected(operation):
            assert values[path] == [(old, new)], (operation, values[path])
    return len(checked)


def test_each_operation_of_a_recorded_patch_is_one_event(corpus: Path) -> None:
    patches = checked = applied = within = 0
    with gzip.open(corpus / "history" / "registry-patches.jsonl.gz") as lines:
        for line in lines:
            recorded = orjson.loads(line)
            operations = [
                Operation(o["op"], o["path"], o["old_value"], o["new_value"])
                for o in recorded["patch_operations"]
            ]
            outside_lists = [o for o in operations if not o.is_within_a_list]
            status = recorded["from_version_status_fields"]["status_module"]
            before = study(recorded["nct_id"], status, outside_lists)
            checked += check_one_event_each(events_between(before, outside_lists), outside_lists)
            patches += 1
            applied += len(outside_lists)
            within += len(operations) - len(outside_lists)
    print(
        f"\n{patches} recorded JSON Patches (TrialDiff) on reconstructed versions: {checked}"
        f" status, date and enrollment operations, one event each; {applied} applied,"
        f" {within} in lists"
    )
    assert (patches, checked) == (47, 231)


def test_each_published_status_date_or_enrollment_operation_is_one_event(corpus: Path) -> None:
    steps: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    source = corpus / "history" / "status-date-enrollment-changes.csv"
    with source.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            old, new = (orjson.loads(row[name]) if row[name] else ABSENT for name in ("old", "new"))
            operation = Operation(row["op"], row["path"], old, new)
            steps[row["nct_id"], row["from_version"]].append(operation)
    checked = 0
    for (nct_id, _), operations in steps.items():
        before = study(nct_id, {}, operations)
        checked += check_one_event_each(events_between(before, operations), operations)
    print(f"\n{checked} published operations (TrialDiff) of {len(steps)} steps, each one event")
    assert checked == 305
