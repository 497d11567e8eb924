"""The record history: the index of versions, and one version."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from ctsync.model import JsonObject
from tests.replay.conftest import Client, a_study, assert_refused
from tests.replay.registry_server import ReplayRegistry


def a_version(status: str, submitted: str, posted: str, summary: str = "") -> JsonObject:
    study = a_study(1, status=status, posted=posted)
    study["protocolSection"]["statusModule"]["lastUpdateSubmitDate"] = submitted
    study["protocolSection"]["designModule"]["studyType"] = "INTERVENTIONAL"
    study["protocolSection"]["descriptionModule"] = {"briefSummary": summary}
    return study


@pytest.fixture
def history(registry: ReplayRegistry, client: Client) -> Callable[..., requests.Response]:
    """Three versions of a trial, of which the last is posted after the current load."""
    versions = [
        a_version("NOT_YET_RECRUITING", "2025-01-10", "2025-01-15", "<p>A &amp; B</p>"),
        a_version("RECRUITING", "2025-06-02", "2025-06-04", "<p>A &amp; B</p>"),
        a_version("COMPLETED", "2026-02-02", "2026-02-04", "<p>C</p>"),
    ]
    registry.catalogue.set_history("NCT00000001", versions)

    def get(path: str, **params: str) -> requests.Response:
        return client.session.get(f"{registry.url}/int/studies{path}", params=params, timeout=10)

    return get


def test_the_index_lists_all_versions_posted_so_far(
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


def test_a_version_is_served_unchanged_including_its_html(
    history: Callable[..., requests.Response],
) -> None:
    version = history("/NCT00000001/history/0").json()
    assert version["studyVersion"] == 0
    summary = version["study"]["protocolSection"]["descriptionModule"]["briefSummary"]
    assert summary == "<p>A &amp; B</p>"


def test_a_missing_version_gets_the_403_page_of_the_edge(
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


def test_the_newest_version_includes_the_index_on_request(
    history: Callable[..., requests.Response],
) -> None:
    assert set(history("/NCT00000001").json()) == {"study", "topics"}
    whole = history("/NCT00000001", history="true").json()
    assert whole["study"]["protocolSection"]["statusModule"]["overallStatus"] == "RECRUITING"
    assert whole["history"] == history("/NCT00000001/history").json()
    patch = history("/NCT00000001/history/0", patchToVersion="1")
    assert patch.text.startswith("The replay registry does not support")


def test_a_given_index_entry_is_served_unchanged(
    history: Callable[..., requests.Response], registry: ReplayRegistry
) -> None:
    entry = {"version": 0, "date": "2025-01-10", "status": "X", "reviewNotPassed": True}
    version = a_version("RECRUITING", "2025-01-10", "2025-01-15")
    registry.catalogue.set_history("NCT00000001", [version], entries=[entry])
    assert history("/NCT00000001/history").json()["changes"] == [entry]
