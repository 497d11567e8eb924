"""One row per trial, with the figures that studies published."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ctsync.export.cohort import COLUMNS, cohort_row
from ctsync.export.csv_writer import csv_lines
from ctsync.export.cthist import COLUMNS as CTHIST_COLUMNS
from ctsync.export.cthist import cthist_row
from ctsync.model import JsonObject, Source, State, Version
from ctsync.record.compare.canonical import canonicalize, key_fields
from tests.record.reconstructed import studies
from tests.record.studies import counted, dated, outcome, study

NOW = datetime(2026, 3, 13, tzinfo=UTC)


def versions_of(made: list[JsonObject], *, numbered: bool = True) -> list[Version]:
    found = []
    for number, one in enumerate(made):
        record, key = canonicalize(one), key_fields(one)
        found.append(
            Version(
                snapshot_id=number, nct_id=record.nct_id, version=number + 1,
                registry_version=number if numbered else None,
                source=Source.HISTORY if numbered else Source.LIVE, state=State.PRESENT,
                digest=record.digest, posted=key.posted, submitted=key.submitted, observed=None,
                fetched=NOW, key=key,
            )
        )  # fmt: skip
    return found


def row_of(made: list[JsonObject]) -> dict[str, Any]:
    versions = versions_of(made)
    days = [date.fromisoformat(version.posted or "") for version in versions]
    row = cohort_row(versions, days)
    assert row is not None
    assert tuple(row) == COLUMNS
    return row


def test_the_published_row_of_a_terminated_trial_is_reproduced() -> None:
    """The versions of NCT01352702 give its figures in terminated-trials-study."""
    row = row_of(studies("NCT01352702"))
    figures = {
        name: row[name]
        for name in (
            "anticipated_enrollment", "actual_enrollment", "start_date", "stop_date",
            "enrollment_percentage", "trial_days",
        )
    }  # fmt: skip
    assert figures == {
        "anticipated_enrollment": 70,
        "actual_enrollment": 46,
        "start_date": date(2011, 5, 1),
        "stop_date": date(2015, 2, 4),
        "enrollment_percentage": 65.71,
        "trial_days": 1375,
    }
    assert row["start_date_precision"] == "month"
    assert (row["primary_completion_slip_days"], row["primary_completion_moves"]) == (820, 3)
    assert (row["first_target"], row["stops"], row["restart_date"]) == (70, 1, None)


@pytest.mark.parametrize(
    ("trial", "days", "status"),
    [
        ("NCT03693833", 91, "RECRUITING"),
        ("NCT04161976", 44, None),
        ("NCT02025543", 294, "ACTIVE_NOT_RECRUITING"),
    ],
)
def test_a_stop_that_ended_has_its_published_length(trial: str, days: int, status: str) -> None:
    row = row_of(studies(trial))
    assert (row["first_stop_status"], row["stopped_days"], row["stop_date"]) == (
        "SUSPENDED", days, None,
    )  # fmt: skip
    assert status in (None, row["restart_status"])


def test_two_stopped_statuses_in_a_row_are_one_stop() -> None:
    states = ["RECRUITING", "SUSPENDED", "TERMINATED", "COMPLETED", "WITHDRAWN"]
    row = row_of(
        [study(status=status, posted=f"2020-0{n}-01", submitted=f"2020-0{n}-01")
         for n, status in enumerate(states, 1)]
    )  # fmt: skip
    assert (row["first_stop_date"], row["restart_date"]) == (date(2020, 2, 1), date(2020, 4, 1))
    assert (row["stop_date"], row["stops"]) == (date(2020, 3, 1), 2)


def test_a_target_is_never_reported_as_the_actual_enrollment() -> None:
    plain = {"enrollment": {"count": 5}}
    row = row_of([study(**plain), study(enrollment=counted(10)), study(enrollment=counted(0))])
    assert (row["first_target"], row["anticipated_enrollment"]) == (10, 0)
    assert (row["actual_enrollment"], row["enrollment_percentage"]) == (None, None)


def test_a_repeated_date_did_not_move() -> None:
    row = row_of([study(primary=dated("2021-06")), study(primary=dated("2021-06", "ACTUAL"))])
    assert (row["primary_completion_slip_days"], row["primary_completion_slip_margin"]) == (0, 0)
    moved = row_of([study(primary=dated("2021-06")), study(primary=dated("2021-07-15"))])
    assert moved["primary_completion_slip_days"] == 30
    assert moved["primary_completion_slip_margin"] == 30


def test_a_trial_without_a_record_has_no_row() -> None:
    assert cohort_row([], []) is None


def test_a_version_row_has_the_columns_and_date_forms_of_cthist() -> None:
    made = study(
        start=dated("2019-06"), primary=dated("2021"), completion=None, enrollment=counted(7),
        primary_outcomes=[outcome("Death", "1 year")], eligibility="* adults",
        protocolSection__eligibilityModule__healthyVolunteers=False,
        protocolSection__sponsorCollaboratorsModule__leadSponsor={"name": "A", "class": "NIH"},
    )  # fmt: skip
    (version,) = versions_of([made])
    row = cthist_row(version, made, stood_from=date(2020, 1, 14), total=1)
    assert set(row) == set(CTHIST_COLUMNS)
    assert (row["version_number"], row["total_versions"], row["version_date"]) == (
        0, 1, "2020-01-10",
    )  # fmt: skip
    assert (row["study_start_date"], row["study_start_date_precision"]) == (
        date(2019, 6, 1), "month",
    )  # fmt: skip
    assert row["primary_completion_date_precision"] == "year"
    assert (row["enrolment"], row["enrolment_type"]) == (7, "ESTIMATED")
    assert row["outcome_measures"] == (
        '[{"section":"Primary","measure":"Death","timeFrame":"1 year"}]'
    )
    assert row["lead_sponsor"] == '[{"name":"A","class":"NIH"}]'
    assert (row["criteria"], row["collaborators"]) == ("* adults", None)


def test_a_version_seen_only_live_has_no_number_and_its_first_day_as_date() -> None:
    (version,) = versions_of([study()], numbered=False)
    row = cthist_row(version, study(), stood_from=date(2023, 1, 3), total=None)
    assert (row["version_number"], row["version_date"]) == (None, "2023-01-03")


def test_csv_cells_are_safe_numbers_stay_numbers_and_missing_values_are_na() -> None:
    rows = [{"a": "=1+1", "b": 12, "c": None}, {"a": "x\ny", "b": -1.5, "c": True}]
    text = "".join(csv_lines(("a", "b", "c"), rows))
    assert text == '"a","b","c"\n"\'=1+1",12,"NA"\n"x\ny",-1.5,"TRUE"\n'
    assert list(csv.reader(text.splitlines(keepends=True)))[2] == ["x\ny", "-1.5", "TRUE"]
