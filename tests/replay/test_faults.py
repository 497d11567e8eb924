"""Faults: each has its effect, on the requests that it is meant for."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pytest
import requests

from tests.replay import faults
from tests.replay.catalogue import Catalogue
from tests.replay.conftest import DATA_CHANGED, Client, assert_refused, nct_id, walk
from tests.replay.faults import EVERY_TIME, Fault
from tests.replay.registry_server import ReplayRegistry


def test_a_fault_applies_to_the_given_number_of_requests(
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


def test_a_fault_can_replace_the_reply(client: Client, registry: ReplayRegistry) -> None:
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


def test_a_truncated_body_with_a_content_length_is_incomplete(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.truncated(5))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.get("/version")


def test_a_truncated_body_without_a_content_length_looks_complete(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.truncated(5, declare_length=False))
    assert client.get("/version").content == b'{"api'


def test_a_reset_closes_the_connection_and_is_listed(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.reset())
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.get("/version")
    assert registry.requests[-1].status == 0
    assert client.get("/version").status_code == 200


def test_dripping_and_delayed_replies_arrive_complete(
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
def test_a_shifted_page_repeats_or_omits_rows(
    client: Client, registry: ReplayRegistry, rows: int, total: int, distinct: int
) -> None:
    registry.faults.add(faults.shifted(rows), page=2)
    listed = list(chain.from_iterable(walk(client, pageSize="2")))
    assert (len(listed), len(set(listed))) == (total, distinct)


def test_a_page_can_lose_its_rows_or_its_next_page_token(
    client: Client, registry: ReplayRegistry
) -> None:
    registry.faults.add(faults.emptied(), page=2)
    assert [len(page) for page in walk(client, pageSize="2")] == [2, 0, 1]
    registry.faults.add(faults.ended_early(), page=2)
    assert [len(page) for page in walk(client, pageSize="2")] == [2, 2]


def test_a_fault_can_rewrite_the_true_reply(client: Client, registry: ReplayRegistry) -> None:
    def rename(reply: Any) -> Any:
        body = re.sub(rb"NCT00000001", b"NCT00000007", reply.body)
        return type(reply)(reply.status, body, reply.headers)

    registry.faults.add(Fault(rewrite=rename))
    assert nct_id(client.get("/studies/NCT00000001").json()) == "NCT00000007"
