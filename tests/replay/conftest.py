"""A replay registry with five studies, and a client for its requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ctsync.model import JsonObject
from tests.replay.catalogue import Catalogue
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


def walk(client: Client, **params: str) -> list[list[str]]:
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        answer = client.studies(**params, **token).json()
        pages.append([nct_id(study) for study in answer["studies"]])
        if "nextPageToken" not in answer:
            return pages
        token = {"pageToken": answer["nextPageToken"]}
