"""The replay registry is as strict as the real one, over real HTTP."""

from __future__ import annotations

import io
import json
import re
import socket
import zipfile
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
import requests

from ctsync.errors import PortInUse
from ctsync.model import JsonObject
from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.faults import EVERY_TIME, Fault
from tests.replay.registry_server import ReplayRegistry

DATA_CHANGED = (
    "The data have probably changed while you were paginating. "
    "Please, start over from the first page."
)


def a_study(number: int, **changed: Any) -> JsonObject:
    values: dict[str, Any] = {
        "status": "RECRUITING",
        "title": f"Study {number}",
        "org_id": f"ORG-{number}",
        "posted": "2025-01-15",
        "enrollment": 10 * number,
    } | changed
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT{number:08d}",
                "orgStudyIdInfo": {"id": values["org_id"]},
                "briefTitle": values["title"],
            },
            "statusModule": {
                "overallStatus": values["status"],
                "startDateStruct": {"date": "2022-03", "type": "ACTUAL"},
                "lastUpdatePostDateStruct": {"date": values["posted"], "type": "ACTUAL"},
            },
            "designModule": {
                "phases": values.get("phases", ["PHASE2", "PHASE3"]),
                "enrollmentInfo": {"count": values["enrollment"], "type": "ESTIMATED"},
            },
            "contactsLocationsModule": {
                "locations": [
                    {"facility": "A", "status": "RECRUITING", "city": "Moscow"},
                    {"facility": "B", "city": "Boston"},
                ]
            },
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": "2000-01-01"}},
        "hasResults": False,
    }


@pytest.fixture
def catalogue() -> Catalogue:
    """Five studies on Tuesday 2026-02-03."""
    shown = Catalogue("2026-02-03")
    for number in range(1, 6):
        shown.publish(a_study(number))
    return shown


@pytest.fixture
def registry(catalogue: Catalogue) -> Iterator[ReplayRegistry]:
    with ReplayRegistry(catalogue) as served:
        yield served


class Client:
    def __init__(self, registry: ReplayRegistry, session: requests.Session) -> None:
        self.base = f"{registry.url}/v2"
        self.session = session

    def get(self, path: str, **params: str) -> requests.Response:
        named = {name.replace("__", "."): value for name, value in params.items()}
        return self.session.get(self.base + path, params=named, allow_redirects=False, timeout=10)

    def studies(self, **params: str) -> requests.Response:
        return self.get("/studies", **params)

    def ids(self, **params: str) -> list[str]:
        answer = self.studies(pageSize="1000", **params)
        assert answer.status_code == 200, answer.text
        return sorted(nct_id(study) for study in answer.json()["studies"])

    def count(self, expression: str) -> int:
        return len(self.ids(filter__advanced=expression))


@pytest.fixture
def client(registry: ReplayRegistry) -> Iterator[Client]:
    with requests.Session() as session:
        yield Client(registry, session)


def nct_id(study: JsonObject) -> str:
    found: str = study["protocolSection"]["identificationModule"]["nctId"]
    return found


def assert_refused(answer: requests.Response, text: str, status: int = 400) -> None:
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"


# --- version and ETag --------------------------------------------------------------------------


def test_the_version_names_the_load_in_utc_without_a_zone(client: Client) -> None:
    assert client.get("/version").json() == {
        "apiVersion": "2.0.5",
        "dataTimestamp": "2026-02-03T09:00:05",
    }


