"""Request parameters: the same forms are accepted and refused as by the real registry."""

from __future__ import annotations

import pytest

from tests.replay.catalogue import Catalogue
from tests.replay.conftest import Client, assert_refused


@pytest.mark.parametrize("path", ["/studies", "/studies/NCT00000001", "/version", "/stats/size"])
def test_an_unknown_parameter_is_refused(client: Client, path: str) -> None:
    assert_refused(client.get(path, bogusParam="1"), "`bogusParam` is unknown parameter")


def test_an_unknown_query_is_an_unknown_parameter_of_a_listing(client: Client) -> None:
    assert_refused(client.studies(query__bogus="1"), "`query.bogus` is unknown parameter")


@pytest.mark.parametrize("path", ["/studies/NCT00000001", "/version", "/stats/size"])
@pytest.mark.parametrize("name", ["query.cond", "filter.ids", "postFilter.ids"])
def test_a_listing_parameter_has_an_invalid_prefix_elsewhere(
    client: Client, path: str, name: str
) -> None:
    answer = client.get(path, **{name: "NCT00000001"})
    assert_refused(answer, f"Invalid prefix in parameter name: {name}")


def test_parameter_names_are_case_sensitive(client: Client) -> None:
    assert_refused(client.studies(pagesize="1"), "`pagesize` is unknown parameter")


@pytest.mark.parametrize("text", ["-1", "ten", "1.5", "", "٣"])
def test_a_page_size_must_be_a_number(client: Client, text: str) -> None:
    assert_refused(client.studies(pageSize=text), "Parameter `pageSize` has incorrect format")


def test_a_repeated_parameter_is_refused(client: Client) -> None:
    answer = client.session.get(
        f"{client.base}/studies?filter.ids=NCT00000001&filter.ids=NCT00000002", timeout=10
    )
    assert answer.status_code == 400
    assert "replay registry does not support" in answer.text


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
def test_one_malformed_id_makes_the_request_fail(client: Client, ids: str, item: int) -> None:
    assert_refused(
        client.studies(filter__ids=ids),
        f"Item {item} in parameter `filter.ids` has incorrect format",
    )


def test_an_absent_id_gives_an_empty_list(client: Client) -> None:
    answer = client.studies(filter__ids="NCT99999999")
    assert (answer.status_code, answer.text) == (200, '{"studies":[  ]}')


def test_an_alias_in_a_list_finds_the_canonical_study(client: Client, catalogue: Catalogue) -> None:
    catalogue.merge("NCT00000002", into="NCT00000001")
    assert client.ids(filter__ids="NCT00000002") == ["NCT00000001"]
    assert client.ids(filter__ids="NCT00000002,NCT00000001") == ["NCT00000001"]


def test_500_ids_fit_into_a_url_and_2000_get_the_nginx_error_page(client: Client) -> None:
    ids = [f"NCT{number:08d}" for number in range(1, 2001)]
    fields = "NCTId|OverallStatus"
    fitting = client.studies(filter__ids="|".join(ids[:500]), pageSize="1000", fields=fields)
    assert len(fitting.json()["studies"]) == 5
    too_long = client.studies(filter__ids="|".join(ids))
    assert too_long.status_code == 414
    assert too_long.headers["Content-Type"] == "text/html"
    assert "<center>nginx</center>" in too_long.text


def test_fields_accept_pieces_areas_paths_and_modules(client: Client) -> None:
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


def test_a_module_requested_with_one_of_its_leaves_is_complete(client: Client) -> None:
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
def test_an_unknown_field_is_refused_and_names_are_case_sensitive(
    client: Client, name: str
) -> None:
    text = f"Parameter 'fields' contains invalid field name: '{name}'"
    assert_refused(client.studies(fields=f"NCTId,{name}"), text)
    assert_refused(client.get("/studies/NCT00000001", fields=name), text)


def test_an_empty_list_of_fields_is_refused(client: Client) -> None:
    assert_refused(client.studies(fields=""), "Item 1 in parameter `fields` has incorrect format")


def test_the_eight_fields_of_a_full_scan_are_known(client: Client) -> None:
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
def test_unknown_and_unsupported_formats_have_different_errors(client: Client, path: str) -> None:
    assert client.get(path, format="json", markupFormat="markdown").status_code == 200
    assert_refused(client.get(path, format="xml"), "Invalid value in parameter `format`: `xml`")
    for params in ({"format": "csv"}, {"markupFormat": "legacy"}):
        answer = client.get(path, **params)
        assert answer.status_code == 400
        assert answer.text.startswith("The replay registry does not support")
