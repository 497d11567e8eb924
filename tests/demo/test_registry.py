"""The demo's registry answers the story's requests as the strict replay does, and no others."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from datetime import datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ctsync.demo import story
from ctsync.demo.registry import HOST, DemoRegistry
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

RECORD = {"format": "json", "markupFormat": "markdown"}
LOOKUP = {
    **RECORD,
    "filter.ids": story.TRIAL,
    "fields": "NCTId|NCTIdAlias|BriefTitle|OverallStatus|LeadSponsorName",
    "pageSize": "1000",
}
SEARCH = {**RECORD, "fields": "NCTId|OrgStudyId", "pageSize": "1000"}
LOADS = [step.load for step in story.steps(Path("site")) if step.load is not None]


def search_for(org_study_id: str) -> dict[str, str]:
    return {**SEARCH, "filter.advanced": f'AREA[OrgStudyId]"{org_study_id}"'}


@pytest.fixture
def registry() -> Iterator[DemoRegistry]:
    with DemoRegistry(story.studies()) as served:
        yield served


def get(registry: DemoRegistry | ReplayRegistry, path: str, **params: str) -> requests.Response:
    return requests.get(f"{registry.url}{path}", params=params, timeout=10)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v2/version", {}),
        (f"/v2/studies/{story.TRIAL}", RECORD),
        ("/v2/studies", search_for(story.ORG_STUDY_ID)),
        ("/v2/studies", search_for("BM-MSC-02")),
        ("/v2/studies", LOOKUP),
    ],
)
def test_an_answer_equals_that_of_the_strict_replay(
    registry: DemoRegistry, load: datetime, path: str, params: dict[str, str]
) -> None:
    registry.load = load
    catalogue = Catalogue.from_folder(story.records())
    catalogue.set_load(load)
    with ReplayRegistry(catalogue) as strict:
        expected = get(strict, path, **params)
    given = get(registry, path, **params)
    assert expected.status_code == given.status_code == 200
    assert given.headers["Content-Type"] == expected.headers["Content-Type"]
    assert given.json() == expected.json()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v2/studies", {}),
        ("/v2/studies", RECORD),
        ("/v2/studies", {**SEARCH, "filter.ids": story.TRIAL}),
        ("/v2/studies", search_for(story.ORG_STUDY_ID) | {"pageSize": "10"}),
        ("/v2/studies", search_for(story.ORG_STUDY_ID) | {"pageToken": ""}),
        (f"/v2/studies/{story.TRIAL}", {}),
        (f"/v2/studies/{story.TRIAL}", {**RECORD, "fields": "NCTId"}),
        ("/v2/studies/NCT00000001", RECORD),
        ("/v2/version", {"format": "json"}),
        ("/v2/stats/size", {}),
        (f"/int/studies/{story.TRIAL}/history", {}),
        ("/", {}),
    ],
)
def test_any_other_request_is_not_found(
    registry: DemoRegistry, path: str, params: dict[str, str]
) -> None:
    assert get(registry, path, **params).status_code == 404


def test_only_get_is_answered(registry: DemoRegistry) -> None:
    assert requests.post(f"{registry.url}/v2/version", timeout=10).status_code == 501


def test_it_listens_on_loopback_only(registry: DemoRegistry) -> None:
    assert registry.url.startswith("http://127.0.0.1:")


def test_a_client_that_hangs_up_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # leaving the block waits for the server's threads only if they are not daemon threads
    monkeypatch.setattr(ThreadingHTTPServer, "daemon_threads", False)
    with DemoRegistry(story.studies()) as registry:
        port = urlsplit(registry.url).port
        with socket.create_connection((HOST, port), timeout=10) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET /api/v2/ver")
        assert get(registry, "/v2/version").status_code == 200
    assert capfd.readouterr().err == ""