def test_every_good_answer_of_a_load_carries_the_same_etag(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.load = "2026-08-14"
    tags = {
        client.get(path).headers["ETag"]
        for path in ("/version", "/studies", "/studies/NCT00000001", "/stats/size")
    }
    assert tags == {f'"{registry.build}/msspuzuw"'}  # the tag seen for that very timestamp


def test_who_has_the_load_gets_304_and_no_body_until_a_reload_or_a_deploy(
    client: Client, registry: ReplayRegistry
) -> None:
    def ask(tag: str) -> requests.Response:
        return client.session.get(
            f"{client.base}/version", headers={"If-None-Match": tag}, timeout=10
        )

    tag = client.get("/version").headers["ETag"]
    again = ask(tag)
    assert (again.status_code, again.content) == (304, b"")
    assert ask(f'"other", W/{tag}').status_code == 304
    registry.build = "fffffff/0.35.0"
    deployed = ask(tag)
    assert deployed.status_code == 200
    registry.catalogue.advance()
    assert ask(deployed.headers["ETag"]).status_code == 200


def test_errors_carry_no_etag(client: Client) -> None:
    assert "ETag" not in client.get("/studies/NCT99999999").headers


# --- one study ---------------------------------------------------------------------------------


def test_a_study_is_stamped_with_the_load_it_is_shown_in(
    client: Client, registry: ReplayRegistry
) -> None:
    for day in ("2026-02-03", "2026-02-04"):
        registry.load = day
        study = client.get("/studies/NCT00000001").json()
        assert study["derivedSection"]["miscInfoModule"]["versionHolder"] == day


@pytest.mark.parametrize("asked", ["NCT00000001", "nct1", "NcT0000000000001"])
def test_an_id_is_taken_in_any_case_and_padding(client: Client, asked: str) -> None:
    answer = client.get(f"/studies/{asked}")
    assert answer.status_code == 200
    assert nct_id(answer.json()) == "NCT00000001"


@pytest.mark.parametrize("asked", ["NCT", "NCT00000000", "NCT123456789", "1", "ORG-1", "NCT1x"])
def test_a_malformed_id_is_refused(client: Client, asked: str) -> None:
    assert_refused(client.get(f"/studies/{asked}"), "Parameter `nctId` has incorrect format")


def test_an_absent_study_is_a_404_that_names_it_in_full(client: Client) -> None:
    assert_refused(
        client.get("/studies/nct99999999"), "NCT number NCT99999999 not found", status=404
    )


def test_an_alias_redirects_and_drops_the_query_string(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.merge("NCT00000002", into="NCT00000001")
    answer = client.get("/studies/NCT00000002", fields="NCTId")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/api/v2/studies/NCT00000001"
    followed = client.session.get(
        f"{client.base}/studies/NCT00000002", params={"fields": "NCTId"}, timeout=10
    ).json()
    assert "statusModule" in followed["protocolSection"]
    assert followed["protocolSection"]["identificationModule"]["nctIdAliases"] == ["NCT00000002"]


def test_a_second_merge_keeps_the_aliases_of_the_first(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.merge("NCT00000003", into="NCT00000002")
    catalogue.merge("NCT00000002", into="NCT00000001")
    for old in ("NCT00000002", "NCT00000003"):
        assert client.get(f"/studies/{old}").headers["Location"].endswith("/NCT00000001")


def test_a_withdrawn_study_is_absent_until_it_is_published_again(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.withdraw("NCT00000001")
    assert client.get("/studies/NCT00000001").status_code == 404
    assert client.ids(filter__ids="NCT00000001") == []
    catalogue.advance()
    catalogue.publish(a_study(1))
    assert client.get("/studies/NCT00000001").status_code == 200
    catalogue.set_load("2026-02-02")
    assert client.get("/studies/NCT00000001").status_code == 404


def test_an_edit_changes_what_it_names_and_nothing_else(
    client: Client, catalogue: Catalogue
) -> None:
    before = client.get("/studies/NCT00000001").json()
    catalogue.edit(
        "NCT00000001",
        {
            "protocolSection.statusModule.overallStatus": "TERMINATED",
            "protocolSection.statusModule.whyStopped": "No funding",
            "protocolSection.designModule.phases": None,
        },
    )
    after = client.get("/studies/NCT00000001").json()
    before["protocolSection"]["statusModule"]["overallStatus"] = "TERMINATED"
    before["protocolSection"]["statusModule"]["whyStopped"] = "No funding"
    del before["protocolSection"]["designModule"]["phases"]
    assert after == before


# --- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/studies", "/studies/NCT00000001", "/version", "/stats/size"])
def test_an_unknown_parameter_is_refused(client: Client, path: str) -> None:
    assert_refused(client.get(path, bogusParam="1"), "`bogusParam` is unknown parameter")


def test_an_unknown_query_is_an_unknown_parameter_of_a_listing(client: Client) -> None:
    assert_refused(client.studies(query__bogus="1"), "`query.bogus` is unknown parameter")


@pytest.mark.parametrize("path", ["/studies/NCT00000001", "/version", "/stats/size"])
@pytest.mark.parametrize("name", ["query.cond", "filter.ids", "postFilter.ids"])
def test_what_only_a_listing_takes_has_an_invalid_prefix_elsewhere(
    client: Client, path: str, name: str
) -> None:
    answer = client.get(path, **{name: "NCT00000001"})
    assert_refused(answer, f"Invalid prefix in parameter name: {name}")


def test_a_name_is_case_sensitive(client: Client) -> None:
    assert_refused(client.studies(pagesize="1"), "`pagesize` is unknown parameter")


@pytest.mark.parametrize("text", ["-1", "ten", "1.5", "", "٣"])
def test_a_page_size_is_a_number(client: Client, text: str) -> None:
    assert_refused(client.studies(pageSize=text), "Parameter `pageSize` has incorrect format")


def test_a_parameter_given_twice_is_refused_rather_than_guessed_at(client: Client) -> None:
    answer = client.session.get(
        f"{client.base}/studies?filter.ids=NCT00000001&filter.ids=NCT00000002", timeout=10
    )
    assert answer.status_code == 400
    assert "replay registry does not support" in answer.text


# --- filter.ids --------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", "|"])
@pytest.mark.parametrize("name", ["filter.ids", "postFilter.ids"])
def test_ids_are_separated_by_commas_or_pipes(client: Client, separator: str, name: str) -> None:
    wanted = separator.join(["NCT00000001", "nct2", "NCT99999999"])
    assert client.ids(**{name: wanted}) == ["NCT00000001", "NCT00000002"]


@pytest.mark.parametrize(
    ("ids", "item"),
    [
        ("x", 1),
        ("", 1),
        ("NCT00000001,BM-MSC-01", 2),
        ("NCT00000001|NCT00000002|NCT00000000", 3),
        ("NCT00000001, NCT00000002", 2),
        ("NCT00000001,", 2),
    ],
)
def test_one_malformed_id_refuses_the_whole_request(client: Client, ids: str, item: int) -> None:
    assert_refused(
        client.studies(filter__ids=ids),
        f"Item {item} in parameter `filter.ids` has incorrect format",
    )


def test_an_absent_id_is_an_empty_list_not_an_error(client: Client) -> None:
    answer = client.studies(filter__ids="NCT99999999")
    assert (answer.status_code, answer.text) == (200, '{"studies":[  ]}')


def test_an_alias_in_a_list_answers_under_its_canonical_id(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.merge("NCT00000002", into="NCT00000001")
    assert client.ids(filter__ids="NCT00000002") == ["NCT00000001"]
    assert client.ids(filter__ids="NCT00000002,NCT00000001") == ["NCT00000001"]


def test_500_ids_joined_by_pipes_fit_and_an_endless_url_meets_nginx(client: Client) -> None:
    ids = [f"NCT{number:08d}" for number in range(1, 2001)]
    fields = "NCTId|OverallStatus"
    fitting = client.studies(filter__ids="|".join(ids[:500]), pageSize="1000", fields=fields)
    assert len(fitting.json()["studies"]) == 5
    too_long = client.studies(filter__ids="|".join(ids))
    assert too_long.status_code == 414
    assert too_long.headers["Content-Type"] == "text/html"
    assert "<center>nginx</center>" in too_long.text


# --- paging ------------------------------------------------------------------------------------


def walk(client: Client, **params: str) -> list[list[str]]:
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        answer = client.studies(**params, **token).json()
        pages.append([nct_id(study) for study in answer["studies"]])
        if "nextPageToken" not in answer:
            return pages
        token = {"pageToken": answer["nextPageToken"]}


def test_pages_hold_every_study_once(client: Client) -> None:
    pages = walk(client, pageSize="2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(chain.from_iterable(pages)) == [f"NCT{number:08d}" for number in range(1, 6)]


def test_a_full_last_page_has_a_token_that_leads_to_an_empty_page(client: Client) -> None:
    assert [len(page) for page in walk(client, pageSize="5")] == [5, 0]


def test_an_unsorted_listing_is_not_in_the_order_of_the_ids(client: Client) -> None:
    listed = walk(client, pageSize="10")[0]
    assert listed != sorted(listed)


@pytest.mark.parametrize(("asked", "given"), [("0", 10), ("3", 3), ("5000", 15)])
def test_the_page_size_is_coerced_in_silence(
    client: Client, catalogue: Catalogue, asked: str, given: int
) -> None:
    for number in range(6, 16):
        catalogue.publish(a_study(number))
    assert len(client.studies(pageSize=asked).json()["studies"]) == given


def test_a_page_holds_at_most_a_thousand(client: Client, catalogue: Catalogue) -> None:
    for number in range(6, 1003):
        catalogue.publish(a_study(number))
    answer = client.studies(pageSize="5000", fields="NCTId").json()
    assert len(answer["studies"]) == 1000
    assert "nextPageToken" in answer


def test_the_total_is_counted_on_the_first_page_only(client: Client) -> None:
    first = client.studies(pageSize="2", countTotal="true").json()
    assert first["totalCount"] == 5
    later = client.studies(pageSize="2", countTotal="true", pageToken=first["nextPageToken"])
    assert "totalCount" not in later.json()
    assert "totalCount" not in client.studies().json()
    refused = client.studies(countTotal="yes")
    assert_refused(refused, "Parameter `countTotal` has incorrect format")


def test_a_token_dies_with_a_reload(client: Client, registry: ReplayRegistry) -> None:
    token = client.studies(pageSize="2").json()["nextPageToken"]
    registry.load = "2026-02-04"
    assert_refused(client.studies(pageSize="2", pageToken=token), DATA_CHANGED)
    registry.load = "2026-02-03"
    assert_refused(client.studies(pageSize="2", pageToken=token), DATA_CHANGED)


def test_a_token_survives_where_the_same_load_is_shown_again(
    client: Client, registry: ReplayRegistry
) -> None:
    token = client.studies(pageSize="2").json()["nextPageToken"]
    registry.load = "2026-02-03"
    assert client.studies(pageSize="2", pageToken=token).status_code == 200


def test_a_token_is_not_bound_to_its_query_and_gives_wrong_rows(client: Client) -> None:
    token = client.studies(pageSize="2").json()["nextPageToken"]
    reused = client.studies(pageSize="2", pageToken=token, filter__ids="NCT00000001")
    assert (reused.status_code, reused.json()["studies"]) == (200, [])


@pytest.mark.parametrize("token", ["abracadabra", "", "é", "NF0g5JWBk_UvwQ"])
def test_a_made_up_token_is_refused(client: Client, token: str) -> None:
    assert_refused(client.studies(pageToken=token), "Parameter `pageToken` has incorrect format")


def test_every_study_stands_on_a_line_of_its_own(client: Client) -> None:
    lines = client.studies(pageSize="5").text.split("\n")
    assert len(lines) == 7
    assert all(json.loads(line.rstrip(",")) for line in lines[1:-1])


# --- fields, formats ---------------------------------------------------------------------------


def test_fields_are_pieces_areas_paths_and_whole_modules(client: Client) -> None:
    answer = client.get(
        "/studies/NCT00000001",
        fields="NCTId|EnrollmentInfo,protocolSection.statusModule.startDateStruct.date|HasResults",
    )
    assert answer.json() == {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT00000001"},
            "statusModule": {"startDateStruct": {"date": "2022-03"}},
            "designModule": {"enrollmentInfo": {"count": 10, "type": "ESTIMATED"}},
        },
        "hasResults": False,
    }
    by_area = client.get("/studies/NCT00000001", fields="IdSearch").json()
    assert by_area["protocolSection"] == {
        "identificationModule": {"nctId": "NCT00000001", "orgStudyIdInfo": {"id": "ORG-1"}}
    }


def test_a_module_asked_for_with_one_of_its_leaves_comes_whole(client: Client) -> None:
    for fields in ("StatusModule|OverallStatus", "OverallStatus|StatusModule"):
        study = client.get("/studies/NCT00000001", fields=fields).json()
        assert list(study["protocolSection"]) == ["statusModule"]
        assert len(study["protocolSection"]["statusModule"]) == 3


def test_a_leaf_of_a_list_keeps_the_length_of_the_list(client: Client) -> None:
    study = client.get("/studies/NCT00000001", fields="LocationStatus").json()
    assert study["protocolSection"]["contactsLocationsModule"]["locations"] == [
        {"status": "RECRUITING"},
        {},
    ]


@pytest.mark.parametrize("name", ["nctid", "NctId", "NCTID", "overallStatus", "Bogus", "NCTId2"])
def test_an_unknown_field_is_refused_and_case_matters(client: Client, name: str) -> None:
    text = f"Parameter 'fields' contains invalid field name: '{name}'"
    assert_refused(client.studies(fields=f"NCTId,{name}"), text)
    assert_refused(client.get("/studies/NCT00000001", fields=name), text)


def test_an_empty_list_of_fields_is_refused(client: Client) -> None:
    assert_refused(client.studies(fields=""), "Item 1 in parameter `fields` has incorrect format")


def test_the_eight_leaves_of_a_slim_sweep_are_known(client: Client) -> None:
    fields = (
        "NCTId,NCTIdAlias,OverallStatus,LastKnownStatus,StatusVerifiedDate,"
        "LastUpdatePostDate,VersionHolder,HasResults"
    )
    study = client.get("/studies/NCT00000001", fields=fields).json()
    assert study == {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT00000001"},
            "statusModule": {
                "overallStatus": "RECRUITING",
                "lastUpdatePostDateStruct": {"date": "2025-01-15"},
            },
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": "2026-02-03"}},
        "hasResults": False,
    }


@pytest.mark.parametrize("path", ["/studies", "/studies/NCT00000001"])
def test_a_format_that_is_none_is_refused_and_one_not_served_is_admitted(
    client: Client, path: str
) -> None:
    assert client.get(path, format="json", markupFormat="markdown").status_code == 200
    assert_refused(client.get(path, format="xml"), "Invalid value in parameter `format`: `xml`")
    for params in ({"format": "csv"}, {"markupFormat": "legacy"}):
        answer = client.get(path, **params)
        assert answer.status_code == 400
        assert answer.text.startswith("The replay registry does not support")


# --- filters, queries, sorting -----------------------------------------------------------------


def test_statuses_are_filtered_by_exact_name(client: Client, catalogue: Catalogue) -> None:
    catalogue.edit("NCT00000002", {"protocolSection.statusModule.overallStatus": "COMPLETED"})
    assert client.ids(filter__overallStatus="COMPLETED") == ["NCT00000002"]
    assert len(client.ids(filter__overallStatus="COMPLETED|RECRUITING")) == 5
    assert_refused(
        client.studies(filter__overallStatus="RECRUITING,NOT_A_STATUS"),
        "Invalid value in parameter `overallStatus`: `NOT_A_STATUS`",
    )


def test_an_org_study_id_is_searched_by_words_so_near_ones_match_too(
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


def test_a_query_of_nothing_but_nct_ids_switches_the_filters_off(client: Client) -> None:
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
def test_an_expression_finds(
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
def test_what_cannot_be_evaluated_is_refused_not_guessed(
    client: Client, params: dict[str, str]
) -> None:
    answer = client.studies(**params)
    assert answer.status_code == 400
    assert answer.text.startswith("The replay registry does not support")


def test_queries_are_joined_and_each_searches_its_own_area(
    client: Client, catalogue: Catalogue
) -> None:
    catalogue.publish(a_study(10, title="Lung cancer in Boston"))
    assert client.ids(query__titles="boston") == ["NCT00000010"]
    assert len(client.ids(query__locn="boston")) == 6
    assert client.ids(query__locn="boston", query__cond="lung") == ["NCT00000010"]
    assert client.ids(query__lead="boston") == []
    assert client.ids(query__titles="lung AND NOT cancer") == []


def test_a_broken_query_is_refused_with_the_name_of_its_parameter(client: Client) -> None:
    answer = client.studies(query__cond="(lung")
    assert_refused(
        answer, "Error parsing query in parameter `query.cond`: mismatched input '<EOF>'"
    )


def test_sorting_puts_dates_newest_first_numbers_smallest_first_and_missing_last(
    client: Client, catalogue: Catalogue
) -> None:
    posted = "protocolSection.statusModule.lastUpdatePostDateStruct.date"
    catalogue.edit("NCT00000003", {posted: "2026-01-30"})
    catalogue.edit("NCT00000004", {"protocolSection.statusModule.lastUpdatePostDateStruct": None})

    def sorted_by(text: str) -> list[int]:
        studies = client.studies(sort=text, fields="NCTId").json()["studies"]
        return [int(nct_id(study).removeprefix("NCT")) for study in studies]

    assert sorted_by("EnrollmentCount") == [1, 2, 3, 4, 5]
    assert sorted_by("EnrollmentCount:desc") == [5, 4, 3, 2, 1]
    assert sorted_by("LastUpdatePostDate,EnrollmentCount") == [3, 1, 2, 5, 4]
    assert sorted_by("LastUpdatePostDate:asc|EnrollmentCount:desc") == [5, 2, 1, 3, 4]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NCTId", "Unsupported sort field type: nct"),
        ("BriefTitle", "Unsupported sort field type: text"),
        ("Phase:asc", "Unsupported sort field type: enum"),
        ("Bogus", "Unknown piece name of field path: Bogus"),
        ("StartDate:up", "Item 1 in parameter `sort` has incorrect format"),
        ("StartDate,1", "Item 2 in parameter `sort` has incorrect format"),
        ("StartDate,EnrollmentCount,CompletionDate", "Parameter `sort` has incorrect format"),
    ],
)
def test_only_dates_and_numbers_sort_and_at_most_two(client: Client, text: str, why: str) -> None:
    assert_refused(client.studies(sort=text), why)


# --- other endpoints, the front ----------------------------------------------------------------


def test_sizes_are_those_of_the_studies_shown(client: Client, catalogue: Catalogue) -> None:
    sizes = client.get("/stats/size").json()
    own = len(client.get("/studies/NCT00000001").content)
    assert sizes["totalStudies"] == 5
    assert sizes["averageSizeBytes"] == own
    assert sum(item["studiesCount"] for item in sizes["ranges"]) == 5
    assert set(sizes) == {
        *("averageSizeBytes", "largestStudies", "percentiles", "ranges", "totalStudies"),
    }
    for number in range(1, 6):
        catalogue.withdraw(f"NCT{number:08d}")
    assert client.get("/stats/size").json()["totalStudies"] == 0


@pytest.mark.parametrize("path", ["/studies/metadata", "/studies/enums", "/stats/field/values"])
def test_an_endpoint_not_served_says_so(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.text == f"The replay registry does not support {path}"


@pytest.mark.parametrize(
    "path", ["/bogus", "/studies/", "/studies/NCT00000001/history", "/openapi.yaml", ""]
)
def test_an_unknown_path_meets_nginx(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>\r\n<head><title>404 Not Found</title>")


def test_a_path_outside_the_api_meets_nginx(client: Client, registry: ReplayRegistry) -> None:
    answer = client.session.get(f"http://127.0.0.1:{registry.port}/study/NCT1", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_only_get_is_allowed(client: Client, method: str) -> None:
    answer = client.session.request(method, f"{client.base}/version", data=b"{}", timeout=10)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_gzip_is_used_where_it_is_accepted(client: Client) -> None:
    zipped = client.studies()
    plain = client.session.get(
        f"{client.base}/studies", headers={"Accept-Encoding": "identity"}, timeout=10
    )
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.content == plain.content


def test_no_header_promises_what_the_real_registry_does_not_send(client: Client) -> None:
    sent = {name.lower() for name in client.studies().headers}
    assert not sent & {"cache-control", "last-modified", "retry-after", "x-ratelimit-limit"}


# --- the history and the bulk download ---------------------------------------------------------


def a_version(status: str, submitted: str, posted: str, summary: str = "") -> JsonObject:
    study = a_study(1, status=status, posted=posted)
    study["protocolSection"]["statusModule"]["lastUpdateSubmitDate"] = submitted
    study["protocolSection"]["designModule"]["studyType"] = "INTERVENTIONAL"
    study["protocolSection"]["descriptionModule"] = {"briefSummary": summary}
    return study


@pytest.fixture
def history(registry: ReplayRegistry, client: Client) -> Callable[..., requests.Response]:
    """Three versions of a trial, the last of which is posted after the load shown."""
    versions = [
        a_version("NOT_YET_RECRUITING", "2025-01-10", "2025-01-15", "<p>A &amp; B</p>"),
        a_version("RECRUITING", "2025-06-02", "2025-06-04", "<p>A &amp; B</p>"),
        a_version("COMPLETED", "2026-02-02", "2026-02-04", "<p>C</p>"),
    ]
    registry.catalogue.set_history("NCT00000001", versions)

    def get(path: str, **params: str) -> requests.Response:
        return client.session.get(f"{registry.url}/int/studies{path}", params=params, timeout=10)

    return get


def test_the_index_names_every_version_posted_so_far(
    history: Callable[..., requests.Response], registry: ReplayRegistry
) -> None:
    first = {
        "version": 0,
        "date": "2025-01-10",
        "status": "NOT_YET_RECRUITING",
        "studyType": "INTERVENTIONAL",
        "moduleLabels": [],
        "lastUpdateSubmitQcDate": "2025-01-10",
    }
    changes = history("/NCT00000001/history").json()["changes"]
    assert changes[0] == first
    assert [(c["version"], c["status"], c["moduleLabels"]) for c in changes[1:]] == [
        (1, "RECRUITING", ["Study Status"])
    ]
    registry.load = "2026-02-04"
    changes = history("/nct1/history").json()["changes"]
    assert changes[2]["moduleLabels"] == ["Study Status", "Study Description"]


def test_a_version_is_given_as_it_was_put_in_html_and_all(
    history: Callable[..., requests.Response],
) -> None:
    version = history("/NCT00000001/history/0").json()
    assert version["studyVersion"] == 0
    summary = version["study"]["protocolSection"]["descriptionModule"]["briefSummary"]
    assert summary == "<p>A &amp; B</p>"


def test_a_version_there_is_none_of_meets_the_edge(
    history: Callable[..., requests.Response],
) -> None:
    for version in ("2", "300", "-1", "x"):
        answer = history(f"/NCT00000001/history/{version}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html")


def test_a_trial_without_history_is_a_404_that_says_so(
    history: Callable[..., requests.Response],
) -> None:
    for path in ("/NCT00000002/history", "/NCT00000002/history/0", "/NCT00000002"):
        assert_refused(history(path), "No study NCT00000002 history summary", status=404)
    assert history("/NCT00000001/bogus").headers["Content-Type"] == "text/html"


def test_the_newest_version_comes_with_the_index_where_it_is_asked_for(
    history: Callable[..., requests.Response],
) -> None:
    assert set(history("/NCT00000001").json()) == {"study", "topics"}
    whole = history("/NCT00000001", history="true").json()
    assert whole["study"]["protocolSection"]["statusModule"]["overallStatus"] == "RECRUITING"
    assert whole["history"] == history("/NCT00000001/history").json()
    patch = history("/NCT00000001/history/0", patchToVersion="1")
    assert patch.text.startswith("The replay registry does not support")


def test_index_entries_given_are_shown_as_given(
    history: Callable[..., requests.Response], registry: ReplayRegistry
) -> None:
    entry = {"version": 0, "date": "2025-01-10", "status": "X", "reviewNotPassed": True}
    version = a_version("RECRUITING", "2025-01-10", "2025-01-15")
    registry.catalogue.set_history("NCT00000001", [version], entries=[entry])
    assert history("/NCT00000001/history").json()["changes"] == [entry]


def test_the_download_holds_every_study_in_folders_by_its_last_digits(client: Client) -> None:
    answer = client.get("/studies/download", format="json.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=ctg-studies.json.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert json.loads(archive.read("01/NCT00000001.json")) == (
            client.get("/studies/NCT00000001").json()
        )
    assert len(names) == client.get("/stats/size").json()["totalStudies"]


def test_the_download_takes_one_format_and_no_filter(client: Client) -> None:
    assert_refused(
        client.get("/studies/download", format="csv"), "Invalid value in parameter `format`: `csv`"
    )
    filtered = client.get("/studies/download", format="json.zip", filter__ids="NCT00000001")
    assert_refused(filtered, "Invalid prefix in parameter name: filter.ids")


# --- the server --------------------------------------------------------------------------------


def test_every_request_is_listed_with_its_answer(client: Client, registry: ReplayRegistry) -> None:
    client.get("/version")
    client.studies(filter__ids="NCT00000001|x")
    client.get("/bogus")
    assert [(done.method, done.path, done.params, done.status) for done in registry.requests] == [
        ("GET", "/v2/version", {}, 200),
        ("GET", "/v2/studies", {"filter.ids": "NCT00000001|x"}, 400),
        ("GET", "/v2/bogus", {}, 404),
    ]
    assert registry.requests[0].headers["user-agent"].startswith("python-requests/")
    registry.forget_requests()
    assert registry.requests == []


def test_a_port_in_use_is_one_clear_line(registry: ReplayRegistry, catalogue: Catalogue) -> None:
    with pytest.raises(PortInUse, match=rf"^cannot listen on 127\.0\.0\.1 port {registry.port} "):
        ReplayRegistry(catalogue, port=registry.port)


def test_it_listens_on_loopback_only(registry: ReplayRegistry) -> None:
    assert registry.url == f"http://127.0.0.1:{registry.port}/api"


def test_closing_it_hangs_up_on_everyone_and_frees_the_port(catalogue: Catalogue) -> None:
    with ReplayRegistry(catalogue) as registry:
        port = registry.port
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(b"GET /api/v2/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(8) == b"HTTP/1.1"
    with connection, connection.makefile("rb") as rest:
        rest.read()  # comes to an end
    with ReplayRegistry(catalogue, port=port) as again:
        assert again.port == port


def test_a_fault_of_its_own_is_not_hidden(catalogue: Catalogue) -> None:
    def break_down(_: object) -> Any:
        raise ZeroDivisionError

    registry = ReplayRegistry(catalogue)
    registry.faults.add(Fault(rewrite=break_down))
    registry.__enter__()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{registry.url}/v2/version", timeout=10)
    with pytest.raises(ZeroDivisionError):
        registry.__exit__(None, None, None)


# --- faults ------------------------------------------------------------------------------------


def test_a_fault_meets_as_many_requests_as_it_is_told(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.status(503), path="/v2/version", skip=1, times=2)
    client.studies()
    assert [client.get("/version").status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    registry.faults.add(faults.status(500, "boom"), path="/v2/studies/NCT.*", times=EVERY_TIME)
    assert [client.get("/studies/NCT00000001").text for _ in range(3)] == ["boom"] * 3
    assert client.studies().status_code == 200
    registry.faults.clear()
    assert client.get("/studies/NCT00000001").status_code == 200


def test_answers_that_are_not_the_registry_s(client: Client, registry: ReplayRegistry) -> None:
    registry.faults.add(faults.status(429, "slow down", retry_after="7"))
    registry.faults.add(faults.edge_refusal())
    registry.faults.add(faults.html_page())
    registry.faults.add(faults.body(b"null"))
    busy, refused, page, null = (client.get("/version") for _ in range(4))
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "7")
    assert (refused.status_code, "ETag" in refused.headers) == (403, False)
    assert page.status_code == 200
    assert page.text.startswith("<!DOCTYPE html>")
    assert null.json() is None


def test_a_body_cut_short_with_its_length_declared(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.truncated(5))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.get("/version")


def test_a_body_cut_short_without_a_length_looks_whole(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.truncated(5, declare_length=False))
    assert client.get("/version").content == b'{"api'


def test_a_reset_is_a_reset_and_is_listed(client: Client, registry: ReplayRegistry) -> None:
    registry.faults.add(faults.reset())
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.get("/version")
    assert registry.requests[-1].status == 0
    assert client.get("/version").status_code == 200


def test_a_drip_comes_in_pieces_and_a_delay_before_the_first(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.dripping(7, pause=0.001))
    registry.faults.add(faults.delayed(0.001))
    assert client.get("/version").json() == client.get("/version").json()


def test_closing_does_not_wait_for_a_long_delay(catalogue: Catalogue) -> None:
    with ReplayRegistry(catalogue) as registry:
        registry.faults.add(faults.delayed(3600))
        with pytest.raises(requests.Timeout):
            requests.get(f"{registry.url}/v2/version", timeout=0.2)


def test_a_reload_before_page_k_ends_the_listing_there(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.reload("2026-02-04"), path="/v2/studies", page=2)
    first = client.studies(pageSize="2").json()
    second = client.studies(pageSize="2", pageToken=first["nextPageToken"])
    assert_refused(second, DATA_CHANGED)
    assert client.get("/version").json()["dataTimestamp"] == "2026-02-04T09:00:05"


@pytest.mark.parametrize(("rows", "total", "distinct"), [(-1, 6, 5), (1, 4, 4), (2, 3, 3)])
def test_a_shifted_page_repeats_rows_or_loses_them(
    client: Client, registry: ReplayRegistry, rows: int, total: int, distinct: int
) -> None:
    registry.faults.add(faults.shifted(rows), page=2)
    listed = list(chain.from_iterable(walk(client, pageSize="2")))
    assert (len(listed), len(set(listed))) == (total, distinct)


def test_a_page_can_lose_its_rows_or_the_token_that_leads_on(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.emptied(), page=2)
    assert [len(page) for page in walk(client, pageSize="2")] == [2, 0, 1]
    registry.faults.add(faults.ended_early(), page=2)
    assert [len(page) for page in walk(client, pageSize="2")] == [2, 2]


def test_a_true_answer_can_be_rewritten(client: Client, registry: ReplayRegistry) -> None:
    def rename(reply: Any) -> Any:
        body = re.sub(rb"NCT00000001", b"NCT00000007", reply.body)
        return type(reply)(reply.status, body, reply.headers)

    registry.faults.add(Fault(rewrite=rename))
    assert nct_id(client.get("/studies/NCT00000001").json()) == "NCT00000007"


# --- the catalogue -----------------------------------------------------------------------------


def test_the_next_load_is_on_the_next_weekday() -> None:
    catalogue = Catalogue("2026-02-05")
    days = [catalogue.advance().date().isoformat() for _ in range(3)]
    assert days == ["2026-02-06", "2026-02-09", "2026-02-10"]
    assert catalogue.advance(days=30).date().isoformat() == "2026-03-12"


def test_a_folder_without_records_is_said_to_be_one(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="holds no dated records"):
        Catalogue.from_folder(tmp_path)


def test_a_folder_without_a_list_of_days_has_the_days_of_its_files(tmp_path: Any) -> None:
    for number, day in ((1, "2026-02-03"), (1, "2026-02-06"), (2, "2026-02-04")):
        folder = tmp_path / f"NCT{number:08d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{day}.json").write_text(json.dumps(a_study(number, title=day)))
    catalogue = Catalogue.from_folder(tmp_path)
    assert [load.date().isoformat() for load in catalogue.loads] == [
        *("2026-02-03", "2026-02-04", "2026-02-06"),
    ]
    assert list(catalogue.view().ids) == ["NCT00000001"]
    catalogue.set_load("2026-02-05")
    assert sorted(catalogue.view().ids) == ["NCT00000001", "NCT00000002"]


def test_a_file_of_null_withdraws_a_trial(tmp_path: Any) -> None:
    folder = tmp_path / "NCT00000001"
    folder.mkdir()
    (folder / "2026-02-03.json").write_text(json.dumps(a_study(1)))
    (folder / "2026-02-04.json").write_text("null\n")
    catalogue = Catalogue.from_folder(tmp_path)
    assert list(catalogue.view().ids) == ["NCT00000001"]
    catalogue.set_load("2026-02-04")
    assert list(catalogue.view().ids) == []


def test_editing_what_is_not_shown_is_a_mistake_of_the_test(catalogue: Catalogue) -> None:
    with pytest.raises(KeyError, match="NCT00000009 is not shown"):
        catalogue.edit("NCT00000009", {"hasResults": True})
