"""Events of 533 real versions, rebuilt from a table that the R package cthist made.

The table is from Martin R. Holst's HiddenOutcomeChanges. The histories are reconstructed: they hold
only its status, start, primary completion and enrollment.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from ctsync.model import Event, JsonObject
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from tests.corpus.test_published_histories import STATUSES, version

Row = dict[str, str]

TYPES = {"Anticipated": "ESTIMATED", "Actual": "ACTUAL"}
STATUS = "protocolSection.statusModule"
PRIMARY = f"{STATUS}.primaryCompletionDateStruct"
ENROLLMENT = "protocolSection.designModule.enrollmentInfo"
COMPARED = (f"{STATUS}.overallStatus", f"{PRIMARY}.date", f"{PRIMARY}.type",
            f"{ENROLLMENT}.count", f"{ENROLLMENT}.type")  # fmt: skip


@pytest.fixture(scope="module")
def histories(corpus: Path) -> list[list[Row]]:
    """The rows of each trial, oldest version first."""
    source = corpus / "history" / "cthist-versions.csv.gz"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [list(group) for _, group in groupby(rows, lambda row: row["nctid"])]


def facts(row: Row) -> dict[str, Any]:
    """Return the values of a row by their paths in a record. A month date is written as a month."""
    count = row["enrolment"]
    return {
        f"{STATUS}.overallStatus": STATUSES[row["overall_status"].strip()],
        f"{PRIMARY}.date": dated(row, "primary_completion_date"),
        f"{PRIMARY}.type": TYPES.get(row["primary_completion_date_type"]),
        f"{ENROLLMENT}.count": int(count) if count.isdigit() else None,
        f"{ENROLLMENT}.type": TYPES.get(row["enrolment_type"]),
    }


def dated(row: Row, column: str) -> str | None:
    if row[column] == "NA":
        return None
    length = {"day": 10, "month": 7, "year": 4}[row[f"{column}_precision"]]
    return row[column][:length]


def study(row: Row) -> JsonObject:
    values = facts(row)
    status: JsonObject = {"overallStatus": values[f"{STATUS}.overallStatus"]}
    start = dated(row, "study_start_date")
    if start is not None:
        status["startDateStruct"] = {"date": start}
    for name, path in (("primaryCompletionDateStruct", PRIMARY), ("enrollmentInfo", ENROLLMENT)):
        parts = {
            key.rpartition(".")[2]: value
            for key, value in values.items()
            if key.startswith(path) and value is not None
        }
        (status if path is PRIMARY else values)[name] = parts
    design = {"designModule": {"enrollmentInfo": values["enrollmentInfo"]}}
    return version(row["nctid"], row["version_date"], status=status, **design)


def row_differences(before: Row, after: Row) -> Iterator[tuple[str, Any, Any]]:
    """Compare two rows without ctsync; a value that appears with its type is one difference."""
    old, new = facts(before), facts(after)
    for path in COMPARED:
        if old[path] == new[path]:
            continue
        value = path.replace(".type", ".count" if path.startswith(ENROLLMENT) else ".date")
        appears = path != value and {None} & {old[value], new[value]} and old[value] != new[value]
        if not (appears and None in {old[path], new[path]}):
            yield path, old[path], new[path]


def steps(rows: list[Row]) -> Iterator[list[Event]]:
    records = [canonicalize(study(row)) for row in rows]
    keys = [key_fields(record.body) for record in records]
    for n, (before, after) in enumerate(pairwise(records)):
        yield classify(diff(before, after), before, after, past=keys[: n + 1])


def test_events_equal_a_plain_comparison_of_consecutive_rows(histories: list[list[Row]]) -> None:
    versions = 0
    counted: Counter[str] = Counter()
    for rows in histories:
        versions += len(rows)
        for (before, after), events in zip(pairwise(rows), steps(rows), strict=True):
            found = sorted(
                (e.path, str(e.before), str(e.after)) for e in events if e.path in COMPARED
            )
            plain = sorted((p, str(b), str(a)) for p, b, a in row_differences(before, after))
            assert found == plain, (before["nctid"], after["version_number"])
            counted.update(path.split(".", 2)[2] for path, *_ in found)
    print(
        f"\n{versions} versions of {len(histories)} trials (cthist): {dict(counted)},"
        " equal to the plain comparison"
    )
    assert versions == 533
    assert counted["overallStatus"] > 100
    assert counted["primaryCompletionDateStruct.date"] > 100
    assert counted["enrollmentInfo.count"] > 40
