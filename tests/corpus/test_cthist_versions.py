"""533 real versions as the R package cthist tabulated them, turned into histories and back.

From Martin R. Holst's HiddenOutcomeChanges. The histories are reconstructed: they hold what the
table says of status, start, primary completion and enrollment, and no more.
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
from click.testing import CliRunner

from ctsync.cli import main
from ctsync.model import Event, JsonObject, Source, State
from ctsync.record.canonical import canonicalize, key_fields
from ctsync.record.classify import classify
from ctsync.record.diff import diff
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
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
    """What a row says, by the path it has in a record; a month date is written as a month."""
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
    told = facts(row)
    status: JsonObject = {"overallStatus": told[f"{STATUS}.overallStatus"]}
    start = dated(row, "study_start_date")
    if start is not None:
        status["startDateStruct"] = {"date": start}
    for name, path in (("primaryCompletionDateStruct", PRIMARY), ("enrollmentInfo", ENROLLMENT)):
        parts = {
            key.rpartition(".")[2]: value
            for key, value in told.items()
            if key.startswith(path) and value is not None
        }
        (status if path is PRIMARY else told)[name] = parts
    design = {"designModule": {"enrollmentInfo": told["enrollmentInfo"]}}
    return version(row["nctid"], row["version_date"], status=status, **design)


def neighbours_differ(before: Row, after: Row) -> Iterator[tuple[str, Any, Any]]:
    """The plain comparison of two rows; what comes with its type is one difference."""
    old, new = facts(before), facts(after)
    for path in COMPARED:
        if old[path] == new[path]:
            continue
        value = path.replace(".type", ".count" if path.startswith(ENROLLMENT) else ".date")
        comes = path != value and {None} & {old[value], new[value]} and old[value] != new[value]
        if not (comes and None in {old[path], new[path]}):
            yield path, old[path], new[path]


def steps(rows: list[Row]) -> Iterator[list[Event]]:
    records = [canonicalize(study(row)) for row in rows]
    keys = [key_fields(record.body) for record in records]
    for n, (before, after) in enumerate(pairwise(records)):
        yield classify(diff(before, after), before, after, past=keys[: n + 1])


def test_events_are_a_plain_comparison_of_neighbouring_rows(histories: list[list[Row]]) -> None:
    versions = 0
    told: Counter[str] = Counter()
    for rows in histories:
        versions += len(rows)
        for (before, after), events in zip(pairwise(rows), steps(rows), strict=True):
            found = sorted(
                (e.path, str(e.before), str(e.after)) for e in events if e.path in COMPARED
            )
            plain = sorted((p, str(b), str(a)) for p, b, a in neighbours_differ(before, after))
            assert found == plain, (before["nctid"], after["version_number"])
            told.update(path.split(".", 2)[2] for path, *_ in found)
    print(f"\n{versions} versions of {len(histories)} trials (cthist): {dict(told)}, as compared")
    assert versions == 533
    assert told["overallStatus"] > 100
    assert told["primaryCompletionDateStruct.date"] > 100
    assert told["enrollmentInfo.count"] > 40


def test_export_csv_gives_the_table_back(
    histories: list[list[Row]], migrated_sqlite_url: str, tmp_path: Path
) -> None:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        for rows in histories:
            fill(store, rows)
    table = tmp_path / "versions.csv"
    ran = CliRunner().invoke(
        main, ["--database", migrated_sqlite_url, "export", "csv", "--output", str(table)]
    )
    assert ran.exit_code == 0, ran.output
    with table.open(encoding="utf-8", newline="") as lines:
        exported = {
            (row["nctid"], int(row["version_number"])): row for row in csv.DictReader(lines)
        }
    given = [row for rows in histories for row in rows]
    assert len(exported) == len(given) == 533
    for row in given:
        found = exported[row["nctid"], int(row["version_number"]) - 1]
        assert {name: found[name] for name in BACK} == as_exported(row), row["nctid"]
    print(f"\n{len(given)} versions (cthist): {', '.join(BACK)} exported with the same values")


BACK = (
    "nctid", "version_date", "total_versions", "overall_status",
    "study_start_date", "study_start_date_precision",
    "primary_completion_date", "primary_completion_date_precision", "primary_completion_date_type",
    "enrolment", "enrolment_type",
)  # fmt: skip


def as_exported(row: Row) -> Row:
    """A row of the table in the registry's present words; it has a precision for no date too."""
    no_dates = {
        f"{name}_precision": "NA"
        for name in ("study_start_date", "primary_completion_date")
        if row[name] == "NA"
    }
    types = {name: TYPES.get(row[name], "NA") for name in BACK if name.endswith("_type")}
    status = STATUSES[row["overall_status"].strip()]
    return {name: row[name] for name in BACK} | no_dates | types | {"overall_status": status}


def fill(store: Store, rows: list[Row]) -> None:
    """Store a trial's versions as those of the registry's history."""
    head = None
    with store.unit() as unit:
        for number, row in enumerate(rows):
            record = canonicalize(study(row))
            key = key_fields(record.body)
            head, _ = unit.add_version(
                record.nct_id, after=head, record=record, key=key, state=State.PRESENT,
                source=Source.HISTORY, posted=key.posted, submitted=key.submitted, observed=None,
                fetched=StillClock().now(), run_id=None, registry_version=number,
            )  # fmt: skip
