"""The OpenAPI document: saved, valid, and obeyed by the API.

`python -m tests.web.api.test_openapi_document` rewrites docs/openapi.json.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from ctsync.questions.schemas import row_types
from ctsync.web.api.api_application import document_text
from ctsync.web.api.endpoints import ENDPOINTS, ROOT
from tests.web.api.served import MADE, TRIAL

SAVED = Path(__file__).parents[3] / "docs" / "openapi.json"

# only the database knows these values; with them, each request that fits the document is answered
OF_DATABASE: Mapping[str, list[str]] = {
    "watch": ["mine"],
    "sponsor": ["A sponsor"],
    "condition": ["Asthma"],
    "country": ["France"],
    "field": ["overall status", "primary completion", "protocolSection.statusModule"],
    "nct": list(MADE),
}
CONDITIONS = ["status=RECRUITING", "enrollment>10", "start<2020", "sponsor~a", "title=none"]


def document_of_database(*left_out: str) -> dict[str, Any]:
    """Return the document with the values of the test database as the only values."""
    document: dict[str, Any] = json.loads(document_text())
    for path, item in document["paths"].items():
        kept = [one for one in item["get"]["parameters"] if one["name"] not in left_out]
        for parameter in kept:
            values = OF_DATABASE.get(parameter["name"])
            is_of_find = path.endswith("/find") and parameter["name"] == "condition"
            if is_of_find or parameter["name"] == "where":
                values = CONDITIONS
            if values is not None:
                several = parameter["schema"].get("type") == "array"
                schema = parameter["schema"]["items"] if several else parameter["schema"]
                schema.clear()
                schema.update({"type": "string", "enum": values})
            if parameter["name"] == "since" and path.endswith("/changes"):
                parameter["schema"]["anyOf"][-1]["enum"].remove("last report")  # none was sent
        item["get"]["parameters"] = kept
    return document


def test_the_saved_document_is_that_of_the_api() -> None:
    saved = SAVED.read_bytes()
    assert saved == document_text(), "run `python -m tests.web.api.test_openapi_document`"


def test_the_api_serves_the_document(api: httpx.Client) -> None:
    answer = api.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == document_text()


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = json.loads(document_text())
    references = set(re.findall(r'"\$ref": "([^"]+)"', document_text().decode()))
    for reference in references:
        place = document
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]
    print(f"references: {len(references)} lead to a component")
    assert len(references) > 20


def test_rows_have_the_schemas_of_ctsync_schema() -> None:
    published = set(row_types().values())
    rows = {one.row_type for one in ENDPOINTS if one.row_type is not None}
    pages = {one for one in rows if one not in published}
    assert {one.__name__ for one in pages} == {"PortfolioRow"}  # a part of the published page
    components = json.loads(document_text())["components"]["schemas"]
    for row in rows:
        names = [one.name for one in fields(row)]
        assert list(components[row.__name__]["properties"]) == names
        assert sorted(components[row.__name__]["required"]) == sorted(names)


def test_answers_fit_the_document(api: httpx.Client) -> None:
    document = json.loads(document_text())
    for endpoint in ENDPOINTS:
        path = ROOT + endpoint.path
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]
        whole = {**schema["application/json"]["schema"], "components": document["components"]}
        needed = {"field": "overall status"} if path.endswith("/fields") else {}
        needed |= {"condition": "enrollment>1"} if path.endswith("/find") else {}
        answer = api.get(path.replace("{nct}", TRIAL), params={**needed})
        assert answer.status_code == 200, path
        assert list(Draft202012Validator(whole).iter_errors(answer.json())) == [], path


@pytest.mark.slow
def test_schemathesis_finds_no_failure(api: httpx.Client, tmp_path: Path) -> None:
    """Requests that fit the document are answered as it says, and others are refused.

    A cursor fits one question only: test_cursors.py has its tests. A record has a day or a version,
    not both.
    """
    record = ("--include-path", "/api/v1/trials/{nct}/record")
    counted = [
        _run_schemathesis(document_of_database("cursor", "version"), api, tmp_path),
        _run_schemathesis(document_of_database("as_of"), api, tmp_path, *record),
    ]
    print(f"schemathesis: {sum(counted):,} requests generated, all passed, 0 failures")


def _run_schemathesis(
    document: dict[str, Any], api: httpx.Client, folder: Path, *options: str
) -> int:
    """Run all checks, and return the number of requests."""
    (folder / "document.json").write_text(json.dumps(document))
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", "document.json", *options),
            *("--url", str(api.base_url), "--checks", "all", "--max-examples", "25"),
            *("--mode", "all", "--seed", "20260313", "--no-color"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    output = found.stdout + found.stderr
    counted = re.search(r"([\d,]+) generated, ([\d,]+) passed", output)
    assert found.returncode == 0, output[-6000:]
    assert counted is not None, output[-3000:]
    assert counted[1] == counted[2]
    return int(counted[1].replace(",", ""))


if __name__ == "__main__":
    SAVED.write_bytes(document_text())
    print(f"wrote {SAVED}")
