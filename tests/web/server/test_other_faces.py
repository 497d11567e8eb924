"""The JSON API, the tools for language models and the calendar, in the server of the pages."""

from __future__ import annotations

from typing import Any

import pytest
from icalendar import Calendar
from starlette.testclient import TestClient

from ctsync.web.server.gate import LONGEST_ADDRESS, Access
from tests.web.server.conftest import FIRST, SECOND, TRIALS, client_of


def ask_tool(client: TestClient, name: str, **arguments: object) -> Any:
    call = {"name": name, "arguments": arguments}
    answer = client.post(
        "/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
        headers={"Accept": "application/json, text/event-stream"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["structuredContent"]


def test_page_api_and_tool_know_the_same_versions(client: TestClient) -> None:
    rows = client.get(f"/api/v1/trials/{FIRST}/versions").json()["rows"]
    assert [row["version"] for row in rows] == [1, 2]
    assert ask_tool(client, "versions", nct=FIRST)["rows"] == rows
    assert "Suspended" in client.get(f"/trials/{FIRST}").text


def test_the_api_describes_itself_and_answers_errors_as_problems(client: TestClient) -> None:
    assert "/api/v1/trials" in client.get("/openapi.json").json()["paths"]
    wrong = client.get("/api/v1/nowhere")
    assert wrong.status_code == 404
    assert wrong.headers["content-type"] == "application/problem+json"


def test_what_the_gate_refuses_is_a_problem_too_below_the_api(client: TestClient) -> None:
    too_long = "/api/v1/find?condition=title~" + "a" * LONGEST_ADDRESS
    for refused, status in ((client.post("/api/v1/trials"), 405), (client.get(too_long), 414)):
        found = refused.json()
        assert (refused.status_code, found["status"]) == (status, status)
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["cache-control"] == "no-store"
        assert found["detail"].startswith(("This server only reads", "The address is longer"))
    assert client.post("/trials").headers["content-type"].startswith("text/plain")


def test_the_tools_take_only_post_and_the_rest_only_get(client: TestClient) -> None:
    assert client.get("/mcp").status_code == 405
    assert client.get("/mcp").headers["allow"] == "POST"
    for path in ("/", "/api/v1/trials", "/calendar.ics"):
        assert client.post(path).status_code == 405


def test_the_calendar_has_the_dates_of_a_watch(client: TestClient) -> None:
    every, own = (
        [str(one["UID"]) for one in Calendar.from_ical(client.get(path).content).walk("VEVENT")]
        for path in ("/calendar.ics", "/calendar.ics?watch=another")
    )
    assert all(any(trial in uid for uid in every) for trial in TRIALS)
    assert own
    assert all(SECOND in uid for uid in own)
    assert client.get("/calendar.ics?watch=nobody").status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/trials", "/openapi.json", "/mcp", "/calendar.ics"])
def test_every_face_asks_for_the_token(filled: str, path: str) -> None:
    with client_of(filled, Access(token="a" * 64)) as client:
        method = "POST" if path == "/mcp" else "GET"
        assert client.request(method, path).status_code == 401
        given = client.request(method, path, headers={"Authorization": "Bearer " + "a" * 64})
        assert given.status_code != 401
