"""The demo's records match their provenance, and the story shows them in order."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctsync.dates import Clock, PartialDate
from ctsync.demo import story
from ctsync.demo.registry import DemoRegistry
from ctsync.demo.story import Truth
from ctsync.model import JsonObject, Observation
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.sync.watches.query_preview import look_up
from tests.replay.search.pieces import find, pieces

POSTED, UNKNOWN, COMPLETED = "2018-01-04", "2023-01-03", "2024-03-14"


def record(day: str) -> JsonObject:
    read: JsonObject = json.loads((story.records() / story.TRIAL / f"{day}.json").read_text())
    return read


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    if isinstance(node, dict):
        return {
            name: value
            for key, below in node.items()
            for name, value in leaves(below, f"{path}.{key}" if path else key).items()
        }
    if isinstance(node, list) and node and isinstance(node[0], dict):
        merged: dict[str, Any] = {}
        for item in node:
            merged |= leaves(item, path)
        return merged
    return {path: node}


def changed(before: str, after: str) -> dict[str, tuple[Any, Any]]:
    old, new = leaves(record(before)), leaves(record(after))
    return {
        path.rpartition("Module.")[2]: (old.get(path), new.get(path))
        for path in {*old, *new}
        if old.get(path) != new.get(path) and not path.endswith("versionHolder")
    }


@pytest.mark.parametrize("day", [POSTED, UNKNOWN, COMPLETED])
def test_every_leaf_of_a_record_exists_in_the_registry_and_has_an_allowed_value(day: str) -> None:
    for path, value in leaves(record(day)).items():
        piece = find(path)
        assert piece is not None, path
        values = value if isinstance(value, list) else [value]
        assert not piece.values or set(values) <= set(piece.values), path
        if piece.type == "date":
            assert PartialDate.parse(value) is not None, path


def test_the_real_record_has_the_values_of_its_page() -> None:
    values = {path.rpartition("Module.")[2]: v for path, v in leaves(record(POSTED)).items()}
    assert (
        values
        | {
            "nctId": "NCT03389919",
            "orgStudyIdInfo.id": "BM-MSC-01",
            "overallStatus": "RECRUITING",
            "statusVerifiedDate": "2017-12",
            "startDateStruct.date": "2017-01-01",
            "startDateStruct.type": "ACTUAL",
            "primaryCompletionDateStruct.date": "2020-12-31",
            "primaryCompletionDateStruct.type": "ESTIMATED",
            "completionDateStruct.date": "2022-12-31",
            "completionDateStruct.type": "ESTIMATED",
            "studyFirstSubmitDate": "2017-12-27",
            "studyFirstSubmitQcDate": "2017-12-27",
            "studyFirstPostDateStruct.date": "2018-01-04",
            "lastUpdateSubmitDate": "2017-12-27",
            "lastUpdatePostDateStruct.date": "2018-01-04",
            "responsibleParty.investigatorFullName": "Elena N.Parovichnikova",
            "isFdaRegulatedDrug": False,
            "isFdaRegulatedDevice": False,
            "phases": ["PHASE3"],
            "enrollmentInfo.count": 20,
            "enrollmentInfo.type": "ESTIMATED",
            "primaryOutcomes.timeFrame": "28-day",
            "minimumAge": "18 Years",
            "locations.city": "Moscow",
            "ipdSharing": "UNDECIDED",
            "hasResults": False,
        }
        == values
    )
    assert "leadSponsor.name" not in values, "the page does not show it"
    assert len(pieces()) > 450


def test_the_change_to_unknown_changes_the_status_and_no_date() -> None:
    assert changed(POSTED, UNKNOWN) == {
        "overallStatus": ("RECRUITING", "UNKNOWN"),
        "lastKnownStatus": (None, "RECRUITING"),
    }


def test_the_change_to_unknown_is_on_the_first_load_after_the_completion_date() -> None:
    status = record(POSTED)["protocolSection"]["statusModule"]
    day = date.fromisoformat(status["completionDateStruct"]["date"]) + timedelta(days=1)
    observed_new_year = date(2023, 1, 2)  # New Year's Day fell on a Sunday
    while day.weekday() >= 5 or day == observed_new_year:
        day += timedelta(days=1)
    assert day.isoformat() == UNKNOWN


def test_the_illustration_completes_the_trial_with_actual_values() -> None:
    changes = changed(UNKNOWN, COMPLETED)
    assert changes["overallStatus"] == ("UNKNOWN", "COMPLETED")
    assert changes["lastKnownStatus"] == ("RECRUITING", None)
    assert changes["enrollmentInfo.count"] == (20, 17)
    for name in ("enrollmentInfo", "primaryCompletionDateStruct", "completionDateStruct"):
        assert changes[f"{name}.type"] == ("ESTIMATED", "ACTUAL")
    assert changes["lastUpdatePostDateStruct.date"] == ("2018-01-04", COMPLETED)


def test_every_record_has_a_provenance_and_only_one_is_real() -> None:
    by_day = {p.load.date().isoformat(): p for p in story.provenances()}
    files = {file.stem for file in (story.records() / story.TRIAL).glob("*.json")}
    assert set(by_day) == files
    assert {day: p.truth for day, p in by_day.items()} == {
        POSTED: Truth.REAL,
        UNKNOWN: Truth.RECONSTRUCTED,
        COMPLETED: Truth.ILLUSTRATION,
    }
    page = (story.records() / "README.md").read_text(encoding="utf-8")
    assert all(day in page for day in by_day)
    assert all("\n" not in p.source for p in by_day.values())


def test_the_story_shows_every_load_in_order_and_each_provenance_once() -> None:
    steps = list(story.steps(Path("site")))
    loads = [step.load for step in steps if step.load is not None]
    days = [load.date().isoformat() for load in loads]
    assert days == [POSTED, "2018-01-05", "2022-12-30", UNKNOWN, COMPLETED]
    assert loads == sorted(loads)
    assert set(story.studies()) <= set(loads)
    assert [s.provenance for s in steps if s.provenance is not None] == story.provenances()
    assert all(step.commands for step in steps)


def test_the_demo_registry_finds_the_trial_by_its_org_study_id_on_every_load(clock: Clock) -> None:
    seen = []
    with (
        DemoRegistry(story.studies()) as registry,
        closing(Transport(registry.url, clock=clock, requests_per_second=1000)) as transport,
    ):
        assert story.settings(registry.url)["CTSYNC_REGISTRY_URL"] == registry.url
        client = RegistryApi(transport, clock=clock)
        for load in [step.load for step in story.steps(Path("site")) if step.load is not None]:
            registry.load = load
            version = client.version()
            assert version.data_timestamp == load
            (found,) = client.find_org_id(story.ORG_STUDY_ID)
            named = look_up(client, [found])
            assert named.found[found].title.startswith("Intraosseous Administration of Mesenchymal")
            assert named.failed == {}
            answer = client.study(found, version)
            assert isinstance(answer, Observation)
            seen.append(answer.study["protocolSection"]["statusModule"]["overallStatus"])
    assert seen == ["RECRUITING", "RECRUITING", "RECRUITING", "UNKNOWN", "COMPLETED"]
