"""A listing: pages, tokens and order."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from tests.replay.catalogue import Catalogue
from tests.replay.conftest import DATA_CHANGED, Client, a_study, assert_refused, nct_id, walk
from tests.replay.registry_server import ReplayRegistry


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
