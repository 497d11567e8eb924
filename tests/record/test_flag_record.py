"""The flags of the stored part of a record are those of the record, on every day."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from ctsync.model import JsonObject
from ctsync.record.flags import FlagId, coming_flags, flags_of
from ctsync.record.flags.expected_flags import expected_flags
from ctsync.record.flags.flag_record import flag_record
from tests.record.reconstructed import FOLDER, studies
from tests.registry_fixtures import make_study

DAYS = [date(year, 6, 15) for year in range(1999, 2034, 3)] + [date.max]
ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    "2020-02-31",
    0,
    1.5,
    True,
    False,
    [],
    {},
    [None, "x", {}],
    {"date": 3},
)
STATUS = (
    "overallStatus",
    "startDateStruct",
    "completionDateStruct",
    "studyFirstSubmitDate",
    "statusVerifiedDate",
    "resultsFirstSubmitDate",
    "dispFirstSubmitDate",
)
FULL: JsonObject = make_study(
    "NCT00000001",
    oversightModule={"isFdaRegulatedDrug": True},
    overallStatus="RECRUITING",
    statusVerifiedDate="2019-11",
    studyFirstSubmitDate="2020-01-02",
    studyFirstPostDateStruct={"date": "2020-01-05"},
    startDateStruct={"date": "2019-01"},
    primaryCompletionDateStruct={"date": "2021-10"},
    completionDateStruct={"date": "2021-10"},
    resultsFirstSubmitDate="2023-01-01",
    dispFirstSubmitDate="2024-01-01",
    enrollmentInfo={"count": 0, "type": "ACTUAL"},
)


def differences(body: JsonObject) -> int:
    """Count the days on which the stored part has other flags, or other flags to expect."""
    kept = orjson.loads(orjson.dumps(flag_record(body)))
    first = {"protocolSection": {"statusModule": {"startDateStruct": "2018"}}}
    return sum(
        flags_of(body, as_of=day, first=first) != flags_of(kept, as_of=day, first=first)
        or _coming(body, day) != _expected(body, day)
        for day in DAYS
    )


def _coming(body: JsonObject, day: date) -> list[tuple[str, str, str]]:
    found = coming_flags(body, after=day)
    return [
        (flag.id.value, f"{flag.since}", flag.source)
        for flag in found
        if flag.id is not FlagId.RESULTS_OVERDUE
    ]


def _expected(body: JsonObject, day: date) -> list[tuple[str, str, str]]:
    return [(one.flag, one.on, one.rule) for one in expected_flags(body) if one.on > f"{day}"]


@pytest.mark.parametrize("trial", sorted(file.stem for file in FOLDER.glob("NCT*.json")))
def test_reconstructed_histories_have_the_same_flags(trial: str) -> None:
    bodies = studies(trial)[::10]
    wrong = sum(differences(body) for body in bodies)
    print(f"flag records: {len(bodies)} records on {len(DAYS)} days, {wrong} differ")
    assert wrong == 0


def test_a_record_with_many_flags_has_the_same_flags() -> None:
    found = {flag.id for day in DAYS for flag in flags_of(FULL, as_of=day)}
    assert len(found) > 5
    assert differences(FULL) == 0


@pytest.mark.parametrize("name", STATUS)
def test_values_of_other_types_have_the_same_flags(name: str) -> None:
    protocol = FULL["protocolSection"]
    for value in ODD:
        status = protocol["statusModule"] | {name: value}
        assert differences({**FULL, "protocolSection": protocol | {"statusModule": status}}) == 0


@pytest.mark.parametrize("value", ODD)
def test_modules_of_other_types_have_the_same_flags(value: Any) -> None:
    protocol = FULL["protocolSection"]
    for name in ("designModule", "oversightModule", "contactsLocationsModule", "statusModule"):
        assert differences({**FULL, "protocolSection": protocol | {name: value}}) == 0
    tracking = {"miscInfoModule": {"submissionTracking": {"submissionInfos": value}}}
    assert differences({**FULL, "derivedSection": tracking, "hasResults": value}) == 0


def test_the_part_that_is_kept_is_small() -> None:
    sites = [{"country": "Guam", "facility": f"Hospital {number}"} for number in range(500)]
    protocol = FULL["protocolSection"] | {"contactsLocationsModule": {"locations": sites}}
    kept = flag_record({**FULL, "protocolSection": protocol})
    assert kept["protocolSection"]["contactsLocationsModule"] == {
        "locations": [{"country": "Guam"}]
    }
    assert len(orjson.dumps(kept)) < 1000
