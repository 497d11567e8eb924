"""Exports reproduce published tables from histories that were rebuilt from these tables.

cthist's versions: Martin R. Holst's HiddenOutcomeChanges. Stops and restarts: ctcovidstop (CC BY
4.0, Benjamin Gregory Carlisle and colleagues). The histories are reconstructed: they hold only the
values of the tables.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ctsync.export import cthist
from ctsync.export.cohort import cohort_row
from ctsync.export.csv_writer import csv_lines
from ctsync.export.row_streams import cthist_rows
from ctsync.model import JsonObject, KeyFields, NctId, Source, State, Version
from ctsync.store.data.bulk_reads import Selection
from ctsync.store.store import Store, open_store
from tests.conftest import StillClock
from tests.corpus.test_cthist_versions import TYPES, Row, histories, study
from tests.corpus.test_published_histories import STATUSES
from tests.sync.histories import keep_history

__all__ = ["histories"]  # a fixture

LISTS = {
    "Primary Outcome Measures:": ("Primary", "primaryOutcomes"),
    "Secondary Outcome Measures:": ("Secondary", "secondaryOutcomes"),
    "Other Outcome Measures:": ("Other", "otherOutcomes"),
}


@pytest.fixture
def kept(migrated_sqlite_url: str) -> Iterator[Store]:
    with open_store(migrated_sqlite_url, clock=StillClock()) as store:
        yield store


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def written(columns: tuple[str, ...], rows: Iterator[dict[str, Any]]) -> list[dict[str, str]]:
    """Write rows as CSV and read them back."""
    text = "".join(csv_lines(columns, rows))
    return list(csv.DictReader(text.splitlines(keepends=True)))


def outcomes(row: Row) -> list[dict[str, str]]:
    """Parse the outcome measures of a row in the old site's form, 'measure [ Time Frame: ... ]'."""
    if row["outcome_measures"] == "[See Results Section.]":
        return []
    found = []
    for one in json.loads(row["outcome_measures"]):
        measure, _, rest = one["content"].partition("\n[ Time Frame: ")
        frame, _, described = rest.partition(" ]")
        parts = {"measure": measure, "timeFrame": frame, "description": described.strip()}
        given = {key: value for key, value in parts.items() if value}
        found.append({"section": LISTS[one["section"]][0], **given})
    return found


def study_with_outcomes(row: Row) -> JsonObject:
    """Make a record of a row: `study` with its eligibility and outcomes."""
    made = study(row)
    modules = made["protocolSection"]
    modules["eligibilityModule"] = {
        "minimumAge": row["min_age"],
        "maximumAge": row["max_age"],
        "sex": row["sex"].upper(),
        "eligibilityCriteria": "\n\n".join(json.loads(row["criteria"])),
    }
    modules["outcomesModule"] = {
        name: [
            {key: value for key, value in one.items() if key != "section"}
            for one in outcomes(row)
            if one["section"] == section
        ]
        for section, name in LISTS.values()
    }
    return made


def expected(row: Row) -> dict[str, str]:
    """Return the row in the form of cthist 2.0 and later: its labels, versions from 0."""
    wanted = {
        "nctid": row["nctid"],
        "version_number": str(int(row["version_number"]) - 1),
        "overall_status": STATUSES[row["overall_status"].strip()],
        "sex": row["sex"].upper(),
        "criteria": re.sub(r"^(?=[-+=@])", "'", "\n\n".join(json.loads(row["criteria"]))),
    }
    for name in ("total_versions", "version_date", "enrolment", "min_age", "max_age"):
        wanted[name] = row[name]
    for name in ("study_start_date", "primary_completion_date"):
        wanted[name] = row[name]
        # the old table has "month" even if there is no date
        wanted[f"{name}_precision"] = "NA" if row[name] == "NA" else row[f"{name}_precision"]
    for name in ("primary_completion_date_type", "enrolment_type"):
        wanted[name] = TYPES.get(row[name], "NA")
    return wanted


@pytest.mark.slow
def test_export_csv_reproduces_the_533_versions_of_cthist(
    histories: list[list[Row]], kept: Store
) -> None:
    for rows in histories:
        # versions known from both sources have numbers, and texts in the form of the API
        made = [study_with_outcomes(row) for row in rows]
        keep_history(kept, made, source=Source.BOTH, with_events=False)
    found = written(cthist.COLUMNS, cthist_rows(kept, Selection()))
    flat = sorted(
        (row for rows in histories for row in rows),
        key=lambda row: (row["nctid"], int(row["version_number"])),
    )
    compared: Counter[str] = Counter()
    for row, exported in zip(flat, found, strict=True):
        wanted = expected(row)
        assert {name: exported[name] for name in wanted} == wanted
        compared.update(list(wanted))
        assert json.loads(exported["outcome_measures"]) == outcomes(row)
    print(
        f"\n{len(found)} versions of cthist: {len(compared)} columns and the outcomes as published"
    )
    assert (len(found), set(compared.values())) == (533, {533})


@pytest.mark.slow
def test_a_cohort_has_every_stop_and_restart_of_ctcovidstop(corpus: Path) -> None:
    rates: dict[str, list[bool]] = {}
    for row in read(corpus / "history" / "stops-2019-2022.csv"):
        cohort = _cohort_of(row)
        restarted = row["restart_date"] != "NA"
        assert str(cohort["first_stop_date"]) == row["stop_date"], row
        assert cohort["first_stop_status"] == STATUSES[row["stop_status"]], row
        assert cohort["stops"] == 1
        if restarted:
            assert str(cohort["restart_date"]) == row["restart_date"], row
            assert cohort["restart_status"] == STATUSES.get(row["restart_status"], "RECRUITING")
            spell = date.fromisoformat(row["restart_date"]) - date.fromisoformat(row["stop_date"])
            assert cohort["stopped_days"] == spell.days
        rates.setdefault(row["stop_status"], []).append(cohort["restart_date"] is not None)
    shares = {name: round(100 * sum(each) / len(each), 1) for name, each in rates.items()}
    print(f"\n{sum(map(len, rates.values())):,} stops as cohort rows: restarted {shares} %")
    assert shares == {"Suspended": 64.1, "Terminated": 1.7, "Withdrawn": 2.0}


def _cohort_of(row: Row) -> dict[str, Any]:
    statuses = [("2010-01-01", "RECRUITING"), (row["stop_date"], STATUSES[row["stop_status"]])]
    if row["restart_date"] != "NA":
        # one row has a restart date without a status
        statuses.append((row["restart_date"], STATUSES.get(row["restart_status"], "RECRUITING")))
    versions = [
        Version(
            snapshot_id=number, nct_id=NctId(row["nctid"]), version=number + 1,
            registry_version=number, source=Source.HISTORY, state=State.PRESENT, digest="1:",
            posted=posted, submitted=posted, observed=None,
            fetched=datetime(2026, 1, 1, tzinfo=UTC), key=KeyFields(status=status),
        )
        for number, (posted, status) in enumerate(statuses)
    ]  # fmt: skip
    cohort = cohort_row(versions, [date.fromisoformat(posted) for posted, _ in statuses])
    assert cohort is not None
    return cohort
