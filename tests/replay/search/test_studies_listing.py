"""The listing: pages, tokens and order."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from tests.replay.catalogue import Catalogue
from tests.replay.conftest import DATA_CHANGED, Client, a_study, assert_refused, nct_id, walk
from tests.replay.registry_server import ReplayRegistry


def test_the_pages_list_every_study_once(client: Client) -> None:
    pages = walk(client, pageSize="2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(chain.from_iterable(pages)) == [f"NCT{number:08d}" for number in range(1, 6)]


def test_a_full_last_page_has_a_token_for_an_empty_page(client: Client) -> None:
    assert [len(page) for page in walk(client, pageSize="5")] == [5, 0]


def test_an_unsorted_listing_is_not_in_id_order(client: Client) -> None:
    listed = walk(client, pageSize="10")[0]
    assert listed != sorted(listed)


@pytest.mark.parametrize(("asked", "given"), [("0", 10), ("3", 3), ("5000", 15)])
def test_a_page_size_out_of_range_is_corrected_without_an_error(
    client: Client, catalogue: Catalogue, asked: str, given: int
) -> None:
    for number in range(6, 16):
        catalogue.publish(a_study(number))
    assert len(client.studies(pageSize=asked).json()["studies"]) == given


def test_a_page_holds_at_most_1000_studies(client: Client, catalogue: Catalogue) -> None:
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


def test_a_token_expires_at_a_reload(client: Client, registry: ReplayRegistry) -> None:
    token = client.studies(pageSize="2").json()["nextPageToken"]
    registry.load = "2026-02-04"
    assert_refused(client.studies(pageSize="2", pageToken=token), DATA_CHANGED)
    registry.load = "2026-02-03"
    assert_refused(client.studies(pageSize="2", pageToken=token), DATA_CHANGED)


def test_a_token_stays_valid_if_the_same_load_is_set_again(
    client: Client, registry: ReplayRegistry
) -> None:
    token = client.studies(pageSize="2").json()["nextPageToken"]
    registry.load = "2026-02-03"
    assert client.studies(pageSize="2", pageToken=token).status_code == 200


def test_a_token_used_with_another_query_gives_wrong_rows(client: Client) -> None:
    token = client.studies(pageSize="2").json()["nextPageToken"]
    reused = client.studies(pageSize="2", pageToken=token, filter__ids="NCT00000001")
    assert (reused.status_code, reused.json()["studies"]) == (200, [])


@pytest.mark.parametrize("token", ["abracadabra", "", "é", "NF0g5JWBk_UvwQ"])
def test_a_malformed_token_is_refused(client: Client, token: str) -> None:
    assert_refused(client.studies(pageToken=token), "Parameter `pageToken` has incorrect format")


def test_each_study_is_on_its_own_line(client: Client) -> None:
    lines = client.studies(pageSize="5").text.split("\n")
    assert len(lines) == 7
    assert all(json.loads(line.rstrip(",")) for line in lines[1:-1])


def test_dates_sort_newest_first_numbers_smallest_first_and_missing_values_last(
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
def test_at_most_two_fields_sort_and_only_dates_and_numbers(
    client: Client, text: str, why: str
) -> None:
    assert_refused(client.studies(sort=text), why)
