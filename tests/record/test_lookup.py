"""Lookup of fields by the names that people use."""

from __future__ import annotations

import pytest

from ctsync.errors import UsageError
from ctsync.model import MISSING
from ctsync.record.fields.lookup import find_path, value_at
from ctsync.record.fields.table import FIELDS
from tests.record.studies import STATUS, site, study

ENROLLMENT = "protocolSection.designModule.enrollmentInfo"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("protocolSection.statusModule.overallStatus", f"{STATUS}.overallStatus"),
        ("overallStatus", f"{STATUS}.overallStatus"),
        ("Overall Status", f"{STATUS}.overallStatus"),
        ("overall_status", f"{STATUS}.overallStatus"),
        ("statusModule.overallstatus", f"{STATUS}.overallStatus"),
        ("primary completion", f"{STATUS}.primaryCompletionDateStruct"),
        ("Primary Completion", f"{STATUS}.primaryCompletionDateStruct"),
        ("primary_completion_date", f"{STATUS}.primaryCompletionDateStruct"),
        ("primaryCompletionDateStruct.date", f"{STATUS}.primaryCompletionDateStruct.date"),
        ("First Posted", f"{STATUS}.studyFirstPostDateStruct"),
        ("enrollment", ENROLLMENT),
        ("Enrollment type", f"{ENROLLMENT}.type"),
        ("primaryOutcomes.measure", "protocolSection.outcomesModule.primaryOutcomes.measure"),
        ("whyStopped", f"{STATUS}.whyStopped"),
        ("sites", "protocolSection.contactsLocationsModule.locations"),
    ],
)
def test_a_field_is_found_by_path_end_of_path_label_or_short_name(name: str, path: str) -> None:
    assert find_path(name) == path


@pytest.mark.slow
def test_every_declared_path_finds_itself() -> None:
    assert {find_path(path) for path in FIELDS} == set(FIELDS)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("measure", "primaryOutcomes.measure, secondaryOutcomes.measure"),
        ("primery completion", "did you mean primary completion"),
        ("overalStatus", "did you mean Overall Status"),
        ("qqq", "name a field by its label"),
    ],
)
def test_an_unknown_or_ambiguous_name_gives_suggestions(name: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_path(name)
    assert says in str(refused.value)


def test_a_value_is_read_through_lists_and_is_missing_if_absent() -> None:
    made = study(sites=[site("A", status="RECRUITING"), site("B"), site("C", status="COMPLETED")])
    places = "protocolSection.contactsLocationsModule.locations"
    assert value_at(made, f"{places}.status") == ["RECRUITING", "COMPLETED"]
    assert value_at(made, f"{STATUS}.startDateStruct.type") == "ACTUAL"
    assert value_at(made, f"{STATUS}.whyStopped") is MISSING
    assert value_at(made, "protocolSection.armsInterventionsModule.armGroups.label") is MISSING
    assert value_at({"protocolSection": [1, "x"]}, f"{STATUS}.whyStopped") is MISSING
