"""Filters and queries: their matches and their errors."""

from __future__ import annotations

import pytest

from tests.replay.catalogue import Catalogue
from tests.replay.conftest import Client, a_study, assert_refused


def test_statuses_are_filtered_by_exact_name(client: Client, catalogue: Catalogue) -> None:
    catalogue.edit("NCT00000002", {"protocolSection.statusModule.overallStatus": "COMPLETED"})
    assert client.ids(filter__overallStatus="COMPLETED") == ["NCT00000002"]
    assert len(client.ids(filter__overallStatus="COMPLETED|RECRUITING")) == 5
    assert_refused(
        client.studies(filter__overallStatus="RECRUITING,NOT_A_STATUS"),
        "Invalid value in parameter `overallStatus`: `NOT_A_STATUS`",
    )


def test_an_org_study_id_is_searched_by_words_so_similar_ids_match_too(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.publish(a_study(10, org_id="BM-MSC-01"))
    catalogue.publish(a_study(11, org_id="BM-MSC-01-EXT"))
    catalogue.publish(a_study(12, org_id="BM-MSC-010"))
    near = ["NCT00000010", "NCT00000011"]
    assert client.ids(filter__advanced='AREA[OrgStudyId]"BM-MSC-01"') == near
    assert client.ids(query__id='"bm msc 01"') == near
    exact = 'AREA[OrgStudyId]COVERAGE[FullMatch]"BM-MSC-01"'
    assert client.ids(filter__advanced=exact) == ["NCT00000010"]


def test_a_query_of_nct_ids_only_ignores_the_filters(client: Client) -> None:
    ids = client.ids(query__term="NCT00000001, nct2", filter__overallStatus="WITHDRAWN")
    assert ids == ["NCT00000001", "NCT00000002"]
    assert client.ids(query__term="NCT00000001 x", filter__overallStatus="WITHDRAWN") == []


@pytest.mark.parametrize(
    ("expression", "matching"),
    [
        ("AREA[LastUpdatePostDate]RANGE[2025-01-15,MAX]", 5),
        ("AREA[LastUpdatePostDate]RANGE[2025-01-16, MAX]", 1),
        ("AREA[LastUpdatePostDate]RANGE[MIN,2025-01-15]", 4),
        ("AREA[LastUpdatePostDate]2025-01", 4),
        ("AREA[StudyFirstPostDate]RANGE[2025-01-15,MAX]", 0),
        ("AREA[StartDate]2022", 5),
        ("AREA[StartDate]2022-04", 0),
        ("AREA[EnrollmentCount]RANGE[20,40]", 3),
        ("AREA[EnrollmentCount]30", 1),
        ("AREA[Phase]PHASE2", 5),
        ("AREA[Phase:size]2", 4),
        ("AREA[Phase:size]RANGE[0,1]", 1),
        ("AREA[WhyStopped]MISSING", 5),
        ("NOT AREA[WhyStopped]MISSING", 0),
        ("AREA[HasResults]false", 5),
        ("AREA[OverallStatus](COMPLETED OR TERMINATED)", 1),
        ("AREA[OverallStatus]RECRUITING AND AREA[EnrollmentCount]RANGE[MIN,10]", 1),
        ("AREA[EnrollmentCount]10 OR AREA[EnrollmentCount]20 AND AREA[Phase]MISSING", 1),
        ("(AREA[EnrollmentCount]10 OR AREA[EnrollmentCount]20) AND AREA[Phase]MISSING", 0),
        ("AREA[BriefTitle]EXPANSION[None]study", 5),
        ("AREA[BriefTitle]COVERAGE[StartsWith]study", 5),
        ("AREA[BriefTitle]COVERAGE[EndsWith]study", 0),
        ('AREA[BriefTitle]"study 3"', 1),
        ("AREA[BriefTitle]3 study", 1),
        ('AREA[BriefTitle]"3 study"', 0),
        ("boston", 5),
        ("ALL", 5),
        ("and", 0),
    ],
)
def test_an_expression_matches(
    client: Client, catalogue: Catalogue, expression: str, matching: int
) -> None:
    posted = "protocolSection.statusModule.lastUpdatePostDateStruct.date"
    catalogue.edit(
        "NCT00000005",
        {
            posted: "2026-01-30",
            "protocolSection.statusModule.overallStatus": "COMPLETED",
            "protocolSection.designModule.phases": ["PHASE2"],
        },
    )
    assert client.count(expression) == matching


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("AREA[X]foo", "Unknown area name: 'X'"),
        ("AREA[nctid]foo", "Unknown area name: 'nctid'"),
        ("AREA[OverallStatus", "mismatched input '['"),
        ("(lung", "mismatched input '<EOF>'"),
        ("lung)", "mismatched input ')'"),
        ('"lung', "mismatched input '\"'"),
        ("", "mismatched input '<EOF>'"),
        ("AND lung", "mismatched input 'AND'"),
        ("AREA[StartDate]soon", "mismatched input 'soon'"),
        ("AREA[StartDate]RANGE[2022]", "mismatched input 'RANGE[2022]'"),
        (
            "AREA[EnrollmentType]Actual",
            "Allowed values for enum field `EnrollmentType` are ACTUAL, ESTIMATED",
        ),
        ("AREA[BriefTitle]---", "a term without a word"),
    ],
)
def test_a_broken_expression_is_refused(client: Client, expression: str, why: str) -> None:
    answer = client.studies(filter__advanced=expression)
    assert_refused(answer, f"Error parsing query in advanced filter: {why}")


@pytest.mark.parametrize(
    "params",
    [
        {"filter.advanced": "SEARCH[Location](AREA[LocationCity]Moscow)"},
        {"filter.advanced": "AREA[LocationGeoPoint]DISTANCE[1,2,50mi]"},
        {"filter.advanced": "AREA[MinimumAge]RANGE[MIN, 16 years]"},
        {"filter.advanced": "EXPANSION[Concept]lung"},
        {"filter.advanced": "AREA[LocationCity:size]2"},
        {"filter.advanced": "AREA[Location]Moscow"},
        {"query.patient": "lung"},
        {"filter.geo": "distance(1,2,3mi)"},
        {"filter.synonyms": "ConditionSearch:1651367"},
        {"aggFilters": "results:with"},
        {"sort": "@relevance"},
        {"fields": "@query"},
    ],
)
def test_an_unsupported_expression_is_refused(client: Client, params: dict[str, str]) -> None:
    answer = client.studies(**params)
    assert answer.status_code == 400
    assert answer.text.startswith("The replay registry does not support")


def test_several_queries_must_all_match_each_in_its_own_area(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.publish(a_study(10, title="Lung cancer in Boston"))
    assert client.ids(query__titles="boston") == ["NCT00000010"]
    assert len(client.ids(query__locn="boston")) == 6
    assert client.ids(query__locn="boston", query__cond="lung") == ["NCT00000010"]
    assert client.ids(query__lead="boston") == []
    assert client.ids(query__titles="lung AND NOT cancer") == []


def test_the_error_for_a_broken_query_names_its_parameter(client: Client) -> None:
    answer = client.studies(query__cond="(lung")
    assert_refused(
        answer, "Error parsing query in parameter `query.cond`: mismatched input '<EOF>'"
    )
